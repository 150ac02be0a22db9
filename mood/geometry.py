"""Where a scan's voxels lie: axes from the header's affine, and a voxel size that a body can have.

A header can say it three times (sform, qform, pixdim), in three units, and be wrong in each. What is used when they
differ is said in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import nibabel as nib
import numpy as np

from mood.errors import ScanError
from mood.nifti_file import quaternion_form
from mood.regions import Grid, Region
from mood.volume import RE_EXPORT, Volume

log = logging.getLogger(__name__)

LARGEST_GROWTH = 2.5  # times the grid's extent that a scan may plausibly span
SMALLEST_SHARE = 0.25  # of the grid's extent: a scan that spans less and has voxels
SMALLEST_VOXEL_MM = 0.25  # below this is not in millimetres
MOST_UNEVEN = 100.0  # times the smallest side of a voxel that its largest may be
SAME_SIZE = 0.02  # relative difference under which two voxel sizes agree
SIZES = (1e-9, 1e9)  # of voxels, in any unit: outside of these a number is damage, and arithmetic breaks on it
DEGENERATE = 1e-6  # of an affine's largest singular value: a smaller one is no axis
MM_BY_UNIT = {1: 1000.0, 2: 1.0, 3: 0.001}  # NIfTI's xyzt_units: metre, millimetre, micrometre
OTHER_UNITS = (1.0, 1000.0, 10.0, 0.1, 0.001, 100.0, 0.01)  # as they are tried when the header's fits no body

Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class Axes:
    """The axes of a scan.

    Attributes
    ----------
    order : which scan axis runs along each RAS axis
    flips : whether it runs backwards
    sizes : voxel sizes along the RAS axes by where the header has them, in its own unit, the most trusted first
    mm : how many millimetres the header's unit is
    """

    order: tuple[int, int, int]
    flips: tuple[bool, ...]
    sizes: dict[str, Spacing]
    mm: float


def scan_axes(volume: Volume) -> Axes:
    """The axes that a scan's header gives it; a header without a usable affine: RAS."""
    named = {source: affine for source, affine in _affines(volume) if is_usable(affine)}
    affine = next(iter(named.values()), np.eye(4))
    if "sform" not in named and "affine" not in named:
        used = "the qform is used" if "qform" in named else "axes are taken as RAS"
        log.warning("%s: the header's affine is unusable; %s", volume.path, used)
    orientation = nib.io_orientation(affine)
    order = tuple(int(a) for a in np.argsort(orientation[:, 0]))
    flips = tuple(bool(orientation[a, 1] < 0) for a in order)
    sizes = {source: nib.affines.voxel_sizes(each) for source, each in named.items()}
    if "affine" not in named and (pixdim := _pixdim(volume.header)) is not None:
        sizes["pixdim"] = pixdim
    sizes = sizes or {"nothing": np.ones(3)}
    in_ras = {source: tuple(float(each[a]) for a in order) for source, each in sizes.items()}
    unit = int(volume.header["xyzt_units"]) & 7
    return Axes(order, flips, in_ras, MM_BY_UNIT.get(unit, 1.0))  # type: ignore[arg-type]


def _affines(volume: Volume) -> Iterator[tuple[str, np.ndarray]]:
    """The affines of a scan: the sform and qform of its header, or one that no header has."""
    header = volume.header
    sform, qform = int(header["sform_code"]) > 0, int(header["qform_code"]) > 0
    own = header.get_sform() if sform else quaternion_form(header) if qform else None
    if own is None or not np.allclose(own, volume.affine, atol=1e-3, equal_nan=True):
        yield "affine", volume.affine
    elif sform:
        yield "sform", header.get_sform()
    if qform:
        yield "qform", quaternion_form(header)


def is_usable(affine: np.ndarray) -> bool:
    """Whether an affine is finite, has three axes and voxels of a size."""
    if not np.isfinite(affine).all() or not _are_sizes(nib.affines.voxel_sizes(affine)):
        return False
    scales = np.linalg.svd(affine[:3, :3], compute_uv=False)
    return bool(scales[-1] > DEGENERATE * scales[0])


def usable_affine(affine: np.ndarray) -> np.ndarray:
    """An affine that volumes can be measured with: voxels of 1 mm where the header's is none."""
    usable = np.isfinite(affine).all() and abs(np.linalg.det(affine[:3, :3])) > 1e-9
    return affine if usable else np.eye(4)


