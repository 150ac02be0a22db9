"""Where the images of a DICOM series lie, and whether they are one whole volume.

Numbers in parentheses are of https://dicom.nema.org/medical/dicom/current/output/html/part03.html.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mood.errors import ScanError
from mood.formats.dicom_series import Series
from mood.nifti_file import first_line

SAME_DIRECTION = 1e-3  # difference of direction cosines
SAME_PLACE = 0.05  # of the distance between slices
GAP = 1.5  # times that distance
TILTED = 1.0  # degrees between the normal of the slices and the line through their corners
NEAR = 0.05  # voxels, within which grids are the same


@dataclass(frozen=True, eq=False)
class Geometry:
    """Where the images of a series lie.

    Attributes
    ----------
    order : list of int
        The files from one end to the other.
    affine : (4, 4) float64 ndarray
        Column, row and slice to millimetres in RAS.
    shape : three ints
        Columns, rows, slices.
    tilt : float
        Degrees by which the slices are shifted against each other, as by the tilt of a gantry.
    """

    order: list[int]
    affine: np.ndarray
    shape: tuple[int, int, int]
    tilt: float


def locate(series: Series, source: Path) -> Geometry:
    """Where the images of a series of single slices lie (C.7.6.2), the whole of them checked.

    Raises
    ------
    ScanError
        When they are not one volume of evenly spaced slices: several orientations, places taken twice, gaps.
    """
    corners, across, down, spacing = _planes(series, source)
    normal = np.cross(across, down)
    order = np.argsort(corners @ normal, kind="stable")
    corners = corners[order]
    _check_steps(np.diff(corners @ normal), source)
    step = (corners[-1] - corners[0]) / (len(corners) - 1)
    tilt = float(np.degrees(np.arccos(np.clip(step @ normal / np.linalg.norm(step), -1, 1))))
    affine = np.eye(4)
    affine[:3] = np.stack([across * spacing[1], down * spacing[0], step, corners[0]], axis=1)
    first = series.headers[0]
    shape = (int(first.Columns), int(first.Rows), len(order))
    return Geometry([int(i) for i in order], np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine, shape, tilt)


def _planes(series: Series, source: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Corner of each image, directions of rows and columns, and distances between pixels, in millimetres and LPS."""
    if len(series.headers) < 2:
        fix = "Name a folder with all images of the series"
        raise ScanError("the series has a single image, which is no volume", where=source, fix=fix)
    try:
        planes = np.array(
            [[*h.ImageOrientationPatient, *h.PixelSpacing, h.Rows, h.Columns] for h in series.headers], float
        )
        corners = np.array([header.ImagePositionPatient for header in series.headers], float)
    except (AttributeError, TypeError, ValueError) as error:
        what = f"the images do not say where they lie ({first_line(error)})"
        raise ScanError(what, where=source, fix="Export the original images") from error
    if np.abs(planes - planes[0]).max() > SAME_DIRECTION:
        what = "the images of the series differ in orientation, size or resolution"
        raise ScanError(what, where=source, fix="Export one volume as a series of its own")
    return corners, planes[0, :3], planes[0, 3:6], planes[0, 6:8]


def _check_steps(steps: np.ndarray, source: Path) -> None:
    usual = float(np.median(steps))
    if taken := int(np.count_nonzero(steps <= SAME_PLACE * usual)):
        fix = "Export one phase, echo or direction as a series of its own"
        raise ScanError(f"images lie where others do ({taken} of {len(steps) + 1})", where=source, fix=fix)
    gaps = np.flatnonzero(steps > GAP * usual)
    if gaps.size:
        missing = int(np.rint(steps[gaps] / usual - 1).sum())
        what = f"slices are missing ({missing}, the first after slice {gaps[0] + 1} of {len(steps) + 1})"
        raise ScanError(what, where=source, fix="Export or copy the series again")
    if np.abs(steps - usual).max() > 2 * SAME_PLACE * usual:
        what = f"the distance between slices changes from {steps.min():.3g} to {steps.max():.3g} mm"
        raise ScanError(what, where=source, fix="Export the part of one slice thickness as a series of its own")


def on_frames(array: np.ndarray, affine: np.ndarray, geometry: Geometry, where: Path) -> np.ndarray:
    """An array on a volume's grid as frames of the series that it was converted from.

    Parameters
    ----------
    array : (X, Y, Z) ndarray
    affine : (4, 4) ndarray
        Its voxel indices to millimetres in RAS.
    geometry : Geometry
        Of the series.
    where : pathlib.Path
        For the message.

    Returns
    -------
    (slices, rows, columns) ndarray

    Raises
    ------
    ScanError
        When the volume's voxels are not those of the series.
    """
    between = np.linalg.inv(affine) @ geometry.affine  # column, row and slice to voxel indices
    axes = np.abs(between[:3, :3]).argmax(axis=0)
    signs = np.sign(between[axes, range(3)])
    expected = np.zeros((3, 4))
    expected[axes, range(3)] = signs
    expected[axes, 3] = [0 if sign > 0 else n - 1 for sign, n in zip(signs, geometry.shape, strict=True)]
    fits = sorted(axes) == [0, 1, 2] and array.transpose(axes).shape == geometry.shape
    corners = np.array([[*corner, 1] for corner in np.ndindex(2, 2, 2)]) * [*(n - 1 for n in geometry.shape), 1]
    if not fits or np.abs(corners @ (between[:3] - expected).T).max() > NEAR:
        fix = "Convert the series yourself, and keep the maps as NIfTI"
        raise ScanError("the voxels of the map are not those of the series", where=where, fix=fix)
    flips = tuple(slice(None, None, int(sign)) for sign in signs)
    return np.ascontiguousarray(array.transpose(axes)[flips].transpose(2, 1, 0))
