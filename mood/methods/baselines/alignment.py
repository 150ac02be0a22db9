"""Affine alignment of a scan: by registration where the region has a template, else by the moments of its tissue.

By moments, along each axis the centre of mass and the standard deviation of the tissue (voxels above 0) are brought
to those of some scans: a shift and a scaling an axis, no rotation. Intensities of MR, which have no unit, are divided
so that the median of the tissue becomes 0.5; those of CT stay.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mood.intensities import standardised
from mood.methods.registration.affine import Registration, register
from mood.methods.registration.template import packaged_template
from mood.regions import Grid, Region
from mood.resampling import Resampling, apply_along_axes, axis_resampling

MEDIAN_TISSUE = 0.5
LARGEST_RATIO = 2.0  # no head is twice another; a scan that says so holds something else


@dataclass(frozen=True)
class Extent:
    """Where the tissue of a scan lies and how far it reaches, in voxels along each axis."""

    centre: tuple[float, ...]
    spread: tuple[float, ...]  # standard deviation; 0 where there is no tissue


def measure(scan: np.ndarray) -> Extent:
    """Centre of mass and standard deviation of the voxels above 0 of an (X, Y, Z) scan."""
    tissue = scan > 0
    centre, spread = [], []
    for axis, size in enumerate(scan.shape):
        share = tissue.sum(axis=tuple(i for i in range(3) if i != axis), dtype=np.float64)
        share = share / share.sum() if share.any() else np.full(size, 1.0 / size)
        position = np.arange(size)
        mean = float(share @ position)
        centre.append(mean)
        spread.append(float(np.sqrt(share @ (position - mean) ** 2)) if tissue.any() else 0.0)
    return Extent(tuple(centre), tuple(spread))


def template_extent(scans: Iterable[np.ndarray], shape: tuple[int, ...]) -> Extent:
    """The mean spread of some scans around the centre of the grid: what they are all brought to."""
    spread = np.mean([measure(scan).spread for scan in scans], axis=0)
    return Extent(tuple((n - 1) / 2 for n in shape), tuple(float(s) for s in spread))


@dataclass(frozen=True)
class Alignment:
    """The way from a scan's voxels to the template's, and back.

    Attributes
    ----------
    forward, back : resampling of each axis
    gain : what intensities are multiplied by
    """

    forward: tuple[Resampling, ...]
    back: tuple[Resampling, ...]
    gain: float

    def to_template(self, scan: np.ndarray) -> np.ndarray:
        """The scan on the template's voxels, (X', Y', Z') float32."""
        return apply_along_axes(scan, self.forward) * np.float32(self.gain)

    def to_scan(self, template: np.ndarray) -> np.ndarray:
        """What lies on the template's voxels on the scan's, (X, Y, Z) float32; 0 where it does not reach."""
        return apply_along_axes(template, self.back)


def align(scan: np.ndarray, template: Extent, shape: tuple[int, ...], region: Region) -> Alignment:
    """How to bring a scan to a template of `shape` voxels.

    Parameters
    ----------
    scan : (X, Y, Z) float32 ndarray in [0, 1]
    """
    own, forward, back = measure(scan), [], []
    for axis, size in enumerate(scan.shape):
        ratio = _ratio(own.spread[axis], template.spread[axis])
        start = own.centre[axis] - template.centre[axis] * ratio
        forward.append(axis_resampling(shape[axis], size, start, ratio))
        back.append(axis_resampling(size, shape[axis], -start / ratio, 1.0 / ratio))
    return Alignment(tuple(forward), tuple(back), intensity_gain(scan, region))


@dataclass(frozen=True, eq=False)
class Registered:
    """As `Alignment`, by registration to the region's template."""

    registration: Registration
    gain: float

    def to_template(self, scan: np.ndarray) -> np.ndarray:
        """The scan on the template's voxels, (X', Y', Z') float32."""
        return self.registration.to_template(scan) * np.float32(self.gain)

    def to_scan(self, template: np.ndarray) -> np.ndarray:
        """What lies on the template's voxels on the scan's, (X, Y, Z) float32; 0 where it does not reach."""
        return self.registration.to_scan(template)


def brought(scan: np.ndarray, extent: Extent, grid: Grid, region: Region) -> Alignment | Registered:
    """How to bring a scan on a grid's voxels to the region's template there; to an extent where nothing registers.

    Parameters
    ----------
    scan : (X, Y, Z) float32 ndarray in [0, 1]
    """
    template = packaged_template(region.template, grid) if region.template else None
    if template is None or not template.can_be_searched:
        return align(scan, extent, grid.shape, region)
    return Registered(register(standardised(scan, region), grid.spacing_mm, template), intensity_gain(scan, region))


def intensity_gain(scan: np.ndarray, region: Region) -> float:
    """What makes the median of MR tissue 0.5; 1 for CT and for a scan without tissue."""
    tissue = scan[scan > 0]
    return MEDIAN_TISSUE / float(np.median(tissue)) if tissue.size and not region.has_units else 1.0


def _ratio(own: float, template: float) -> float:
    if own == 0.0 or template == 0.0:
        return 1.0
    return float(np.clip(own / template, 1.0 / LARGEST_RATIO, LARGEST_RATIO))
