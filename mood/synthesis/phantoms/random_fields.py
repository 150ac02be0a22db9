"""Differences between subjects: smooth random fields, and warping a scan by them.

Everything is evaluated one slice along the last axis at a time, so that a field over 512^3 voxels
costs no more memory than its few control points.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.random import Generator
from scipy import ndimage

GREY_LEVELS = 512  # a step below one Hounsfield unit; finer ones only swell the files


@dataclass(frozen=True)
class SmoothField:
    """A random function of space without sharp changes: cubic splines through a few control points.

    Attributes
    ----------
    control : (P, P, P) float32 ndarray
    shape : (X, Y, Z)
        The grid it is read on; the control points span the same box.
    """

    control: np.ndarray
    shape: tuple[int, int, int]

    @cached_property
    def weights(self) -> list[np.ndarray]:
        """One matrix an axis, (voxels, P) float32."""
        eye = np.eye(len(self.control))
        return [ndimage.zoom(eye, (n / len(eye), 1), order=3, mode="nearest").astype(np.float32) for n in self.shape]

    def slice(self, k: int) -> np.ndarray:
        """Slice `k` along the last axis, (X, Y) float32."""
        along_x, along_y, along_z = self.weights
        plane = along_x @ (self.control @ along_z[k])
        return np.einsum("xp,yp->xy", plane, along_y)  # products this thin only wait for BLAS's threads


def smooth_field(shape: tuple[int, int, int], points: int, strength: float, rng: Generator) -> SmoothField:
    """Draw a smooth field; more control points along an axis make shorter waves.

    `strength` is the standard deviation at the control points.
    """
    return SmoothField(rng.normal(0.0, strength, (points, points, points)).astype(np.float32), shape)


def to_grey_levels(intensities: np.ndarray) -> np.ndarray:
    """Clip to [0, 1] and round to the `GREY_LEVELS` steps a scan is stored in."""
    return np.rint(np.clip(intensities, 0.0, 1.0) * GREY_LEVELS) / np.float32(GREY_LEVELS)


def warp(
    scan: np.ndarray,
    shape: tuple[int, int, int],
    matrix: np.ndarray,
    displacement: tuple[SmoothField, SmoothField, SmoothField],
    mode: str,
) -> np.ndarray:
    """Read a scan at smoothly displaced positions.

    Parameters
    ----------
    scan : (A, B, C) ndarray
        Its first voxel is background.
    shape : (X, Y, Z) of the result
    matrix : (3, 4) ndarray
        From voxel indices of the result to voxel indices of `scan`.
    displacement : three fields over the result's grid
        Added to the positions, in voxels of `scan`, one an axis.
    mode : str
        What lies outside the scan: "constant" for 0, "nearest" for its outermost voxels.

    Returns
    -------
    (X, Y, Z) float32 ndarray, Fortran order
    """
    warped = np.full(shape, scan[0, 0, 0], np.float32, order="F")
    spare = 2 + 1.2 * max(np.abs(field.control).max() for field in displacement)
    x_part, y_part, z_part = _reached(scan != scan[0, 0, 0], shape, matrix, spare)
    x, y = np.ogrid[x_part, y_part]
    for k in range(shape[2])[z_part]:
        positions = [
            row[0] * x + row[1] * y + row[2] * k + row[3] + field.slice(k)[x_part, y_part]
            for row, field in zip(matrix, displacement, strict=True)
        ]
        warped[x_part, y_part, k] = ndimage.map_coordinates(scan, positions, np.float32, order=1, mode=mode)
    return warped


def _reached(content: np.ndarray, shape: tuple, matrix: np.ndarray, spare: float) -> list[slice]:
    """The box of the result that shows content displaced by up to `spare` voxels: the rest is background."""
    low, high = [], []
    for axis in range(3):
        filled = np.flatnonzero(content.any(axis=tuple(i for i in range(3) if i != axis)))
        low.append(filled[0] - spare if filled[0] else -np.inf)
        high.append(filled[-1] + spare if filled[-1] + 1 < content.shape[axis] else np.inf)
    corners = np.array(np.meshgrid(*np.clip(np.stack([low, high], 1), -1e4, 1e4), indexing="ij")).reshape(3, 8)
    mapped = np.linalg.solve(matrix[:, :3], corners - matrix[:, 3:])
    first = np.clip(np.floor(mapped.min(axis=1)), 0, shape).astype(int)
    last = np.clip(np.ceil(mapped.max(axis=1)) + 1, 0, shape).astype(int)
    return [slice(int(a), int(b)) for a, b in zip(first, last, strict=True)]
