"""From a map's values to how rare they are among healthy voxels: what thresholds and colours are told in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mood.calibration import DECADES, Calibration
from mood.errors import UsageError

TOP = round(DECADES[-1])  # decades: what is rarer than that no healthy scan can tell
STEPS = (2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0)  # decades at which the slider stops
MEASURED, OF_FOLDER = "measured on healthy scans", "told from the maps of this folder"


@dataclass(frozen=True)
class RarityScale:
    """What one voxel in 10, 100, ... reaches.

    Attributes
    ----------
    calibration : Calibration
        Only its `rare_values` are looked at.
    measured : bool
        True when they were measured on healthy scans; else they are quantiles of the maps at hand, in which
        whatever is unusual is counted too.
    """

    calibration: Calibration
    measured: bool

    @classmethod
    def of_maps(cls, values: Iterable[np.ndarray]) -> RarityScale:
        """The scale of a folder whose weights were never calibrated: quantiles of its own maps.

        Parameters
        ----------
        values : (N,) float ndarrays in [0, 1]
            Each map's values on tissue, or an even part of them.
        """
        pooled = np.concatenate([np.zeros(1, np.float32), *values])
        shares = 1 - 10.0 ** -np.arange(1, TOP + 1)
        return cls(Calibration(0.0, 1.0, tuple(float(value) for value in np.quantile(pooled, shares))), measured=False)

    def decades(self, score_map: np.ndarray) -> np.ndarray:
        """How rare each value is: 3 for one healthy voxel in 1,000; float32 from 0 to `TOP`, same shape."""
        return np.minimum(self.calibration.rare.rarity(score_map), np.float32(TOP))

    def value_at(self, decades: float) -> float:
        """The map value that one healthy voxel in 10^`decades` reaches."""
        positions = [0.0, *self.calibration.rare_values]
        return float(np.interp(decades, np.arange(len(positions)), np.maximum.accumulate(positions)))


def one_in(decades: float) -> str:
    """A rarity in words: '1 in 3,000'; beyond what was measured, 'rarer than 1 in 100,000'."""
    if decades >= TOP - 1e-6:
        return f"rarer than 1 in {10**TOP:,}"
    number = 10**decades
    digits = max(0, int(np.floor(np.log10(max(number, 1)))))
    rounded = round(number, -digits) if digits else round(number)
    return f"1 in {int(rounded):,}"


def to_decades(one_in_voxels: float) -> float:
    """Decades of the option 'one voxel in so many'; `UsageError` outside 100 to 100,000."""
    if not 100 <= one_in_voxels <= 10**TOP:
        fix = f"Give a number from 100 to {10**TOP:,}; 1000 means one healthy voxel in 1,000"
        raise UsageError(f"a place cannot be one voxel in {one_in_voxels:g}", fix=fix)
    return float(np.log10(one_in_voxels))
