"""Affine alignment by the moments of the tissue: no search, no rotation, and nothing that can fail.

Along each axis the centre of mass and the standard deviation of the tissue (voxels above 0) are brought to those
of the template.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LARGEST_RATIO = 2.0  # no head is twice another; a scan that says so holds something else


@dataclass(frozen=True)
class Extent:
    """Where tissue lies and how far it reaches along each axis, in mm from the middle of its grid."""

    centre: tuple[float, ...]
    spread: tuple[float, ...]  # standard deviation; 0 where there is no tissue


def measure(scan: np.ndarray, spacing_mm: tuple[float, ...]) -> Extent:
    """Centre of mass and standard deviation of the voxels above 0 of an (X, Y, Z) scan."""
    tissue = scan > 0
    centre, spread = [], []
    for axis, size in enumerate(scan.shape):
        share = tissue.sum(axis=tuple(i for i in range(3) if i != axis), dtype=np.float64)
        share = share / share.sum() if share.any() else np.full(size, 1.0 / size)
        position = (np.arange(size) - (size - 1) / 2) * spacing_mm[axis]
        mean = float(share @ position)
        centre.append(mean)
        spread.append(float(np.sqrt(share @ (position - mean) ** 2)) if tissue.any() else 0.0)
    return Extent(tuple(centre), tuple(spread))


def moments_matrix(scan: Extent, template: Extent) -> np.ndarray:
    """(4, 4) matrix from the template's millimetres to the scan's: a scaling and a shift an axis."""
    matrix = np.eye(4)
    for axis in range(3):
        ratio = _ratio(scan.spread[axis], template.spread[axis])
        matrix[axis, axis] = ratio
        matrix[axis, 3] = scan.centre[axis] - template.centre[axis] * ratio
    return matrix


def _ratio(own: float, template: float) -> float:
    if own == 0.0 or template == 0.0:
        return 1.0
    return float(np.clip(own / template, 1.0 / LARGEST_RATIO, LARGEST_RATIO))
