"""Principal components: what of a scan the main variations among healthy scans cannot rebuild. A baseline.

Scans are aligned as for the atlas (`alignment.py`) on a coarse grid and taken as one long vector each; the map
is the absolute difference between a scan and its projection onto the components, brought back to the scan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import h5py
import numpy as np
from msgspec import Meta

from mood.methods.base import Method, finite
from mood.methods.baselines.alignment import Extent, brought, template_extent
from mood.methods.settings import Settings
from mood.regions import Region
from mood.weights.bundle import new_hdf5


@dataclass(frozen=True)
class PcaSettings(Settings):
    """The grid, and how much of the variation among healthy scans counts as healthy."""

    most_voxels: ClassVar[int] = 128**3  # of each component

    components: Annotated[int, Meta(ge=1, le=256)] = 16  # at most; one fewer than few training scans


class Pca(Method):
    """The residual of a linear subspace of whole scans."""

    name = "pca"
    settings_type = PcaSettings
    settings: PcaSettings

    def __init__(self, region: Region, settings: PcaSettings) -> None:
        super().__init__(region, settings)
        voxels = int(np.prod(settings.grid_shape))
        self.extent = template_extent([np.zeros(settings.grid_shape)], settings.grid_shape)
        self.mean = np.zeros(voxels, np.float32)
        self.components = np.zeros((0, voxels), np.float32)  # (K, X * Y * Z), orthonormal
        self._passed = False

    @classmethod
    def default_settings(cls, region: Region) -> PcaSettings:
        grid = region.grid.coarsened(64)
        return PcaSettings(grid.shape, grid.spacing_mm, region.slice_axis)

    @property
    def finished(self) -> bool:
        """One pass is all it takes."""
        return self._passed

    def score_volume(self, scan: np.ndarray) -> np.ndarray:
        scan = finite(scan)
        alignment = brought(scan, self.extent, self.grid, self.region)
        aligned = alignment.to_template(scan).ravel()
        residual = np.abs(aligned - self._rebuilt(aligned)).reshape(self.settings.grid_shape)
        return np.clip(alignment.to_scan(residual), 0.0, 1.0)

    def _rebuilt(self, vector: np.ndarray) -> np.ndarray:
        return self.mean + (self.components @ (vector - self.mean)) @ self.components

    def train_epoch(self, scans: Sequence[np.ndarray], rng: np.random.Generator) -> Iterator[dict[str, float]]:
        """One step: the components of all scans together, (N, X * Y * Z) in memory."""
        from sklearn.decomposition import PCA

        self.extent = template_extent(scans, self.settings.grid_shape)
        rows = np.stack([self._aligned(scan) for scan in scans])
        self.mean, self.components = rows.mean(axis=0), self.components[:0]
        if (count := min(self.settings.components, len(rows) - 1)) > 0:
            self.components = PCA(count, svd_solver="full").fit(rows).components_.astype(np.float32)
        self._passed = True
        yield {"loss": float(np.mean([np.abs(row - self._rebuilt(row)).mean() for row in rows]))}

    def _aligned(self, scan: np.ndarray) -> np.ndarray:
        scan = finite(scan)
        return brought(scan, self.extent, self.grid, self.region).to_template(scan).ravel()

    def save_weights(self, path: Path) -> None:
        with new_hdf5(path) as file:
            file.create_dataset("mean", data=self.mean, compression="gzip")
            file.create_dataset("components", data=self.components)
            file.create_dataset("spread", data=np.array(self.extent.spread))

    def load_weights(self, path: Path) -> None:
        with h5py.File(path, "r") as file:
            self.mean, self.components = (file[name][()].astype(np.float32) for name in ("mean", "components"))
            self.extent = Extent(self.extent.centre, tuple(file["spread"][()].tolist()))
