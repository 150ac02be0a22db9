"""DICOM series: what a folder or an archive holds. Only headers are read here."""

from __future__ import annotations

import importlib.util
import logging
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mood.errors import NoInputError, ScanError, UsageError
from mood.formats import bids
from mood.installation import advice
from mood.nifti_file import SUFFIXES, first_line

log = logging.getLogger(__name__)

PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"  # SOP class of what --dicom-out leaves, perhaps beside the series
MAGIC, MAGIC_AT = b"DICM", 128
ARCHIVE = ".zip"
TAGS = (
    "SOPClassUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "Modality", "ImageType", "Rows", "Columns",
    "NumberOfFrames", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Series:
    """The images of one series.

    Attributes
    ----------
    uid, number, description, modality : str
        Empty where the files do not say it.
    files : list of pathlib.Path
    headers : list of pydicom.Dataset
        What was read of each file.
    """

    uid: str
    number: str
    description: str
    modality: str
    files: list[Path]
    headers: list[Any]

    def __str__(self) -> str:
        title = f", '{self.description}'" if self.description else ""
        return f"{self.number or '?'} ({self.modality or 'no modality'}{title}, {len(self.files)} images, {self.uid})"

    @property
    def many_frames(self) -> bool:
        """Whether one file holds many slices, as the enhanced kinds of DICOM do."""
        return any(int(header.get("NumberOfFrames") or 1) > 1 for header in self.headers)


def require() -> None:
    """`UsageError` where what reads DICOM is not installed."""
    if not all(map(importlib.util.find_spec, ("dcm2niix", "highdicom", "pydicom"))):
        raise UsageError("what reads DICOM is not installed", fix=advice("dicom"))


def is_dicom(source: Path) -> bool:
    """Whether a folder, archive or file is to be read as DICOM; not one with NIfTI files, or of BIDS."""
    if source.is_file():
        return source.suffix.lower() == ARCHIVE or _has_magic(source)
    if not source.is_dir() or bids.is_data_set(source):
        return False
    if any(path.name.lower().endswith(SUFFIXES) for path in source.iterdir()):
        return False
    return any(map(_has_magic, _files(source)))


def _has_magic(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(MAGIC_AT)
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive; `ScanError` when it is damaged or locked."""
    try:
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folder)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        what = f"the archive cannot be unpacked ({first_line(error)})"
        raise ScanError(what, where=archive, fix="Unpack it yourself, and name the folder") from error


def find_series(folder: Path, source: Path) -> list[Series]:
    """The series of images in a folder and those below it, without scouts; what is left out is named in the log.

    Parameters
    ----------
    folder : pathlib.Path
    source : pathlib.Path
        What the user named, for messages.

    Raises
    ------
    NoInputError
        When there is no image.
    """
    found: dict[str, list[tuple[Path, Any]]] = {}
    for path, header in _headers([folder] if folder.is_file() else _files(folder)):
        found.setdefault(str(header.get("SeriesInstanceUID", "")), []).append((path, header))
    series = [_series(uid, members) for uid, members in found.items()]
    images = [one for one in series if not _left_out(one)]
    told = "; ".join(str(one) for one in series if one not in images)
    if not images:
        what = f"there is no DICOM image of a body ({told or 'no DICOM file at all'})"
        raise NoInputError(what, where=source, fix="Name the folder of one CT or MR series")
    if told:
        log.warning("%s: left out, being scouts or no images: %s", source, told)
    return sorted(images, key=lambda one: (len(one.number), one.number, one.uid))


def _headers(paths: Iterator[Path] | list[Path]) -> Iterator[tuple[Path, Any]]:
    import pydicom

    for path in paths:
        if _has_magic(path):
            try:
                yield path, pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(TAGS))
            except Exception as error:  # damaged files fail in as many ways as there are
                log.warning("%s: left out, for it cannot be read (%s)", path, first_line(error))


def _series(uid: str, members: list[tuple[Path, Any]]) -> Series:
    first = members[0][1]
    number, description, modality = (
        str(first.get(name) or "").strip() for name in ("SeriesNumber", "SeriesDescription", "Modality")
    )
    return Series(uid, number, description, modality, [path for path, _ in members], [header for _, header in members])


def _left_out(series: Series) -> bool:
    first = series.headers[0]
    is_scout = "LOCALIZER" in [str(word).upper() for word in first.get("ImageType") or ()]
    is_made = first.get("SOPClassUID") == PARAMETRIC_MAP or series.modality in ("SEG", "RTDOSE", "KO", "PR", "SR")
    return is_scout or is_made or not first.get("Rows")


def choose(series: Sequence[Series], wanted: str | None, source: Path) -> Series:
    """The series that was asked for, or the only one.

    Parameters
    ----------
    series : sequence of Series
    wanted : str, optional
        Its number, or its UID or the end of it.
    source : pathlib.Path
        For messages.

    Raises
    ------
    UsageError
        When there are several and none, or no single one of them, was asked for.
    """
    if wanted is None and len(series) == 1:
        return series[0]
    fitting = [one for one in series if wanted and (one.number == wanted or one.uid.endswith(wanted))]
    if len(fitting) == 1:
        return fitting[0]
    which = f"{len(fitting)} of them are called {wanted}" if wanted else "one has to be named"
    listed = "; ".join(map(str, series))
    numbers = [one.number for one in series]
    unique = next((number for number in numbers if number and numbers.count(number) == 1), series[0].uid)
    fix = f"Give --series with a number, or the end of a UID, such as --series {unique}, or a folder with one alone"
    raise UsageError(f"there are {len(series)} series, and {which}: {listed}", where=source, fix=fix)