def _pixdim(header: nib.Nifti1Header) -> np.ndarray | None:
    sizes = np.abs(np.asarray(header["pixdim"][1:4], float))
    return sizes if _are_sizes(sizes) else None


def _are_sizes(sizes: np.ndarray) -> bool:
    return bool(np.isfinite(sizes).all() and (sizes > SIZES[0]).all() and (sizes < SIZES[1]).all())


def body_spacing(volume: Volume, axes: Axes, extent: tuple[int, ...], region: Region, grid: Grid) -> Spacing:
    """The voxel size in mm along the RAS axes under which the scan's content can be a body.

    Of sizes that differ, the one under which the content comes closest to a body's usual size. The header's unit is
    not believed where no body would be that small or large. The rest is scaled to fit the grid.

    Parameters
    ----------
    extent : three ints
        Voxels that the content spans along the RAS axes.

    Raises
    ------
    ScanError
        When one side of a voxel is absurdly longer than another.
    """
    spacings = {source: _in_mm(volume, sizes, axes.mm, extent, grid) for source, sizes in axes.sizes.items()}
    chosen = min(spacings, key=lambda source: _misfit(spacings[source], extent, region))
    first = next(iter(spacings))
    differ = [source for source, mm in spacings.items() if not np.allclose(mm, spacings[first], rtol=SAME_SIZE)]
    if not differ:
        chosen = first
    else:
        said = ", ".join(f"{source} {_text(mm)}" for source, mm in spacings.items())
        log.warning("%s: the header has several voxel sizes (%s); that of its %s is used", volume.path, said, chosen)
    spacing = spacings[chosen]
    if max(spacing) > MOST_UNEVEN * min(spacing):
        raise ScanError(f"voxels of {_text(spacing)} mm are of no body", where=volume.path, fix=RE_EXPORT)
    return spacing


def _in_mm(volume: Volume, sizes: Spacing, declared: float, extent: tuple[int, ...], grid: Grid) -> Spacing:
    """Voxel sizes in mm: in the header's unit if a body can have them, else in the first one that fits, else scaled."""
    units = (declared, *OTHER_UNITS)
    for unit in units:
        spacing = tuple(size * unit for size in sizes)
        if _can_be(spacing, extent, grid):
            if unit != declared:
                log.warning(
                    "%s: voxels of %s mm make the scan much too %s; they are taken for %s mm",
                    volume.path, _text([size * declared for size in sizes]),
                    "small" if unit > declared else "large", _text(spacing),
                )  # fmt: skip
            return spacing  # type: ignore[return-value]
    reach = _reach(sizes, extent, grid)
    log.warning(
        "%s: voxels of %s mm make the scan %.3g times as large as the grid; it is scaled to fit",
        volume.path, _text([size * declared for size in sizes]), reach * declared,
    )  # fmt: skip
    return tuple(size / reach for size in sizes)  # type: ignore[return-value]


def _can_be(spacing: tuple[float, ...], extent: tuple[int, ...], grid: Grid) -> bool:
    reach = _reach(spacing, extent, grid)
    return reach <= LARGEST_GROWTH and (reach >= SMALLEST_SHARE or min(spacing) >= SMALLEST_VOXEL_MM)


def _reach(spacing: tuple[float, ...], extent: tuple[int, ...], grid: Grid) -> float:
    """The content's extent in extents of the grid, along the axis where it is largest."""
    axes = zip(extent, spacing, grid.shape, grid.spacing_mm, strict=True)
    return max(n * mm / (g * grid_mm) for n, mm, g, grid_mm in axes)


def _misfit(spacing: Spacing, extent: tuple[int, ...], region: Region) -> float:
    """How far the content's size is from that of most bodies, as a logarithm."""
    grid = region.grid
    usual = [share * n * mm for share, n, mm in zip(region.content_share, grid.shape, grid.spacing_mm, strict=True)]
    sizes = [max(n, 1) * mm / length for n, mm, length in zip(extent, spacing, usual, strict=True)]
    return float(abs(np.log(sizes).mean()))


def _text(sizes: object) -> str:
    return " x ".join(f"{mm:.3g}" for mm in np.asarray(sizes))
