"""The site: links of the repository become links of the site; the gallery has every kind of outlier."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from mood.synthesis.outliers import ALL_KINDS

TOP = Path(__file__).parents[1]
MOST_BYTES = 1_500_000  # of the gallery's pictures


@pytest.fixture
def site_pages():
    pytest.importorskip("mkdocs")
    spec = importlib.util.spec_from_file_location("site_pages", TOP / "scripts/site_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", ["README.md", "CONTRIBUTING.md", "docs/fit.md", "docs/tutorials/add-a-method.md"])
def test_a_document_keeps_its_place(site_pages, path):
    assert site_pages.repository_path(site_pages.site_path(path)) == path


@pytest.mark.parametrize(
    ("page", "link", "wanted"),
    [
        ("index.md", "docs/fit.md#what", "fit.md#what"),
        ("index.md", "CONTRIBUTING.md", "project/CONTRIBUTING.md"),
        ("fit.md", "../CONTRIBUTING.md", "project/CONTRIBUTING.md"),
        ("fit.md", "report.md", "report.md"),
        ("project/CONTRIBUTING.md", "docs/fit.md", "../fit.md"),
        ("tutorials/add-a-method.md", "../../README.md#x", "../index.md#x"),
        ("tutorials/add-a-method.md", "../notebooks/compare-methods.ipynb", "../notebooks/compare-methods.ipynb"),
        ("fit.md", "https://example.org/a.md", "https://example.org/a.md"),
        ("fit.md", "#here", "#here"),
    ],
)
def test_links_lead_where_they_led(site_pages, page, link, wanted):
    at = SimpleNamespace(file=SimpleNamespace(src_uri=page))
    assert site_pages.on_page_markdown(f"a [word]({link}).", at, None, None) == f"a [word]({wanted})."


def test_what_lies_outside_docs_and_is_linked_is_found(site_pages):
    assert "CONTRIBUTING.md" in site_pages.linked("docs/architecture.md")
    assert "docker/environment.sh" in site_pages.linked("docs/container.md")


def test_the_gallery_has_a_picture_of_every_kind_and_they_are_small():
    pictures = sorted((TOP / "docs/gallery").iterdir())
    assert {path.name for path in pictures} == {f"{kind}.webp" for kind in ALL_KINDS}
    shown = re.findall(r"!\[[^\]]{20,}\]\(gallery/(\w+)\.webp\)", (TOP / "docs/gallery.md").read_text())
    assert sorted(shown) == sorted(ALL_KINDS)
    assert sum(path.stat().st_size for path in pictures) < MOST_BYTES
