"""What the site adds to docs/: the project's own documents, and files elsewhere in the repository that pages link to.

A hook of MkDocs (mkdocs.yml). Documents are written to be read in the repository, so their links are paths in it; here
each is turned into one of the site. docs/X becomes X, README.md the first page, and any other file project/PATH.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

TOP = Path(__file__).parents[1]
FIRST = "README.md"
PROJECT = (FIRST, "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)\s#]+)(?=[)#])")


def site_path(path: str) -> str:
    """Where the site has a file of the repository."""
    if path == FIRST:
        return "index.md"
    return path.removeprefix("docs/") if path.startswith("docs/") else f"project/{path}"


def repository_path(path: str) -> str:
    """Where the repository has a file of the site."""
    if path == "index.md":
        return FIRST
    return path.removeprefix("project/") if path.startswith("project/") else f"docs/{path}"


def linked(path: str) -> set[str]:
    """The files of the repository that one of its documents links to."""
    text = (TOP / path).read_text(encoding="utf-8")
    found = {posixpath.normpath(posixpath.join(posixpath.dirname(path), link)) for link in LINK.findall(text)}
    return {each for each in found if (TOP / each).is_file()}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what lies outside docs/: the project's documents, and what any document links to."""
    documents = {*PROJECT, *(repository_path(file.src_uri) for file in files.documentation_pages())}
    documents = {path for path in documents if path.endswith(".md")}
    waiting, known = set(documents), set(documents)
    while waiting:
        waiting = set().union(*(linked(path) for path in waiting if path.endswith(".md"))) - known
        known |= waiting
    for path in sorted(known):
        if files.get_file_from_path(site_path(path)) is None:
            files.append(File.generated(config, site_path(path), abs_src_path=str(TOP / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository into links between files of the site."""
    here = page.file.src_uri
    folder = posixpath.dirname(repository_path(here))

    def moved(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, match.group(1)))
        return posixpath.relpath(site_path(target), posixpath.dirname(here) or ".")

    return LINK.sub(moved, markdown)
