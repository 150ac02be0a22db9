"""Foreign patches in held-out scans: whether FPI's task is learnt, which comes before whether it transfers.

A box of a healthy scan is mixed with the same place of another healthy scan of its group, as in FPI's training (Tan et
al. 2020, arXiv 2011.04197, section 2), where the box is a square of each slice. No method has seen either scan.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import nibabel as nib
import numpy as np

from mood.benchmark.cases import Case, case_rng, unit_volume
from mood.benchmark.manifest import Entry
from mood.conform import conform
from mood.geometry import scan_axes
from mood.methods.slices import fit_shape
from mood.regions import Grid, Region
from mood.synthesis.outliers import draw_centre
from mood.volume import Volume

FOREIGN_PATCH = "foreign_patch"
HALF_WIDTH = (0.05, 0.2)  # of the content's mean extent, as published of a slice's height
FOREIGN_SHARE = (0.3, 0.95)  # less is hardly seen; published: 0.05 to 0.95


@dataclass(frozen=True)
class Box:
    """A place and how foreign it is.

    Attributes
    ----------
    window : slices along each axis
    share : float
        Of the foreign scan.
    """

    window: tuple[slice, ...]
    share: float


def draw_box(host: np.ndarray, rng: np.random.Generator, spacing_mm: tuple[float, ...]) -> Box:
    """A cube in millimetres whose centre is tissue of the middle of the host.

    Parameters
    ----------
    host : (X, Y, Z) float32 ndarray in [0, 1]
    spacing_mm : three floats
        Voxel size.
    """
    tissue = np.argwhere(host > 0)
    extent_mm = float(np.mean((np.ptp(tissue, axis=0) + 1) * spacing_mm))
    half = rng.uniform(*HALF_WIDTH) * extent_mm / np.array(spacing_mm)
    centre = np.array(draw_centre(host, rng))
    low, high = np.maximum(np.round(centre - half), 0), np.maximum(np.round(centre + half), centre + 1)
    return Box(tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True)), float(rng.uniform(*FOREIGN_SHARE)))


def mix_box(host: np.ndarray, foreign: np.ndarray, box: Box) -> tuple[np.ndarray, np.ndarray]:
    """The host with a share of the foreign scan in the box, and where that changed it.

    Parameters
    ----------
    host, foreign : (X, Y, Z) float32 ndarray in [0, 1]
        On the same voxels.

    Returns
    -------
    mixed : (X, Y, Z) float32 ndarray in [0, 1]
    label : (X, Y, Z) uint8 ndarray
    """
    mixed = host.copy()
    mixed[box.window] += np.float32(box.share) * (foreign[box.window] - host[box.window])
    return mixed, (mixed != host).astype(np.uint8)


def laid_over(host: Volume, foreign: Volume, region: Region) -> np.ndarray:
    """A scan on the voxels of another one, (X, Y, Z) float32, the middles of both contents in one place.

    Where their voxels are of one size, as within a site, they are only moved: nothing is blurred that would give the
    patch away.
    """
    sizes_mm = nib.affines.voxel_sizes(host.affine)[list(scan_axes(host).order)]
    extents_mm = np.multiply(region.grid.shape, region.grid.spacing_mm)
    shape = (int(n) for n in np.ceil(extents_mm / sizes_mm))
    grid = Grid(tuple(shape), tuple(float(mm) for mm in sizes_mm))  # type: ignore[arg-type]
    own, placement = conform(host, region, grid)
    return placement.restore(fit_shape(conform(foreign, region, grid)[0], own.shape))


def foreign_case(entry: Entry, other: Entry, region: Region, repeat: int, seed: int) -> Case:
    """A scan with a patch of another one."""
    host, foreign = unit_volume(entry, region), unit_volume(other, region)
    spacing_mm = tuple(float(mm) for mm in nib.affines.voxel_sizes(host.affine))
    box = draw_box(host.data, case_rng(entry.name, FOREIGN_PATCH, repeat, seed), spacing_mm)
    mixed, label = mix_box(host.data, laid_over(host, foreign, region), box)
    return Case(f"{entry.name}_{repeat}_{FOREIGN_PATCH}", FOREIGN_PATCH, replace(host, data=mixed), label)
