"""Intensity atlas: how far each voxel lies from the mean of healthy scans. A baseline, not a method to rely on.

Scans are centred on the grid, not registered; the map is |z| / (|z| + 3), z the distance in standard
deviations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from mood.methods.base import Method, Settings, finite
from mood.regions import Region

HALF_SCORE_Z = 3.0  # standard deviations that score 0.5
SMALLEST_DEVIATION = 0.02  # of the intensity range; a voxel that never varied is not infinitely certain


@dataclass(frozen=True)
class AtlasSettings(Settings):
    """Nothing beyond the grid."""


class Atlas(Method):
    """Mean and standard deviation of healthy scans, voxel by voxel."""

    name = "atlas"
    settings_type = AtlasSettings

    def __init__(self, region: Region, settings: AtlasSettings) -> None:
        super().__init__(region, settings)
        self.mean = np.zeros(settings.grid_shape, np.float32)
        self.deviation = np.full(settings.grid_shape, SMALLEST_DEVIATION, np.float32)

    @classmethod
    def default_settings(cls, region: Region) -> AtlasSettings:
        grid = region.grid.coarsened(128)
        return AtlasSettings(grid.shape, grid.spacing_mm, region.slice_axis)

    def score_volume(self, scan: np.ndarray) -> np.ndarray:
        scan = finite(scan)
        z = np.abs(scan - fit_shape(self.mean, scan.shape))
        z /= fit_shape(self.deviation, scan.shape, fill=1.0)
        return (z / (z + HALF_SCORE_Z)).astype(np.float32)

    def train_epoch(self, scans: Sequence[np.ndarray], rng: np.random.Generator) -> Iterator[dict[str, float]]:
        """One pass is all it takes; a further one starts over and gives the same."""
        total = np.zeros(self.settings.grid_shape)
        squares = np.zeros(self.settings.grid_shape)
        for count, scan in enumerate(scans, start=1):
            fitted = fit_shape(np.asarray(scan, np.float64), self.settings.grid_shape)
            total += fitted
            squares += fitted**2
            self.mean = (total / count).astype(np.float32)
            variance = np.maximum(squares / count - self.mean.astype(np.float64) ** 2, 0)
            self.deviation = np.maximum(np.sqrt(variance), SMALLEST_DEVIATION).astype(np.float32)
            yield {"loss": float(np.abs(fitted - self.mean).mean())}

    def save_weights(self, path: Path) -> None:
        with h5py.File(path, "w") as file:
            file.create_dataset("mean", data=self.mean, compression="gzip")
            file.create_dataset("deviation", data=self.deviation, compression="gzip")

    def load_weights(self, path: Path) -> None:
        with h5py.File(path, "r") as file:
            self.mean, self.deviation = file["mean"][()], file["deviation"][()]


def fit_shape(array: np.ndarray, shape: tuple[int, ...], fill: float = 0.0) -> np.ndarray:
    """`array` padded with `fill` or cropped around its centre to `shape`."""
    for axis, size in enumerate(shape):
        extra = array.shape[axis] - size
        if extra > 0:
            array = np.take(array, range(extra // 2, extra // 2 + size), axis=axis)
        elif extra < 0:
            pad = [(0, 0)] * array.ndim
            pad[axis] = (-extra // 2, -extra - (-extra // 2))
            array = np.pad(array, pad, constant_values=fill)
    return array
