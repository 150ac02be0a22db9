"""Which look is taken at a scan of which region."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mood.methods.fit.abdomen import check_abdomen
from mood.methods.fit.brain import check_brain
from mood.methods.fit.verdict import UNCHECKED, Fit
from mood.regions import Grid, Region

SIDE = 128  # voxels of the grid that scans are looked at on
Check = Callable[[np.ndarray, Grid, tuple[float, ...], Region], Fit]
CHECKS: dict[str, Check] = {"brain": check_brain, "abdom": check_abdomen}


def fit_grid(region: Region) -> Grid:
    """The grid that scans of a region are looked at on; that of methods which register, so that both search once."""
    return region.grid.coarsened(SIDE)


def check_fit(scan: np.ndarray, spacing_mm: tuple[float, ...], region: Region) -> Fit:
    """Whether a scan is what a region's weights know.

    Parameters
    ----------
    scan : (X, Y, Z) float32 ndarray in [0, 1]
        On `fit_grid(region)`, as `mood.conform` brings it there.
    spacing_mm : three floats
        Of the scan's own voxels.

    Returns
    -------
    Fit
        Not `checked` for a region that nobody wrote a check for.
    """
    check = CHECKS.get(region.name)
    return check(scan, fit_grid(region), spacing_mm, region) if check else UNCHECKED
