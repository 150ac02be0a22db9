"""Healthy brains: one real T1 template, warped, brightened and shaded into different subjects."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy.spatial.transform import Rotation

from mood.regions import Grid
from mood.synthesis.phantoms.random_fields import smooth_field, to_grey_levels, warp

DARKEST_TISSUE = 0.06  # of the template's maximum: below lies only the blurred rim of the brain
SIZE_SPREAD = 0.05  # relative, standard deviation an axis: adult heads
TILT_DEGREES = 2.0  # standard deviation
FOLDING_MM = 2.5  # standard deviation of the displacement's control points
FOLDING_WAVE_MM = 28.0  # distance between those
NOISE = 0.015  # of the brightest tissue, standard deviation


def draw_brain(template: np.ndarray, template_mm: float, grid: Grid, rng: Generator) -> np.ndarray:
    """One subject: the template's anatomy with a size, a shape and a contrast of its own.

    Parameters
    ----------
    template : (A, B, C) ndarray
        Skull-stripped T1 with RAS axes and background 0.
    template_mm : float
        Its voxel size.
    grid : Grid
        Where the subject is sampled; the brain lies in its middle.

    Returns
    -------
    (X, Y, Z) float32 ndarray in [0, 1], background exactly 0
    """
    extent_mm = max(n * mm for n, mm in zip(grid.shape, grid.spacing_mm, strict=True))
    points = max(4, round(extent_mm / FOLDING_WAVE_MM))
    x, y, z = (smooth_field(grid.shape, points, FOLDING_MM / template_mm, rng) for _ in range(3))
    matrix = _pose(template, template_mm, grid, rng)
    brain = warp(template, grid.shape, matrix, (x, y, z), mode="constant") / np.float32(template.max())
    return _contrast(brain, rng)


def _pose(template: np.ndarray, template_mm: float, grid: Grid, rng: Generator) -> np.ndarray:
    """From the subject's voxels to the template's: centre to centre, a small tilt, a size an axis."""
    tilt = Rotation.from_euler("xyz", rng.normal(0.0, TILT_DEGREES, 3), degrees=True).as_matrix()
    size = np.clip(rng.normal(1.0, SIZE_SPREAD, 3), 0.85, 1.15)
    linear = tilt @ np.diag(np.array(grid.spacing_mm) / size / template_mm)
    tissue = np.argwhere(template[::2, ::2, ::2] > 0) * 2
    middle = (tissue.min(axis=0) + tissue.max(axis=0)) / 2
    return np.column_stack([linear, middle - linear @ ((np.array(grid.shape) - 1) / 2)])


def _contrast(brain: np.ndarray, rng: Generator) -> np.ndarray:
    """Another scanner: gamma, coil shading and noise, tissue only."""
    gamma = rng.uniform(0.85, 1.25)
    shading = smooth_field(brain.shape, 4, 0.06, rng)
    for k in range(brain.shape[2]):
        plane = brain[:, :, k]
        tissue = plane > DARKEST_TISSUE
        bright = plane[tissue] ** gamma * (0.92 + shading.slice(k)[tissue])
        bright += rng.normal(0.0, NOISE, bright.size)
        plane[...] = 0.0
        plane[tissue] = to_grey_levels(np.maximum(bright, 0.01))
    return brain
