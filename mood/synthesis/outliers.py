"""Benchmark outliers: one altered sphere in a healthy scan, and its label.

`KINDS` are the five of the FPI paper (Tan et al. 2020, arXiv 2011.04197, the authors' notebook),
`HARDER_KINDS` three that resemble disease. They measure a method and never train one.
`draw_outlier` decides everything at random, `plant_outlier` only carries it out:

    outlier = draw_outlier("sink_source", scan, np.random.default_rng(0))
    planted, label = plant_outlier(scan, outlier)

Where the paper leaves a choice:

- The centre lies in the middle half of the *content's* bounding box and on tissue (above 0), so that
  neither a padded nor a cropped scan gets an outlier in the background.
- The additive kinds leave voxels of exactly 0 alone: the air around a skull-stripped brain stays air.
- The label holds the sphere's voxels that are tissue or have changed. The paper labels the whole
  sphere; air that stays air shows nothing, and no method could be right about it.
- The intensity range runs from the scan's minimum to the 99th percentile of its tissue, so that one
  bright voxel (an implant, a vessel) does not decide how visible an outlier is.
- Where a change fades out towards the surface (the harder kinds), the label ends where it can hardly be
  seen any more, at the change's `visible_share` of the radius.
- An offset whose drawn sign would push the sphere's mean out of [0, 1] takes the other sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mood.errors import ScanError, UsageError
from mood.synthesis.disease_kinds import HARDER_KINDS
from mood.synthesis.outlier_kinds import KINDS, Change, Sphere

__all__ = ["ALL_KINDS", "HARDER_KINDS", "KINDS", "Outlier", "draw_centre", "draw_outlier", "plant_outlier"]

ALL_KINDS = KINDS | HARDER_KINDS


@dataclass(frozen=True)
class Outlier:
    """One outlier, fully decided: which kind, where, and with what parameters."""

    kind: str
    sphere: Sphere
    change: Change


def draw_outlier(
    kind: str,
    scan: np.ndarray,
    rng: np.random.Generator,
    side: float | None = None,
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Outlier:
    """Decide place, size and strength of an outlier at random.

    Parameters
    ----------
    kind : str
        A key of `ALL_KINDS`.
    scan : (X, Y, Z) float32 ndarray in [0, 1]
    rng : numpy.random.Generator
    side : float, optional
        Length that radii and shifts are shares of, in the unit of `spacing_mm`. The scan's longest
        axis when not given: the paper's cubic frame has only one length.
    spacing_mm : three floats
        Voxel size; makes the sphere round in millimetres.

    Raises
    ------
    UsageError
        When there is no such kind.
    ScanError
        When nothing in the scan is above 0.
    """
    if kind not in ALL_KINDS:
        raise UsageError(f"unknown kind of outlier '{kind}'", fix=f"Choose from: {', '.join(ALL_KINDS)}")
    extent = max(n * mm for n, mm in zip(scan.shape, spacing_mm, strict=True)) if side is None else side
    sides = extent / np.array(spacing_mm)
    x, y, z = (float(r) for r in rng.uniform(*ALL_KINDS[kind].radius_share) * sides)
    sphere = Sphere(draw_centre(scan, rng), (x, y, z))
    return Outlier(kind, sphere, ALL_KINDS[kind].draw(scan, sphere, sides, rng))


def plant_outlier(scan: np.ndarray, outlier: Outlier) -> tuple[np.ndarray, np.ndarray]:
    """Alter a healthy scan as `outlier` says.

    Parameters
    ----------
    scan : (X, Y, Z) float32 ndarray in [0, 1]
        Stays as it is.

    Returns
    -------
    planted : (X, Y, Z) float32 ndarray in [0, 1]
        Equal to `scan` outside the sphere.
    label : (X, Y, Z) uint8 ndarray
        1 where the sphere, as far as the change is visible, holds tissue or has changed the scan.
    """
    planted, label = scan.astype(np.float32), np.zeros_like(scan, dtype=np.uint8)
    voxels = outlier.sphere.voxels(scan.shape)
    before, at = planted[tuple(voxels)], tuple(voxels)
    after = np.clip(outlier.change.apply(planted, outlier.sphere, voxels), 0.0, 1.0).astype(np.float32)
    visible = outlier.sphere.distance(voxels) < outlier.change.visible_share
    planted[at], label[at] = after, visible & ((before > 0) | (after != before))
    return planted, label


def draw_centre(scan: np.ndarray, rng: np.random.Generator) -> tuple[int, int, int]:
    """A tissue voxel in the middle half of the content's bounding box.

    Where that middle holds no tissue (a hollow content), any tissue voxel.

    Raises
    ------
    ScanError
        When nothing in the scan is above 0.
    """
    tissue = scan > 0
    low, middle = [], []
    for axis in range(3):
        filled = np.flatnonzero(tissue.any(axis=tuple(i for i in range(3) if i != axis)))
        if filled.size == 0:
            raise ScanError("no voxel of the scan is above 0", fix="Leave this scan out: it shows nothing")
        quarter = (filled[-1] - filled[0]) // 4
        low.append(int(filled[0] + quarter))
        middle.append(slice(low[-1], int(filled[-1] - quarter) + 1))
    inner = tissue[tuple(middle)]
    if not inner.any():
        low, inner = [0, 0, 0], tissue
    places = np.flatnonzero(inner)
    x, y, z = np.unravel_index(places[rng.integers(places.size)], inner.shape)
    return int(x) + low[0], int(y) + low[1], int(z) + low[2]
