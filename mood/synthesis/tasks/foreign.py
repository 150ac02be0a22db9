"""Tasks that bring in tissue of another subject: FPI's own, and the same with an irregular outline.

Tan et al. 2020 (arXiv 2011.04197) mix a square of each slice; here it is a cuboid of the scan, so that
neighbouring slices tell of one anomaly. The foreign tissue may be brought to the brightness and contrast
of what it replaces: otherwise a network learns to tell scanners apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from mood.synthesis.tasks.base import Place, Task

MATCHED_SHARE = 0.8  # of the patches whose foreign tissue is matched
CONTRAST_LIMITS = (0.6, 1.6)  # of the matching factor


@dataclass(frozen=True)
class ForeignPatch(Task):
    """FPI: a cuboid is a mixture of two subjects, and the label is the foreign share."""

    name = "fpi"
    irregular = False
    alpha: float  # share of the host
    matched: bool

    @classmethod
    def draw(cls, rng: Generator) -> ForeignPatch:
        return cls(float(rng.uniform(0.05, 0.95)), bool(rng.random() < MATCHED_SHARE))

    @property
    def share(self) -> float:
        return 1.0 - self.alpha

    def content(self, host: np.ndarray, foreign: np.ndarray, place: Place) -> np.ndarray:
        before, other = host[place.box], foreign[place.box]
        other = match_intensities(other, before) if self.matched else other
        return self.alpha * before + (1 - self.alpha) * other


@dataclass(frozen=True)
class ForeignBlob(ForeignPatch):
    """Mostly foreign tissue within an irregular outline."""

    name = "blob"
    irregular = True

    @classmethod
    def draw(cls, rng: Generator) -> ForeignBlob:
        return cls(float(rng.uniform(0.0, 0.5)), bool(rng.random() < MATCHED_SHARE))


def match_intensities(content: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`content` with the mean and the spread of `target`, tissue only; background stays 0.

    Parameters
    ----------
    content, target : float ndarrays of one shape
    """
    tissue, wanted = content > 0, target > 0
    if not (tissue.any() and wanted.any()):
        return content
    values, aim = content[tissue], target[wanted]
    factor = np.clip(aim.std() / max(float(values.std()), 1e-3), *CONTRAST_LIMITS)
    matched = content.copy()
    matched[tissue] = np.maximum((values - values.mean()) * factor + aim.mean(), 1e-3)
    return matched
