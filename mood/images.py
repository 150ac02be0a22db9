"""Scans from wherever they are: a path, or an image of nibabel's in memory; the next one read ahead."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import nibabel as nib
import numpy as np

from mood.errors import ScanError, UsageError
from mood.nifti_file import RE_EXPORT, spatial_shape
from mood.volume import Volume, checked, load

Image = str | Path | nib.spatialimages.SpatialImage | Volume
LARGEST_READ_AHEAD = 64 * 2**20  # bytes of a file

NAMELESS = "scan"  # what an image is called that was never a file

Scan = TypeVar("Scan")


def as_volume(image: Image) -> Volume:
    """A scan as `mood.volume.load` gives it.

    Parameters
    ----------
    image : str, pathlib.Path, nibabel image or Volume
        An image may be of any type that has an affine, in memory or on disk, its voxels of any type of number.

    Raises
    ------
    ScanError
        When it cannot be read, is not 3-D, not finite or constant.
    UsageError
        When it is something else.
    """
    if isinstance(image, Volume):
        return image
    if isinstance(image, (str, Path)):
        return load(image)
    if not isinstance(image, nib.spatialimages.SpatialImage):
        fix = "Give a path, an image of nibabel's, or what mood.load returned"
        raise UsageError(f"a scan cannot be a {type(image).__name__}", fix=fix)
    path = Path(image.get_filename() or NAMELESS)
    affine = np.eye(4) if image.affine is None else image.affine
    return checked(Volume(_voxels(image, path), affine, _header(image, affine), path))


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
