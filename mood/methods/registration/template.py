"""What scans are brought to.

The brain's template is the ICBM 2009a nonlinear symmetric T1 average, skull-stripped (Fonov et al., NeuroImage 54,
2011), at 1.7 mm; its notice lies beside it, and `scripts/make_template.py` made it. The abdomen has none: there it
is the mean extent of the training scans.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mood.errors import WeightsError
from mood.methods.registration.moments import Extent, measure
from mood.regions import Grid, Region
from mood.resampling import apply_along_axes, centred_resampling

COARSEST_MM = 4.0  # voxels beyond tell nothing of a rotation
FOLDER = Path(__file__).parent
SHA256 = {"mni152": "248727f072bec2672bedcbc415f8cd3c70dc4e179d9b5b0caeb2e2b915bc46c5"}


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

    @property
    def can_be_searched(self) -> bool:
        """Whether the grid shows enough of the image, finely enough, for a registration."""
        if self.image is None or max(self.grid.spacing_mm) > COARSEST_MM:
            return False
        edges = (self.image[tuple(0 if i == axis else slice(None) for i in range(3))] for axis in range(3))
        return not any(edge.any() for edge in edges)


def template_for(region: Region, grid: Grid, spread_mm: tuple[float, ...]) -> Template:
    """The region's template on a grid; without one, tissue of the given spread about the grid's middle."""
    if region.template is not None:
        return packaged_template(region.template, grid)
    return Template(grid, Extent((0.0, 0.0, 0.0), spread_mm))


def mean_spread(scans: Iterable[np.ndarray], spacing_mm: tuple[float, ...]) -> tuple[float, ...]:
    """How far the tissue of scans reaches along each axis: the mean of its standard deviations, in mm."""
    return tuple(np.mean([measure(scan, spacing_mm).spread for scan in scans], axis=0).tolist())


@functools.lru_cache(maxsize=4)
def packaged_template(name: str, grid: Grid) -> Template:
    """A template that comes with this package, on a grid; `WeightsError` when its file is not what it was."""
    image, spacing_mm, middle_mm = _read(name)
    ratios = [wanted / own for wanted, own in zip(grid.spacing_mm, spacing_mm, strict=True)]
    axes = zip(grid.shape, image.shape, ratios, strict=True)
    image = apply_along_axes(image, tuple(centred_resampling(*axis) for axis in axes))
    return Template(grid, measure(image, grid.spacing_mm), image, middle_mm)


def _read(name: str) -> tuple[np.ndarray, tuple[float, ...], tuple[float, ...]]:
    path = FOLDER / f"{name}.npz"
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != SHA256[name]:
        raise WeightsError("the template's file is missing or damaged", where=path, fix="Install mood again")
    with np.load(path) as arrays:
        image = arrays["image"].astype(np.float32) / np.float32(255)
        return image, tuple(arrays["spacing_mm"].tolist()), tuple(arrays["middle_mm"].tolist())
