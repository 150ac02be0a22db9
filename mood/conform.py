"""From a scan's own grid to the grid a method works on, and exactly back.

Axes are permuted to RAS and each is resampled by itself: flip, resampling, cropping of background and
padding in one step. Where the voxel size already fits, voxels are only moved and their values stay bit
for bit. An oblique scan keeps its tilt.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from mood.geometry import body_spacing, scan_axes
from mood.intensities import in_unit_range, understand
from mood.nifti_file import check_size
from mood.regions import Grid, Region
from mood.resampling import SAME_SPACING, Resampling, apply_along_axes, axis_resampling
from mood.volume import Volume

log = logging.getLogger(__name__)

SPECK = 0.01  # of all voxels of content: less than that, and apart, is none of the body


@dataclass(frozen=True)
class Placement:
    """Where a scan lies on a grid: all that is needed to bring a map back; and what its numbers were taken for.

    Attributes
    ----------
    inverse : resampling of each RAS axis from the grid back to the scan; `None` leaves the axis alone
    order : which RAS axis each axis of the scan is
    spacing_mm : three floats
        Of the scan's own voxels along the RAS axes.
    taken_for : what its intensities were taken for, in words
    from_middle : (4, 4) float64 ndarray
        From the scan's own voxel indices to millimetres from the middle of the grid, RAS axes.
    """

    inverse: tuple[Resampling | None, ...]
    order: tuple[int, int, int]
    spacing_mm: tuple[float, ...]
    taken_for: str = ""
    from_middle: np.ndarray = field(default_factory=lambda: np.eye(4), compare=False, repr=False)

    def restore(self, score_map: np.ndarray) -> np.ndarray:
        """A map on the grid put back on the scan's own voxels; still in [0, 1] where rounding oversteps it."""
        restored = apply_along_axes(score_map, self.inverse)
        if restored is not score_map:
            np.clip(restored, 0, 1, out=restored)
        return restored.transpose(self.order)


@dataclass(eq=False)
class ConformedScan:
    """A scan on a method's grid, and what is known of the scan that it was.

    Attributes
    ----------
    data : (X, Y, Z) float32 ndarray in [0, 1]
        On the grid, RAS axes.
    placement : Placement
        The way back to the scan's own voxels.
    header : nibabel.Nifti1Header
    affine : (4, 4) float64 ndarray
        From the scan's own voxel indices to millimetres in RAS: its voxel size and orientation.
    name : str
        The scan's.
    further : dict of (X', Y', Z') float32 ndarray by Grid
        The same scan on those grids that the method asked for beside its own (`Method.further_grids`); the middle of
        all of them is one place.
    """

    data: np.ndarray
    placement: Placement
    header: nib.Nifti1Header
    affine: np.ndarray
    name: str
    further: dict[Grid, np.ndarray] = field(default_factory=dict)


def conform(volume: Volume, region: Region, grid: Grid | None = None) -> tuple[np.ndarray, Placement]:
    """Bring a scan to RAS axes, `grid`'s voxel size, intensities in [0, 1] and at least `grid`'s shape.

    The content (voxels above 0) is centred. Background beyond the grid is cut off, content never is:
    the grid grows where a scan needs it. A volume of the challenge (the region's own shape, RAS, in
    [0, 1]) is taken to lie on the region's grid whatever voxel size its header claims, and passes
    untouched when that is the grid asked for.

    Parameters
    ----------
    volume : Volume
    region : Region
    grid : Grid, optional
        The region's own when not given.

    Returns
    -------
    data : (X, Y, Z) float32 ndarray in [0, 1]
        On the grid, RAS axes.
    placement : Placement
    """
    grid = grid or region.grid
    return place(volume, region, grid).on(grid)


@dataclass(frozen=True, eq=False)
class PlacedScan:
    """A scan whose axes, intensities and voxel size have been found, ready for any grid.

    Attributes
    ----------
    data : (X, Y, Z) float32 ndarray in [0, 1]
        The scan's own voxels along RAS axes, each backwards where it `flips`.
    spacing_mm : three floats
    centre, extent : of the content, in voxels
    order : of the scan's axes, for the way back
    taken_for : what its intensities were taken for, in words
    from_middle : (4, 4) ndarray
        As of `Placement`.
    name : path of the scan, for messages
    """

    data: np.ndarray
    flips: tuple[bool, ...]
    spacing_mm: tuple[float, float, float]
    centre: tuple[float, ...]
    extent: tuple[int, ...]
    order: tuple[int, int, int]
    taken_for: str
    from_middle: np.ndarray
    name: Path

    def on(self, grid: Grid) -> tuple[np.ndarray, Placement]:
        """What `conform` returns for a grid."""
        axes = zip(
            self.data.shape, self.spacing_mm, self.flips, self.centre, self.extent, grid.shape, grid.spacing_mm,
            strict=True,
        )  # fmt: skip
        forward, inverse = zip(*(_plan(*axis) for axis in axes), strict=True)
        check_size(tuple(plan.size if plan else n for plan, n in zip(forward, self.data.shape, strict=True)), self.name)
        placement = Placement(inverse, self.order, self.spacing_mm, self.taken_for, self.from_middle)
        return apply_along_axes(self.data, forward), placement


