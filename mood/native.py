"""Scans at their native resolution, for what must happen before resampling: planting something into them.

What is planted on a coarser grid has edges that no real scan has after resampling, and a network learns those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mood.conform import apply_along_axes, centred_resampling, content_box, ras_axes
from mood.intensities import to_unit_range
from mood.regions import Region
from mood.volume import Volume


@dataclass(frozen=True, eq=False)
class NativeScan:
    """A scan in RAS axes and [0, 1], cut to its content.

    Attributes
    ----------
    data : (X, Y, Z) float ndarray in [0, 1]
    spacing_mm : three floats
    """

    data: np.ndarray
    spacing_mm: tuple[float, float, float]

    def onto(self, shape: tuple[int, ...], spacing_mm: tuple[float, ...]) -> NativeScan:
        """Resampled as `conform` does it, the middle of the content in the middle of `shape` voxels, float32."""
        plans = tuple(
            centred_resampling(size, own_size, mm / own_mm)
            for size, own_size, mm, own_mm in zip(shape, self.data.shape, spacing_mm, self.spacing_mm, strict=True)
        )
        x_mm, y_mm, z_mm = spacing_mm
        return NativeScan(apply_along_axes(np.asarray(self.data, np.float32), plans), (x_mm, y_mm, z_mm))

    def save(self, path: Path) -> None:
        """Write as .npz, intensities as float16."""
        np.savez(path, data=self.data.astype(np.float16), spacing_mm=np.array(self.spacing_mm))

    @classmethod
    def load(cls, path: Path) -> NativeScan:
        """Read what `save` wrote; intensities become float32."""
        with np.load(path) as arrays:
            x_mm, y_mm, z_mm = (float(mm) for mm in arrays["spacing_mm"])
            return cls(arrays["data"].astype(np.float32), (x_mm, y_mm, z_mm))


def native_scan(volume: Volume, region: Region) -> NativeScan:
    """A scan as it is, in RAS axes and [0, 1], cut to what is above 0."""
    axes, flips, (x_mm, y_mm, z_mm) = ras_axes(volume)
    data = to_unit_range(volume.data, region).transpose(axes)
    data = data[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
    low, high = content_box(data)
    data = data[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    return NativeScan(np.ascontiguousarray(data), (x_mm, y_mm, z_mm))


class StoredScans(Sequence[NativeScan]):
    """Native scans on disk, read anew each time they are asked for."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> NativeScan:  # type: ignore[override]
        return NativeScan.load(self.paths[index])
