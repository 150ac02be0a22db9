"""From a DICOM series to a NIfTI volume, by dcm2niix."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mood.atomic import private_folder
from mood.errors import ScanError, UsageError
from mood.formats import dicom_series
from mood.formats.dicom_geometry import TILTED, Geometry, locate
from mood.formats.dicom_series import Series

log = logging.getLogger(__name__)

STRAIGHTENED = "_Tilt"  # in the name of what dcm2niix makes of a tilted series


@dataclass(frozen=True, eq=False)
class OpenedSeries:
    """A series, and the volume that it became.

    Attributes
    ----------
    series : Series
    geometry : Geometry or None
        None for files of many frames.
    path : pathlib.Path
        A NIfTI file called like what the user named.
    straightened : bool
        Whether slices were shifted back against the tilt of a gantry, so that the volume's grid is not the series'.
    """

    series: Series
    geometry: Geometry | None
    path: Path
    straightened: bool


@contextmanager
def opened(source: Path, target: Path, modality: str | None, wanted: str | None = None) -> Iterator[OpenedSeries]:
    """A DICOM series as a NIfTI file, which goes when the block ends.

    Parameters
    ----------
    source : pathlib.Path
        A folder, a zip archive, or one file of many frames.
    target : pathlib.Path
        The volume is kept in a private folder in there.
    modality : str, optional
        What the region takes: "CT" or "MR"; None where any will do.
    wanted : str, optional
        Number or UID of the series, where there are several.

    Raises
    ------
    UsageError
        When DICOM cannot be read here, several series are there and none is named, or one is of another modality.
    NoInputError
        When there is no image.
    ScanError
        When the series is not one whole volume, or cannot be converted.
    """
    dicom_series.require()
    with private_folder(target) as folder:
        unpacked = source
        if source.suffix.lower() == dicom_series.ARCHIVE and source.is_file():
            unpacked = folder / "archive"
            dicom_series.unpack(source, unpacked)
        found = dicom_series.find_series(unpacked, source)
        series = dicom_series.choose(found, wanted, source)
        _check_modality(series, modality, source)
        geometry = None if series.many_frames else locate(series, source)
        name = source.stem if source.is_file() else source.resolve().name
        path, straightened = _converted(series, folder, name if len(found) == 1 else f"{name}_series-{wanted}", source)
        if geometry is not None and geometry.tilt > TILTED:
            _tell_tilt(geometry, straightened, source)
        yield OpenedSeries(series, geometry, path, straightened)


def _check_modality(series: Series, modality: str | None, source: Path) -> None:
    if modality is not None and series.modality != modality:
        what = f"the series is {series.modality or 'of no stated modality'}, and the region takes {modality}"
        raise UsageError(what, where=source, fix="Name another series or another --region")


def _tell_tilt(geometry: Geometry, straightened: bool, source: Path) -> None:
    what = f"the gantry was tilted: slices are shifted against each other by {geometry.tilt:.1f} degrees"
    if not straightened:
        fix = "Straighten it with the scanner's software"
        raise ScanError(f"{what}, and the headers do not say so", where=source, fix=fix)
    log.warning("%s: %s; they were shifted back", source, what)


def _converted(series: Series, folder: Path, name: str, source: Path) -> tuple[Path, bool]:
    """The NIfTI file that a series becomes, and whether slices were shifted."""
    import dcm2niix

    images, volumes = folder / "images", folder / "volumes"
    images.mkdir()
    volumes.mkdir()
    for number, path in enumerate(series.files):
        (images / f"{number:06d}.dcm").symlink_to(path.resolve())
    command = [dcm2niix.bin, "-g", "i", "-b", "n", "-z", "n", "-f", "volume", "-o", str(volumes), str(images)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    found = sorted(volumes.glob("*.nii"))
    straight = [path for path in found if STRAIGHTENED in path.name]
    kept = straight or found
    if len(kept) != 1:
        last = (done.stdout.strip() or done.stderr.strip() or "no output").splitlines()[-1]
        what = f"dcm2niix makes {len(kept)} volumes of the series ({last})"
        raise ScanError(what, where=source, fix="Convert it to NIfTI yourself, and name the one to score")
    return kept[0].rename(folder / f"{name}.nii"), bool(straight)