def place(volume: Volume, region: Region, grid: Grid) -> PlacedScan:
    """Find what of a scan does not depend on the grid, but for how large a body may be on it."""
    found = scan_axes(volume)
    axes, flips = found.order, found.flips
    is_challenge = _on_region_grid(volume, axes, flips, region)
    data, taken_for = (volume.data, "a volume of the challenge") if is_challenge else _understood(volume, region)
    data = data.transpose(axes)
    if is_challenge:
        spacing, extent = region.grid.spacing_mm, data.shape
        centre = tuple((n - 1) / 2 for n in data.shape)
    else:
        low, high = body_box(data)
        centre = tuple((a + b - 1) / 2 for a, b in zip(low, high, strict=True))
        extent = tuple(b - a for a, b in zip(low, high, strict=True))
        spacing = body_spacing(volume, found, extent, region, grid)
    order, from_middle = tuple(np.argsort(axes).tolist()), _from_middle(axes, flips, centre, spacing)
    return PlacedScan(data, flips, spacing, centre, extent, order, taken_for, from_middle, volume.path)


def _from_middle(
    axes: tuple[int, ...], flips: tuple[bool, ...], centre: tuple[float, ...], spacing: tuple[float, ...]
) -> np.ndarray:
    """From a scan's voxel indices to millimetres from what the grid's middle lies on (to half a voxel)."""
    matrix = np.zeros((4, 4))
    for i, axis in enumerate(axes):
        mm = -spacing[i] if flips[i] else spacing[i]
        matrix[i, axis], matrix[i, 3] = mm, -mm * centre[i]
    matrix[3, 3] = 1.0
    return matrix


def _plan(
    size: int, spacing: float, flip: bool, centre: float, extent: int, grid_size: int, grid_spacing: float
) -> tuple[Resampling | None, Resampling | None]:
    """Resampling of one axis: scan to grid, grid to scan."""
    step = grid_spacing / spacing
    if abs(step - 1.0) < SAME_SPACING:
        step = 1.0
    target = max(grid_size, int(np.ceil(extent / step - 1e-6)))
    sign = -1.0 if flip else 1.0
    start = centre - sign * step * (target - 1) / 2
    if step == 1.0:
        start = float(np.round(start))
    if step == 1.0 and start == 0.0 and not flip and target == size:
        return None, None
    step *= sign
    return axis_resampling(target, size, start, step), axis_resampling(size, target, -start / step, 1.0 / step)


def content_box(data: np.ndarray) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """First and one-past-last index along each axis of what is above 0; the whole array when nothing is."""
    low, high = [], []
    for axis in range(data.ndim):
        others = tuple(i for i in range(data.ndim) if i != axis)
        filled = np.flatnonzero(data.max(axis=others) > 0)
        low.append(int(filled[0]) if filled.size else 0)
        high.append(int(filled[-1]) + 1 if filled.size else data.shape[axis])
    return tuple(low), tuple(high)


def body_box(data: np.ndarray) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """`content_box` without specks in the air: what is few voxels and apart from the rest along an axis."""
    filled, low, high = data > 0, [], []
    for axis in range(3):
        counts = np.count_nonzero(filled, axis=tuple({0, 1, 2} - {axis}))
        pieces, _ = ndimage.label(counts)
        sizes = np.bincount(pieces, counts)
        kept = np.flatnonzero(sizes[pieces] >= max(SPECK * sizes.sum(), 1))
        low.append(int(kept[0]) if kept.size else 0)
        high.append(int(kept[-1]) + 1 if kept.size else data.shape[axis])
    return tuple(low), tuple(high)


def _on_region_grid(volume: Volume, axes: tuple[int, ...], flips: tuple[bool, ...], region: Region) -> bool:
    shape = tuple(volume.data.shape[axis] for axis in axes)
    return shape == region.grid.shape and not any(flips) and in_unit_range(volume.data)


def _understood(volume: Volume, region: Region) -> tuple[np.ndarray, str]:
    """Intensities in [0, 1], and what they were taken for, which the log has too."""
    understanding = understand(volume.data, region)
    log.info("%s: intensities taken for %s", volume.path, understanding.taken_for)
    if understanding.doubt:
        log.warning("%s: intensities taken for %s, but %s", volume.path, understanding.taken_for, understanding.doubt)
    return understanding.apply(volume.data), understanding.taken_for
