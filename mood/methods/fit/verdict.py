"""What a look at a scan comes to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

FIT = "fit"  # in the column of that name
NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Limit:
    """What a figure of a scan that is fit lies between, and what a scan beyond is.

    Attributes
    ----------
    figure : str
        Its name.
    what : str
        What a scan beyond the limit is, as a clause: 'the skull is still on'.
    told : str
        How the figure is put, with a place for it: '{:.0f} ml of tissue'.
    low, high : float
        Both are within.
    """

    figure: str
    what: str
    told: str
    low: float = -math.inf
    high: float = math.inf

    def reason(self, figures: Mapping[str, float]) -> str:
        """Why a scan with these figures is not fit; nothing when it is, or the figure was not measured."""
        value = figures.get(self.figure, math.nan)
        if not (value < self.low or value > self.high):
            return ""
        limit = f"at least {self.low:g}" if value < self.low else f"at most {self.high:g}"
        return f"{self.what} ({self.told.format(value)}; {limit} is usual)"


@dataclass(frozen=True)
class Fit:
    """Whether a scan is what a region's weights know.

    Attributes
    ----------
    reasons : tuple of str
        Why it is not, a clause each; empty when it is.
    figures : dict of str to float
        What was measured: millilitres, millimetres, shares in [0, 1], correlations.
    skull_on : bool
        Whether what makes it unfit is, or may be, a skull that was not removed.
    checked : bool
        False where nothing is known of the region.
    to_mni : (4, 4) float64 ndarray or None
        From millimetres from the middle of the grid to MNI coordinates, where the scan could be brought to them.
    """

    reasons: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    skull_on: bool = False
    checked: bool = True
    to_mni: np.ndarray | None = field(default=None, compare=False, repr=False)

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.reasons

    @property
    def told(self) -> str:
        """`fit`, or the reasons why not."""
        if not self.checked:
            return NOT_CHECKED
        return "; ".join(self.reasons) or FIT


UNCHECKED = Fit(checked=False)


def held_against(limits: Sequence[Limit], figures: Mapping[str, float]) -> tuple[str, ...]:
    """The reasons of those limits that figures are beyond."""
    return tuple(filter(None, (limit.reason(figures) for limit in limits)))
