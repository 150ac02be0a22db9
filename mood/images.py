"""Scans from wherever they are: paths, images of nibabel's in memory; what a file was; the next one read ahead."""

from __future__ import annotations

import hashlib
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import nibabel as nib
import numpy as np

from mood.atomic import check_writable
from mood.errors import ScanError, UsageError
from mood.formats import dicom_series, dicom_volume
from mood.formats.member_volumes import member_path
from mood.nifti_file import RE_EXPORT, READ_SUFFIXES, scan_name, spatial_shape
from mood.volume import Volume, checked, find_scans, load, output_paths

Image = str | Path | nib.spatialimages.SpatialImage | Volume
LARGEST_READ_AHEAD = 64 * 2**20  # bytes of a file

NAMELESS = "scan"  # what an image is called that was never a file

Scan = TypeVar("Scan")


def as_volume(image: Image, modality: str | None = None) -> Volume:
    """A scan as `mood.volume.load` gives it, and a DICOM series too.

    Parameters
    ----------
    image : str, pathlib.Path, nibabel image or Volume
        An image may be of any type that has an affine, in memory or on disk, its voxels of any type of number.
    modality : str, optional
        That a DICOM series has to be of.

    Raises
    ------
    ScanError
        When it cannot be read, is not 3-D, not finite or constant.
    UsageError
        When it is something else, or several DICOM series.
    """
    if isinstance(image, Volume):
        return image
    if isinstance(image, (str, Path)):
        return _read(Path(image), modality)
    if not isinstance(image, nib.spatialimages.SpatialImage):
        fix = "Give a path, an image of nibabel's, or what mood.load returned"
        raise UsageError(f"a scan cannot be a {type(image).__name__}", fix=fix)
    path = Path(image.get_filename() or NAMELESS)
    affine = np.eye(4) if image.affine is None else image.affine
    return checked(Volume(_voxels(image, path), affine, _header(image, affine), path))


def _read(path: Path, modality: str | None) -> Volume:
    if path.name.lower().endswith(READ_SUFFIXES) or not dicom_series.is_dicom(path):
        return load(path)
    with dicom_volume.opened(path, Path(tempfile.gettempdir()), modality) as found:
        return load(found.path)


def _voxels(image: nib.spatialimages.SpatialImage, path: Path) -> np.ndarray:
    shape = spatial_shape(image.shape, path)
    if image.get_data_dtype().kind not in "iufb":
        raise ScanError(f"voxels are of type {image.get_data_dtype()}", where=path, fix="Save one number a voxel")
    try:
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite and is reported as such
            return np.asarray(image.dataobj, np.float32).reshape(shape)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ScanError(f"the image cannot be read ({error})", where=path, fix=RE_EXPORT) from error


def _header(image: nib.spatialimages.SpatialImage, affine: np.ndarray) -> nib.Nifti1Header:
    """The image's own header, or one for a map of it when it is no NIfTI."""
    if isinstance(image, nib.Nifti1Image):
        return image.header
    blank = np.broadcast_to(np.uint8(0), spatial_shape(image.shape, Path(NAMELESS)))
    return nib.Nifti1Image(blank, affine).header


def scans_to_score(source: Path, target: Path, *, challenge: bool = False) -> list[Path]:
    """The scans of a folder, or one; checked before anything is written, and the output folder made after that.

    Parameters
    ----------
    source, target : pathlib.Path
        Folders, or one scan and a folder.
    challenge : bool
        Every .nii.gz is a scan, labels too.

    Raises
    ------
    NoInputError, OutputError, UsageError
    """
    paths = find_scans(source, with_labels=challenge)
    by_name: dict[str, list[Path]] = {}
    for path in paths:
        by_name.setdefault(scan_name(path), []).append(path)
    if challenge:  # an output for every .nii.gz
        paths = [min(twins, key=lambda path: not path.name.endswith(".nii.gz")) for twins in by_name.values()]
    elif twins := sorted(name for name, of in by_name.items() if len(of) > 1):
        fix = "Keep one of NAME.nii and NAME.nii.gz"
        raise UsageError(f"two scans would write the same outputs ({', '.join(twins)})", where=source, fix=fix)
    outputs = [output_paths(target, path) for path in paths]
    check_apart(paths, [each for of in outputs for each in (*of.values(), member_path(of["pixel"]))], target)
    check_writable(target)
    return paths


def check_apart(inputs: Iterable[Path], outputs: Iterable[Path], folder: Path) -> None:
    """See that no output would replace an input, by whatever link or mount it is the same file or folder.

    Parameters
    ----------
    inputs, outputs : iterable of pathlib.Path
    folder : pathlib.Path
        Of the outputs.

    Raises
    ------
    UsageError
        When one would.
    """
    inputs = list(inputs)
    if found := _same_as_one(folder, _by_identity({path.parent for path in inputs})):
        fix = "Name another output folder: maps are called like their scans"
        raise UsageError("the output folder is the input folder", where=found, fix=fix)
    files = _by_identity(inputs)
    for path in outputs:
        if found := _same_as_one(path, files):
            fix = "Name another output folder, or remove what links the two"
            raise UsageError(f"the output {path} is the input itself", where=found, fix=fix)


def _by_identity(paths: Iterable[Path]) -> dict[tuple[int, int], Path]:
    return {identity: path for path in paths if (identity := _identity(path))}


def _same_as_one(path: Path, known: dict[tuple[int, int], Path]) -> Path | None:
    identity = _identity(path)
    return known.get(identity) if identity else None


def _identity(path: Path) -> tuple[int, int] | None:
    """What is one for a file or folder by all of its names and mounts; None for what is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def read_ahead(
    paths: list[Path], read: Callable[[Path], Scan], reader: ThreadPoolExecutor, largest: int = LARGEST_READ_AHEAD
) -> Iterator[tuple[Path, Future[Scan]]]:
    """Each path with its scan, the next one being read meanwhile.

    Parameters
    ----------
    paths : list of pathlib.Path
    read : callable
        What makes a scan of a path.
    reader : ThreadPoolExecutor
        What it runs on.
    largest : int
        Bytes of a file; larger ones are not read ahead, for memory matters more.
    """
    ahead: Future[Scan] | None = None
    for path, following in zip(paths, [*paths, None][1:], strict=True):
        scan = ahead or reader.submit(read, path)
        ahead = reader.submit(read, following) if following is not None and _is_at_most(largest, following) else None
        yield path, scan


def _is_at_most(largest: int, path: Path) -> bool:
    try:
        return path.stat().st_size <= largest
    except OSError:  # reading it will tell why
        return False


@dataclass(frozen=True)
class Fingerprint:
    """What an input file was when it was read."""

    size: int  # bytes
    modified_ns: int
    sha256: str | None = None

    @classmethod
    def of(cls, path: Path, *, with_hash: bool = True) -> Self:
        """That of a file; `OSError` when it cannot be read."""
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns, _sha256(path) if with_hash else None)

    def fits(self, path: Path) -> bool:
        """Whether a file is still the same; its content is looked at only where it has another date."""
        try:
            now = Fingerprint.of(path, with_hash=False)
            if now.size != self.size:
                return False
            return now.modified_ns == self.modified_ns or (self.sha256 is not None and _sha256(path) == self.sha256)
        except OSError:
            return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
