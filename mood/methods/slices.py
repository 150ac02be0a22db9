"""A scan as a stack of slices, and its content in it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def to_slices(scan: np.ndarray, axis: int) -> np.ndarray:
    """(X, Y, Z) to (N, H, W) along `axis`: a view, the other axes keep their order."""
    return np.moveaxis(scan, axis, 0)


def pad_to_multiple(slices: np.ndarray, multiple: int) -> np.ndarray:
    """Zeros below and to the right until height and width are multiples of `multiple`: (N, H, W) to (N, H', W')."""
    missing = [(-side) % multiple for side in slices.shape[1:]]
    return np.pad(slices, ((0, 0), (0, missing[0]), (0, missing[1]))) if any(missing) else slices


def filled_slices(slices: np.ndarray) -> np.ndarray:
    """Indices of the slices of (N, H, W) that hold anything but zeros."""
    return np.flatnonzero([piece.any() for piece in slices])


def batches(indices: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Consecutive pieces of at most `size` indices."""
    for start in range(0, len(indices), size):
        yield indices[start : start + size]


def fit_shape(scan: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`scan` cropped and padded with zeros around its centre to `shape`."""
    spare = [have - want for have, want in zip(scan.shape, shape, strict=True)]
    cut = scan[tuple(slice(max(0, s // 2), max(0, s // 2) + n) for s, n in zip(spare, shape, strict=True))]
    missing = [want - have for want, have in zip(shape, cut.shape, strict=True)]
    return np.pad(cut, [(m // 2, m - m // 2) for m in missing]) if any(missing) else cut
