"""What is usual at each position of the template, and how far from it a scan lies there.

Defard et al. 2021 (PaDiM, arXiv 2011.08785) with a covariance a neighbourhood instead of one a position: there are
fewer scans than features.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

BLOCK = (8, 8, 4)  # positions that share a covariance
OWN_SHARE, GLOBAL_SHARE, TRACE_SHARE = 0.85, 0.15, 0.001  # of a neighbourhood's covariance
MEAN_VARIANCE_SHARE = 0.1  # added to each position's own variance
NEAR = 2  # positions along each axis that a scan may be out of place by
SMALLEST = 1e-6
SMALLEST_VARIANCE = 1e-3  # added to a covariance's diagonal; features are of the order of 1


@dataclass(frozen=True, eq=False)
class Lattice:
    """The positions that are looked at, block by block.

    Attributes
    ----------
    chosen : (P,) ndarray of int
        Flat indices into `shape`, those of a block together.
    starts : (B + 1,) ndarray of int
        Where each block begins in `chosen`.
    neighbours : (6, P) ndarray of int
        Index in `chosen` of the position `NEAR` steps away along each axis, its own where there is none.
    """

    shape: tuple[int, int, int]
    chosen: np.ndarray
    starts: np.ndarray
    neighbours: np.ndarray

    def blocks(self) -> Iterator[tuple[int, slice]]:
        """Number and range in `chosen` of each block."""
        for number, (start, stop) in enumerate(zip(self.starts[:-1], self.starts[1:], strict=True)):
            yield number, slice(int(start), int(stop))

    def on_grid(self, values: np.ndarray) -> np.ndarray:
        """(P,) values at their places in an array of `shape`, 0 elsewhere."""
        image = np.zeros(self.shape, np.float32)
        image.ravel()[self.chosen] = values
        return image


def lattice(tissue: np.ndarray) -> Lattice:
    """The positions where `tissue`, a boolean array, is true."""
    flat = np.flatnonzero(tissue)
    places = np.unravel_index(flat, tissue.shape)
    counts = [-(-size // step) for size, step in zip(tissue.shape, BLOCK, strict=True)]
    block = np.ravel_multi_index([place // step for place, step in zip(places, BLOCK, strict=True)], counts)
    order = np.argsort(block, kind="stable")
    chosen = flat[order]
    _, sizes = np.unique(block, return_counts=True)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    index = np.full(tissue.shape, -1)
    index.ravel()[chosen] = np.arange(len(chosen))
    own = np.arange(len(chosen))
    neighbours = [_moved(index, chosen, axis, step, own) for axis in range(3) for step in (-NEAR, NEAR)]
    return Lattice(tissue.shape, chosen, starts, np.array(neighbours))


def _moved(index: np.ndarray, chosen: np.ndarray, axis: int, step: int, own: np.ndarray) -> np.ndarray:
    places = list(np.unravel_index(chosen, index.shape))
    places[axis] = np.clip(places[axis] + step, 0, index.shape[axis] - 1)
    found = index[tuple(places)]
    return np.where(found >= 0, found, own)


@dataclass(eq=False)
class Sums:
    """Running sums over scans: of the features a position, of their products a block."""

    count: int
    first: np.ndarray  # (P, K) float32
    squares: np.ndarray  # (P, K) float32
    products: np.ndarray  # (B, K, K) float64

    @classmethod
    def empty(cls, places: Lattice, components: int) -> Sums:
        positions, blocks = len(places.chosen), len(places.starts) - 1
        first, squares = (np.zeros((positions, components), np.float32) for _ in range(2))
        return cls(0, first, squares, np.zeros((blocks, components, components)))

    def add(self, features: np.ndarray, places: Lattice) -> None:
        self.count += 1
        self.first += features
        self.squares += features**2
        for number, block in places.blocks():
            rows = features[block].astype(np.float64)
            self.products[number] += rows.T @ rows

    def without(self, other: Sums) -> Sums:
        """These sums less some that they hold; these themselves where nothing would be left."""
        if self.count == other.count:
            return self
        parts = ((getattr(self, name) - getattr(other, name)) for name in ("first", "squares", "products"))
        return Sums(self.count - other.count, *parts)


@dataclass(frozen=True, eq=False)
class Usual:
    """What is usual at each position.

    Attributes
    ----------
    mean, variance : (P, K) float32 ndarray
    whitening : (B, K, K) float32 ndarray
        Of each block; lower triangular. Rows of features less their mean, times its transpose, have unit covariance.
    """

    mean: np.ndarray
    variance: np.ndarray
    whitening: np.ndarray

    @classmethod
    def of(cls, sums: Sums, places: Lattice) -> Usual:
        mean = sums.first / max(sums.count, 1)
        variance = np.maximum(sums.squares / max(sums.count, 1) - mean**2, 0)
        covariances = np.zeros_like(sums.products)
        for number, block in places.blocks():
            rows, size = mean[block].astype(np.float64), sums.count * (block.stop - block.start)
            covariances[number] = (sums.products[number] - sums.count * rows.T @ rows) / max(size, 1)
        return cls(mean, variance, _whitening(covariances, np.diff(places.starts)))

    def near(self, features: np.ndarray, places: Lattice) -> np.ndarray:
        """Mahalanobis distance from the mean, the least over a position and those around it, (P,) float32."""
        distances = np.empty(len(features), np.float32)
        for number, block in places.blocks():
            whitening = self.whitening[number].T
            own = features[block]
            candidates = [self.mean[block], *(self.mean[moved[block]] for moved in places.neighbours)]
            squared = [np.square((own - mean) @ whitening).sum(axis=1) for mean in candidates]
            distances[block] = np.sqrt(np.min(squared, axis=0))
        return distances

    def diag(self, features: np.ndarray) -> np.ndarray:
        """Root of the mean squared difference in standard deviations of each position itself, (P,) float32."""
        floor = MEAN_VARIANCE_SHARE * self.variance.mean(axis=0) + SMALLEST if len(features) else np.float32(SMALLEST)
        return np.sqrt(np.mean(np.square(features - self.mean) / (self.variance + floor), axis=1))


def _whitening(covariances: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Inverse Cholesky factors of covariances drawn towards their mean over all positions."""
    if not len(covariances):
        return covariances.astype(np.float32)
    overall = np.average(covariances, axis=0, weights=sizes)
    components = len(overall)
    drawn = OWN_SHARE * covariances + GLOBAL_SHARE * overall
    trace = np.trace(drawn, axis1=1, axis2=2)[:, None, None] / components
    drawn += (TRACE_SHARE * trace + SMALLEST_VARIANCE) * np.eye(components)
    return np.linalg.inv(np.linalg.cholesky(drawn)).astype(np.float32)
