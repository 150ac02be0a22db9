"""What of a scan is background: what is found by where it lies and what it is near to, not by being exactly 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

NEAR = 0.03  # of the brightest tissue: what so little differs from background may be background
NOISIEST = 0.12  # the most that noise in the air may raise this to
CLEAN_SHARE = 0.04  # of the tissue: fewer voxels near the background than this are tissue's own dark rim
CLEAN_EDGES = 0.98  # of the array's edges: have exactly the value of a clean background
SMALLEST_SPIKE = 0.2  # of the array's edges: fewer voxels of one value are no background
SMALLEST_PIECE = 0.01  # of the largest piece of tissue; smaller ones are specks in the air
STEP = 2  # along each axis, where a sample is enough


@dataclass(frozen=True, eq=False)
class Background:
    """The background of a scan.

    Attributes
    ----------
    value : float or None
        None when the scan has none.
    dust : (X, Y, Z) bool ndarray or None
        Voxels that are background though they have another value; None when there are none.
    """

    value: float | None
    dust: np.ndarray | None = None


def find_background(data: np.ndarray) -> Background:
    """The background: the value that the array's edges have most, and what is near to it and connected to the border.

    A scan whose background has exactly one value, as a mask leaves it, keeps all its other voxels: the dark rim
    of tissue is no background.

    Parameters
    ----------
    data : (X, Y, Z) float32 ndarray, finite
    """
    edges = _edges(data)
    value, share = _spike(edges, data)
    if share < SMALLEST_SPIKE:
        return Background(None)
    sample = np.abs(data[::STEP, ::STEP, ::STEP] - np.float32(value))
    reach = _reach(sample)
    noise = float(np.percentile(np.abs(edges - value), 90))
    near = min(max(NEAR * reach, 2 * noise), NOISIEST * reach)
    tissue = int(np.count_nonzero(sample > near))
    dusty = int(np.count_nonzero((sample > 0) & (sample <= near)))
    clean = np.count_nonzero(edges == value) >= CLEAN_EDGES * edges.size and dusty <= CLEAN_SHARE * tissue
    if clean or not tissue:
        return Background(value)
    return Background(value, _outside(np.abs(data - np.float32(value)) <= near))


def _edges(data: np.ndarray) -> np.ndarray:
    """The voxels on the twelve edges of the array, which bodies reach least."""
    ends = [sorted({0, n - 1}) for n in data.shape]
    lines = [
        data[np.ix_(*(range(n) if axis == along else ends[axis] for axis, n in enumerate(data.shape)))].ravel()
        for along in range(3)
    ]
    return np.concatenate(lines)


def _spike(edges: np.ndarray, data: np.ndarray) -> tuple[float, float]:
    """The value that most voxels on the edges have, up to a hundredth of the range, and their share."""
    values, counts = np.unique(edges, return_counts=True)
    most = int(counts.argmax())
    if counts[most] >= 0.5 * edges.size:
        return float(values[most]), float(counts[most] / edges.size)
    low, high = np.percentile(data[::STEP, ::STEP, ::STEP], [0.1, 99.9])
    width = max(float(high - low) / 50, 1e-30)
    ordered = np.sort(edges)
    within = np.searchsorted(ordered, ordered + width, side="right") - np.arange(ordered.size)
    first = int(within.argmax())
    spike = ordered[first : first + within[first]]
    exact, repeats = np.unique(spike, return_counts=True)
    value = exact[repeats.argmax()] if repeats.max() > 0.3 * spike.size else np.median(spike)
    return float(value), float(spike.size / edges.size)


def _reach(distance: np.ndarray) -> float:
    """How far the brightest tissue is from the background, but for one voxel in a thousand."""
    if not (distance > 0).any():
        return 0.0
    first = float(np.percentile(distance, 99.9)) or float(distance.max())
    return float(np.percentile(distance[distance > NEAR * first], 99.9))


def _outside(near: np.ndarray) -> np.ndarray:
    """What of `near` is connected to the border, and the specks that it surrounds."""
    padded = np.pad(near, 1, constant_values=True)
    pieces, _ = ndimage.label(padded)
    outside = (pieces == pieces[0, 0, 0])[1:-1, 1:-1, 1:-1]
    tissue, count = ndimage.label(~outside)
    if count > 1:
        sizes = np.bincount(tissue.ravel())
        sizes[0] = 0
        outside |= (sizes < SMALLEST_PIECE * sizes.max())[tissue] & (tissue > 0)
    return outside
