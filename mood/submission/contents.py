"""What is in an image: its four scripts and the packages it was made of, read from its files without running it."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email.parser import HeaderParser
from pathlib import PurePosixPath
from typing import NamedTuple

from mood.regions import REGIONS
from mood.submission.predictions import MODES

FOLDER = "/workspace"
HEAD_BYTES = 4096  # of a script
PYTHON, DEBIAN, ALPINE = "pypi", "deb", "apk"
DATABASES = {"var/lib/dpkg/status": DEBIAN, "lib/apk/db/installed": ALPINE}
RELEASE = "etc/os-release"
BILLS = (".cdx.json", ".spdx.json", "bom.json", "sbom.json")  # endings of files that list parts
UNREAD_AT_MOST = 20  # names of files that are kept


class Package(NamedTuple):
    """One part of an image."""

    kind: str  # pypi, deb or apk
    name: str
    version: str
    licence: str = ""


@dataclass(frozen=True)
class Script:
    """One of the four, as it lies in the image."""

    mode: int
    head: bytes

    @property
    def runs_directly(self) -> bool:
        """Whether it can be started without naming a shell."""
        return bool(self.mode & 0o001) and self.head.startswith(b"#!")


@dataclass
class Contents:
    """What was found in an image.

    Attributes
    ----------
    scripts : dict
        Of the four, those that are there, by their paths; None for a link.
    packages : set of Package
    closed : list of str
        Files and folders below /workspace that not everybody can read.
    bills : list of str
        Files that list the parts of something.
    system : str
        Such as "debian-12", where it says so.
    """

    scripts: dict[str, Script | None] = field(default_factory=dict)
    packages: set[Package] = field(default_factory=set)
    closed: list[str] = field(default_factory=list)
    bills: list[str] = field(default_factory=list)
    system: str = ""


def script_path(mode: str, region: str) -> str:
    """Where the challenge looks for a script."""
    return f"{FOLDER}/run_{mode}_{region}.sh"


SCRIPTS = tuple(script_path(mode, region) for region in REGIONS for mode in MODES)


def read_contents(archive: tarfile.TarFile) -> Contents:
    """Look through all files of an image once.

    Parameters
    ----------
    archive : tarfile.TarFile
        Of its file system; may be a stream.
    """
    found = Contents()
    for member in archive:
        name = member.name.removeprefix("./").lstrip("/")
        if f"/{name}" in SCRIPTS:
            found.scripts[f"/{name}"] = _script(archive, member)
        if f"/{name}".startswith(f"{FOLDER}/") and _closed(member) and len(found.closed) < UNREAD_AT_MOST:
            found.closed.append(f"/{name}")
        if name.endswith(BILLS) and member.isfile():
            found.bills.append(f"/{name}")
        if name == RELEASE or name == f"usr/lib/{PurePosixPath(RELEASE).name}":
            found.system = found.system or _system(_text(archive, member))
        found.packages.update(_packages(archive, member, name))
    return found


def _script(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Script | None:
    if not member.isfile():
        return None
    file = archive.extractfile(member)
    return Script(member.mode, file.read(HEAD_BYTES) if file else b"")


def _closed(member: tarfile.TarInfo) -> bool:
    if member.isdir():
        return member.mode & 0o005 != 0o005
    return member.isfile() and not member.mode & 0o004


def _packages(archive: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> Iterator[Package]:
    if name in DATABASES:
        yield from (_debian if DATABASES[name] == DEBIAN else _alpine)(_text(archive, member))
    elif name.endswith(".dist-info/METADATA") or name.endswith(".egg-info/PKG-INFO"):
        yield from _python(_text(archive, member))


def _text(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = archive.extractfile(member) if member.isfile() else None
    return file.read().decode("utf-8", "replace") if file else ""


def _system(text: str) -> str:
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    parts = [values[key].strip('"') for key in ("ID", "VERSION_ID") if key in values]
    return "-".join(parts)


def _python(text: str) -> Iterator[Package]:
    head = HeaderParser().parsestr(text)
    classifiers = [c.rpartition(" :: ")[2] for c in head.get_all("Classifier", []) if c.startswith("License ::")]
    told = [line.strip() for line in (head["License-Expression"] or head["License"] or "").splitlines() if line.strip()]
    licence = told[0] if len(told) == 1 else " AND ".join(classifiers)
    if head["Name"]:
        yield Package(PYTHON, head["Name"], head["Version"] or "", licence)


def _debian(text: str) -> Iterator[Package]:
    for fields in _paragraphs(text.splitlines(), ":"):
        if fields.get("Package") and fields.get("Status", "").endswith(" installed"):
            yield Package(DEBIAN, fields["Package"], fields.get("Version", ""))


def _alpine(text: str) -> Iterator[Package]:
    for fields in _paragraphs(text.splitlines(), ":"):
        if "P" in fields:
            yield Package(ALPINE, fields["P"], fields.get("V", ""), fields.get("L", ""))


def _paragraphs(lines: Iterable[str], mark: str) -> Iterator[dict[str, str]]:
    fields: dict[str, str] = {}
    for line in [*lines, ""]:
        if not line.strip():
            yield fields
            fields = {}
        elif not line.startswith((" ", "\t")):
            key, _, value = line.partition(mark)
            fields[key] = value.strip()
