"""Scans at their native resolution, for what must happen before resampling: planting something into them.

What is planted on a coarser grid has edges that no real scan has after resampling, and a network learns those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mood.conform import content_box
from mood.geometry import body_spacing, scan_axes
from mood.intensities import to_unit_range
from mood.regions import Region
from mood.resampling import apply_along_axes, centred_resampling
from mood.volume import Volume

MARGIN = 4  # voxels: what a coarser grid blends the rim of the content with


@dataclass(frozen=True, eq=False)
class NativeScan:
    """A scan in RAS axes and [0, 1], cut to its content and a little of the background around it.

    Attributes
    ----------
    data : (X, Y, Z) float ndarray in [0, 1]
    spacing_mm : three floats
    centre : three floats, optional
        The middle of the content in voxels; that of the array when not given.
    """

    data: np.ndarray
    spacing_mm: tuple[float, float, float]
    centre: tuple[float, float, float] | None = None

    def onto(self, shape: tuple[int, ...], spacing_mm: tuple[float, ...]) -> NativeScan:
        """Resampled as `conform` does it, the middle of the content in the middle of `shape` voxels, float32."""
        axes = zip(shape, self.data.shape, spacing_mm, self.spacing_mm, self.centre or (None,) * 3, strict=True)
        plans = tuple(
            centred_resampling(size, own_size, mm / own_mm, centre) for size, own_size, mm, own_mm, centre in axes
        )
        x_mm, y_mm, z_mm = spacing_mm
        return NativeScan(apply_along_axes(np.asarray(self.data, np.float32), plans), (x_mm, y_mm, z_mm))

    def save(self, path: Path) -> None:
        """Write as .npz, intensities as float16."""
        centre = self.centre or tuple((n - 1) / 2 for n in self.data.shape)
        np.savez(path, data=self.data.astype(np.float16), spacing_mm=np.array(self.spacing_mm), centre=np.array(centre))

    @classmethod
    def load(cls, path: Path) -> NativeScan:
        """Read what `save` wrote; intensities become float32."""
        with np.load(path) as arrays:
            x_mm, y_mm, z_mm = map(float, arrays["spacing_mm"])
            x, y, z = map(float, arrays["centre"])
            return cls(arrays["data"].astype(np.float32), (x_mm, y_mm, z_mm), (x, y, z))


def native_scan(volume: Volume, region: Region) -> NativeScan:
    """A scan as it is, in RAS axes and [0, 1], cut to what is above 0 and `MARGIN` voxels around that."""
    axes = scan_axes(volume)
    data = to_unit_range(volume.data, region).transpose(axes.order)
    data = data[tuple(slice(None, None, -1 if flip else 1) for flip in axes.flips)]
    low, high = content_box(data)
    extent = tuple(b - a for a, b in zip(low, high, strict=True))
    x_mm, y_mm, z_mm = body_spacing(volume, axes, extent, region, region.grid)
    begin = [max(0, a - MARGIN) for a in low]
    x, y, z = ((a + b - 1) / 2 - first for a, b, first in zip(low, high, begin, strict=True))
    data = data[tuple(slice(first, b + MARGIN) for first, b in zip(begin, high, strict=True))]
    return NativeScan(np.ascontiguousarray(data), (x_mm, y_mm, z_mm), (x, y, z))


class StoredScans(Sequence[NativeScan]):
    """Native scans on disk, read anew each time they are asked for."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> NativeScan:  # type: ignore[override]
        return NativeScan.load(self.paths[index])
