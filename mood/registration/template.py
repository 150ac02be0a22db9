"""What scans are brought to.

The brain's template is the ICBM 2009a nonlinear symmetric T1 average, skull-stripped (Fonov et al., NeuroImage 54,
2011), at 1.7 mm; its notice lies beside it, and `scripts/make_template.py` made it. The abdomen has none: there it
is the mean extent of the training scans.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mood.errors import WeightsError
from mood.regions import Grid, Region
from mood.registration.moments import Extent, measure
from mood.resampling import apply_along_axes, centred_resampling

MNI152 = Path(__file__).parent / "mni152.npz"
SHA256 = "248727f072bec2672bedcbc415f8cd3c70dc4e179d9b5b0caeb2e2b915bc46c5"


@dataclass(frozen=True, eq=False)
class Template:
    """A grid and what lies on it.

    Attributes
    ----------
    grid : Grid
    extent : Extent
        Of the tissue.
    image : (X, Y, Z) float32 ndarray in [0, 1], optional
        Standardised as scans are (`intensities.standardised`); None where only the extent is known.
    middle_mm : three floats, optional
        Where the middle of the grid lies in MNI coordinates.
    """

    grid: Grid
    extent: Extent
    image: np.ndarray | None = None
    middle_mm: tuple[float, ...] | None = None


def template_for(region: Region, grid: Grid, spread_mm: tuple[float, ...]) -> Template:
    """The region's template on a grid; without one, tissue of the given spread about the grid's middle."""
    if region.name == "brain":
        return brain_template(grid)
    return Template(grid, Extent((0.0, 0.0, 0.0), spread_mm))


def mean_spread(scans: Iterable[np.ndarray], spacing_mm: tuple[float, ...]) -> tuple[float, ...]:
    """How far the tissue of scans reaches along each axis: the mean of its standard deviations, in mm."""
    return tuple(np.mean([measure(scan, spacing_mm).spread for scan in scans], axis=0).tolist())


def brain_template(grid: Grid) -> Template:
    """The MNI152 brain on a grid; `WeightsError` when its file is not what it was."""
    image, spacing_mm, middle_mm = _mni152()
    ratios = [wanted / own for wanted, own in zip(grid.spacing_mm, spacing_mm, strict=True)]
    axes = zip(grid.shape, image.shape, ratios, strict=True)
    image = apply_along_axes(image, tuple(centred_resampling(*axis) for axis in axes))
    return Template(grid, measure(image, grid.spacing_mm), image, middle_mm)


def _mni152() -> tuple[np.ndarray, tuple[float, ...], tuple[float, ...]]:
    if not MNI152.is_file() or hashlib.sha256(MNI152.read_bytes()).hexdigest() != SHA256:
        raise WeightsError("the template's file is missing or damaged", where=MNI152, fix="Install mood again")
    with np.load(MNI152) as arrays:
        image = arrays["image"].astype(np.float32) / np.float32(255)
        return image, tuple(arrays["spacing_mm"].tolist()), tuple(arrays["middle_mm"].tolist())
