"""The same bodies as other scanners would show them: other voxels and sharpness, more noise, shading left in.

A network that has seen one scanner takes another one's look for an anomaly. Scans of many scanners are rarely at
hand, but what a lesser scanner shows can be worked out from what a better one did: smoothed by its point spread, read
at its voxels, shaded by its coil, with the noise of a magnitude image, and standardised as if it had come so. Places
are then altered in the result, as sharp as its voxels are, which a scan degraded after the alteration would not give.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from mood.conform import content_box
from mood.engines.threads import thread_count
from mood.intensities import standardised
from mood.regions import Region
from mood.synthesis.places.store import GREYS, ScanStore, stacked, to_bytes

IN_PLANE_MM, SLICE_MM = (0.85, 1.2), (0.85, 1.4)  # voxel sides
SPREAD_MM = (0.0, 0.6)  # standard deviation of the point spread
NOISE = (0.005, 0.04)  # standard deviation, of the intensity range
SHADING = 0.08  # standard deviation of each coefficient of the logarithm
SHADING_POINTS = 3  # along each axis


@dataclass(frozen=True)
class Scanner:
    """What one scanner does to every scan.

    Attributes
    ----------
    voxel_mm : three floats
        A scan that is coarser along an axis keeps its own.
    spread_mm, noise : float
    """

    voxel_mm: tuple[float, float, float]
    spread_mm: float
    noise: float

    def show(
        self, scan: np.ndarray, spacing_mm: np.ndarray, region: Region, rng: Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """A scan as this scanner gives it.

        Parameters
        ----------
        scan : (X, Y, Z) uint8 ndarray
            Standardised, 0 in air.
        spacing_mm : (3,) ndarray

        Returns
        -------
        scan : (X', Y', Z') uint8 ndarray
        steps : (3,) ndarray
            Voxels of the old scan in one of the new; the corners of both lie in the same places.
        """
        steps = np.maximum(np.asarray(self.voxel_mm) / spacing_mm, 1.0)
        shape = tuple(int(n) for n in np.maximum(np.rint(np.array(scan.shape) / steps), 1))
        sharp = np.hypot(self.spread_mm / spacing_mm, 0.35 * np.sqrt(steps**2 - 1.0))
        tissue = (scan > 0).astype(np.float32)
        # Smoothed within the tissue only: a skull-stripped scan has no air that could blur into its surface.
        weight = np.maximum(ndimage.gaussian_filter(tissue, sharp), 1e-3)
        smooth = ndimage.gaussian_filter(scan.astype(np.float32) / GREYS, sharp) / weight
        read = _read(smooth, steps, shape) * np.exp(_shading(shape, rng))
        there = _read(tissue, steps, shape) > 0.5
        real, imaginary = (rng.normal(0.0, self.noise, shape).astype(np.float32) for _ in range(2))
        bright = np.hypot(read + real, imaginary)
        image = np.where(there, np.maximum(bright / bright.max(), 1.0 / GREYS), 0.0)
        return to_bytes(standardised(image.astype(np.float32), region)), steps


def draw_scanner(rng: Generator) -> Scanner:
    """A scanner at random, the axis of its slices too."""
    voxel = [float(rng.uniform(*IN_PLANE_MM))] * 3
    voxel[int(rng.integers(3))] = float(rng.uniform(*SLICE_MM))
    return Scanner((voxel[0], voxel[1], voxel[2]), float(rng.uniform(*SPREAD_MM)), float(rng.uniform(*NOISE)))


def with_other_scanners(store: ScanStore, rows: Sequence[int], count: int, region: Region, rng: Generator) -> ScanStore:
    """The store with each of some scans once more at its end, as one of `count` scanners shows it; each is a site."""
    scanners = [draw_scanner(rng) for _ in range(count)]
    chosen = [int(row) for row in rows]
    with ThreadPoolExecutor(thread_count()) as pool:
        shown = list(
            pool.map(
                lambda i, row, own: _shown(store, row, scanners[i % count], region, own),
                range(len(chosen)), chosen, rng.spawn(len(chosen)),
            )
        )  # fmt: skip
    if not shown:
        return store
    data, spacings, affines = zip(*shown, strict=True)
    added = stacked(data, spacings, affines, [f"scanner-{i % count}" for i in range(len(chosen))])
    return _joined(store, added)


def _shown(
    store: ScanStore, row: int, scanner: Scanner, region: Region, rng: Generator
) -> tuple[np.ndarray, tuple[float, ...], np.ndarray]:
    """The new scan, its voxel sides and where it lies."""
    low, high = content_box(store.voxels[row])
    content = store.voxels[row][tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    scan, steps = scanner.show(content, store.spacing_mm[row], region, rng)
    start = np.array(low) + (steps - 1.0) / 2.0
    linear = store.to_template[row][:, :3]
    affine = np.column_stack([linear * steps, linear @ start + store.to_template[row][:, 3]])
    return scan, tuple(store.spacing_mm[row] * steps), affine


def _joined(store: ScanStore, added: ScanStore) -> ScanStore:
    """Two stores as one, in a box that both fit."""
    x, y, z = (max(sides) for sides in zip(store.box, added.box, strict=True))
    first, second = (each.roomy(len(each), (x, y, z)) for each in (store, added))
    return ScanStore(
        np.concatenate([first.voxels[: len(store)], second.voxels]),
        np.concatenate([first.spacing_mm, second.spacing_mm]),
        np.concatenate([first.middle, second.middle]),
        np.concatenate([first.to_template, second.to_template]),
        np.concatenate([first.sites, second.sites]),
    )


def _read(image: np.ndarray, steps: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """An image between its voxels, linear, from the middle of its first new voxel on."""
    return ndimage.affine_transform(image, steps, (steps - 1.0) / 2.0, output_shape=shape, order=1, mode="nearest")


def _shading(shape: tuple[int, ...], rng: Generator) -> np.ndarray:
    """The logarithm of a smooth field over a scan."""
    points = rng.normal(0.0, SHADING, (SHADING_POINTS,) * 3).astype(np.float32)
    steps = [(SHADING_POINTS - 1) / max(n - 1, 1) for n in shape]
    return ndimage.affine_transform(points, steps, output_shape=shape, order=2, mode="nearest")
