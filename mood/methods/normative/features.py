"""What each place of a registered scan looks like to a network that was trained on natural images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mood.engines import Forward
from mood.engines.keras import batch_images
from mood.methods import in_time
from mood.methods.slices import batches, to_slices
from mood.networks.efficientnet import as_input
from mood.regions import Grid

STRIDE = 4  # of the finest features, in pixels of the enlarged slice
SIDE_MULTIPLE = 16  # of the enlarged slice
PIXELS_AT_ONCE = 8 * 256 * 256
LEFT_OUT = 8  # an eighth of the slices at either end holds no brain


@dataclass(frozen=True)
class Positions:
    """The lattice of places that features are taken at: axial slices, and every second voxel or so within them.

    Attributes
    ----------
    grid : Grid
        Of the registered scans; slices along the last axis.
    enlargement : int
        Of a slice before it is shown to the network.
    """

    grid: Grid
    enlargement: int

    @property
    def slices(self) -> slice:
        """Those of the registered scan that are looked at."""
        depth = self.grid.shape[2]
        return slice(depth // LEFT_OUT, depth - depth // LEFT_OUT)

    @property
    def shape(self) -> tuple[int, int, int]:
        x, y, _ = (-(-size * self.enlargement // STRIDE) for size in self.grid.shape)
        return x, y, self.slices.stop - self.slices.start

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        x, y, z = self.grid.spacing_mm
        return x * STRIDE / self.enlargement, y * STRIDE / self.enlargement, z

    def tissue(self, image: np.ndarray) -> np.ndarray:
        """Which positions of a registered scan hold tissue anywhere in their cell, boolean of `shape`."""
        cell = max(1, STRIDE // self.enlargement)
        inside = image[:, :, self.slices] > 0
        missing = [(0, side * cell - size) for side, size in zip(self.shape[:2], inside.shape, strict=False)]
        inside = np.pad(inside, [*missing, (0, 0)])
        return inside.reshape(self.shape[0], cell, self.shape[1], cell, self.shape[2]).max(axis=(1, 3))


def slice_features(image: np.ndarray, positions: Positions, run: Forward) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Features of the slices of a registered scan, some at a time.

    Parameters
    ----------
    image : (X, Y, Z) float32 ndarray in [0, 1]
        On the positions' grid.

    Yields
    ------
    indices : (N,) ndarray
        Of the slices among those looked at.
    features : (N, X', Y', channels) float32 ndarray
    """
    slices = to_slices(image[:, :, positions.slices], 2)
    multiple = -(-SIDE_MULTIPLE // positions.enlargement)
    missing = [(-side) % multiple for side in slices.shape[1:]]
    height, width = positions.shape[:2]
    side = positions.enlargement**2 * (slices.shape[1] + missing[0]) * (slices.shape[2] + missing[1])
    for batch in batches(np.arange(len(slices)), batch_images(max(1, PIXELS_AT_ONCE // side))):
        in_time.check()
        padded = np.pad(slices[batch], ((0, 0), (0, missing[0]), (0, missing[1])))
        yield batch, np.asarray(run(as_input(padded)))[:, :height, :width]


def features_at(
    image: np.ndarray,
    positions: Positions,
    run: Forward,
    chosen: np.ndarray,
    project: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Features of a registered scan at some positions.

    Parameters
    ----------
    chosen : (P,) ndarray of int
        Flat indices into `positions.shape`.
    project : callable
        (N, channels) float32 ndarray to (N, K).

    Returns
    -------
    (P, K) float32 ndarray
    """
    x, y, z = np.unravel_index(chosen, positions.shape)
    order = np.argsort(z, kind="stable")
    rows: list[np.ndarray] = []
    for batch, maps in slice_features(image, positions, run):
        among = order[np.searchsorted(z[order], batch[0]) : np.searchsorted(z[order], batch[-1], side="right")]
        rows.append(project(maps[z[among] - batch[0], x[among], y[among]]))
    found = np.concatenate(rows)
    result = np.empty_like(found)
    result[order] = found
    return result
