"""Intensity atlas: how far each voxel lies from the mean of healthy scans. A baseline, not a method to rely on.

Scans are aligned to the atlas (`alignment.py`) and brought to its median intensity; the map is |z| / (|z| + 3), z the
distance in standard deviations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import h5py
import numpy as np

from mood.methods.base import Method, finite
from mood.methods.baselines.alignment import Extent, brought, template_extent
from mood.methods.settings import Settings
from mood.regions import Region
from mood.weights.bundle import new_hdf5

HALF_SCORE_Z = 3.0  # standard deviations that score 0.5
SMALLEST_DEVIATION = 0.02  # of the intensity range; a voxel that never varied is not infinitely certain
UNKNOWN_DEVIATION = 1.0  # where the atlas does not reach, nothing is known to be wrong


@dataclass(frozen=True)
class AtlasSettings(Settings):
    """Nothing beyond the grid, which is kept whole with every voxel's mean and deviation."""

    most_voxels: ClassVar[int] = 256**3


class Atlas(Method):
    """Mean and standard deviation of aligned healthy scans, voxel by voxel."""

    name = "atlas"
    settings_type = AtlasSettings

    def __init__(self, region: Region, settings: AtlasSettings) -> None:
        super().__init__(region, settings)
        self.extent = template_extent([np.zeros(settings.grid_shape)], settings.grid_shape)
        self.mean = np.zeros(settings.grid_shape, np.float32)
        self.deviation = np.full(settings.grid_shape, SMALLEST_DEVIATION, np.float32)
        self._passed = False

    @classmethod
    def default_settings(cls, region: Region) -> AtlasSettings:
        grid = region.grid.coarsened(128)
        return AtlasSettings(grid.shape, grid.spacing_mm, region.slice_axis)

    @property
    def finished(self) -> bool:
        """One pass is all it takes; a further one starts over and gives the same."""
        return self._passed

    def score_volume(self, scan: np.ndarray) -> np.ndarray:
        scan = finite(scan)
        alignment = brought(scan, self.extent, self.grid, self.region)
        z = np.abs(scan * np.float32(alignment.gain) - alignment.to_scan(self.mean))
        deviation = alignment.to_scan(self.deviation)
        z /= np.where(deviation > 0, np.maximum(deviation, SMALLEST_DEVIATION), np.float32(UNKNOWN_DEVIATION))
        return (z / (z + HALF_SCORE_Z)).astype(np.float32)

    def train_epoch(self, scans: Sequence[np.ndarray], rng: np.random.Generator) -> Iterator[dict[str, float]]:
        shape = self.settings.grid_shape
        self.extent = template_extent(scans, shape)
        total, squares = np.zeros(shape), np.zeros(shape)
        for count, scan in enumerate(scans, start=1):
            scan = finite(scan)
            aligned = brought(scan, self.extent, self.grid, self.region).to_template(scan)
            total += aligned
            squares += aligned.astype(np.float64) ** 2
            self.mean = (total / count).astype(np.float32)
            variance = np.maximum(squares / count - self.mean.astype(np.float64) ** 2, 0)
            self.deviation = np.maximum(np.sqrt(variance), SMALLEST_DEVIATION).astype(np.float32)
            self._passed = count == len(scans)
            yield {"loss": float(np.abs(aligned - self.mean).mean())}

    def save_weights(self, path: Path) -> None:
        with new_hdf5(path) as file:
            file.create_dataset("mean", data=self.mean, compression="gzip")
            file.create_dataset("deviation", data=self.deviation, compression="gzip")
            file.create_dataset("spread", data=np.array(self.extent.spread))

    def load_weights(self, path: Path) -> None:
        with h5py.File(path, "r") as file:
            self.mean, self.deviation = (file[name][()].astype(np.float32) for name in ("mean", "deviation"))
            self.extent = Extent(self.extent.centre, tuple(file["spread"][()].tolist()))
