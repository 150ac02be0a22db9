"""Is a scan an abdominal CT?

A trunk is told from a head or a limb by its cross-section, an abdomen from a chest by the gas in it, and CT from MR
by the fat under the skin: in a CT it is darker than what lies deeper, in most MR brighter.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from mood.methods.fit.verdict import Fit, Limit, held_against
from mood.regions import Grid, Region

AIR = 0.02  # of the window, and below
SKIN_MM, SHELL_MM, DEEP_MM = 6.0, 14.0, 40.0  # below the surface: where skin ends, fat still is, and no fat is
PLUS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)[:, :, None]  # a voxel's neighbours in its axial slice
MUSCLE, FAT = (0.35, 0.65), (0.05, 0.25)  # of the window: -20 to 100 HU, -140 to -60 HU

LIMITS = (
    Limit("voxel_mm", "its voxels are too coarse", "{:.3g} mm", high=10.0),
    Limit("section_cm2", "too slender for a trunk: a head, a limb or a child", "cross-section {:.0f} cm2", 270.0),
    Limit("height_mm", "a slab", "{:.0f} mm of body from bottom to top", 50.0),
    Limit("gas", "a chest", "{:.0%} of the body is gas", high=0.16),
    Limit("known_density", "not CT", "{:.0%} of the body is as dense as soft tissue or fat", 0.55),
    Limit("shell", "fat under the skin is brighter than what lies deeper: MR", "by {:.2f} of the window", high=0.0),
)


def check_abdomen(scan: np.ndarray, grid: Grid, spacing_mm: tuple[float, ...], region: Region) -> Fit:
    """Look at a scan.

    Parameters
    ----------
    scan : (X, Y, Z) float32 ndarray in [0, 1]
        On `grid`, the region's window from 0 to 1.
    spacing_mm : three floats
        Of the scan's own voxels.
    """
    figures = {"voxel_mm": max(spacing_mm)} | measure_body(scan, grid.spacing_mm)
    return Fit(held_against(LIMITS, figures), figures)


def measure_body(scan: np.ndarray, spacing_mm: tuple[float, ...]) -> dict[str, float]:
    """Figures of the largest thing in a scan, its holes included: section, height, and shares of what is in it."""
    body = _body(scan)
    slices = np.flatnonzero(body.any(axis=(0, 1)))
    if not slices.size:
        return {"section_cm2": 0.0, "height_mm": 0.0}
    sections = np.count_nonzero(body, axis=(0, 1))[slices] * spacing_mm[0] * spacing_mm[1] / 100
    gas = [float(np.mean(scan[:, :, at][body[:, :, at]] <= AIR)) for at in slices]
    solid = scan[body & (scan > AIR)]
    known = [np.count_nonzero((solid >= low) & (solid <= high)) for low, high in (MUSCLE, FAT)]
    return {
        "section_cm2": float(np.median(sections)),
        "height_mm": float(slices.size * spacing_mm[2]),
        "gas": float(np.median(gas)),
        "known_density": float(sum(known) / max(solid.size, 1)),
        "shell": _shell(scan, body, spacing_mm),
    }


def _body(scan: np.ndarray) -> np.ndarray:
    """The largest connected thing that is not air, with what it encloses in axial slices."""
    pieces, count = ndimage.label(ndimage.binary_opening(scan > AIR))
    if not count:
        return np.zeros(scan.shape, bool)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    largest = pieces == sizes.argmax()
    filled = [ndimage.binary_fill_holes(largest[:, :, at]) for at in range(largest.shape[2])]
    return np.stack(filled, axis=2)


def _shell(scan: np.ndarray, body: np.ndarray, spacing_mm: tuple[float, ...]) -> float:
    """How much brighter the layer under the skin is than what lies deeper."""
    skin, shell, deep = (_shrunk(body, round(mm / spacing_mm[0])) for mm in (SKIN_MM, SHELL_MM, DEEP_MM))
    layer, deeper = skin & ~shell, deep & (scan > AIR)
    if not layer.any() or not deeper.any():
        return 0.0
    return float(np.median(scan[layer]) - np.median(scan[deeper]))


def _shrunk(body: np.ndarray, voxels: int) -> np.ndarray:
    """Without its outermost voxels within axial slices: a slab is cut off above and below."""
    return ndimage.binary_erosion(body, PLUS, iterations=voxels)
