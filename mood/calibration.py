"""What a score means, measured on healthy scans that were not trained on; constants stored with the weights.

Nothing is normalised within a case: the same value means the same in every scan.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta

from mood.typed import Share

DECADES = 5  # rarity is measured down to one voxel in 10^5
SMALLEST_SCORE = 1e-6
SMALLEST_SPREAD = 0.1  # of the logarithm: scores of a few scans that happen to agree are not certain
LOGISTIC_WIDTH = np.sqrt(3) / np.pi  # of a logistic distribution with standard deviation 1


@dataclass(frozen=True)
class Calibration:
    """How a method scores healthy scans.

    Attributes
    ----------
    log_mean, log_spread : float
        Mean and standard deviation of the logarithm of the sample scores.
    rare_values : tuple of DECADES floats, rising
        What one healthy tissue voxel in 10, 100, ... reaches in the map.
    """

    log_mean: Annotated[float, Meta(ge=-20, le=0)]  # scores are at most 1
    log_spread: Annotated[float, Meta(gt=0, le=20)]
    rare_values: Annotated[tuple[Share, ...], Meta(min_length=DECADES, max_length=DECADES)]

    def __post_init__(self) -> None:
        if any(a > b for a, b in itertools.pairwise(self.rare_values)):
            raise ValueError("rare_values: they do not rise")

    def share_below(self, sample_score: float) -> float:
        """The share of healthy scans that score lower, by a logistic distribution of the logarithm: in [0, 1]."""
        z = (np.log(max(sample_score, SMALLEST_SCORE)) - self.log_mean) / self.log_spread
        return float(1 / (1 + np.exp(-z / LOGISTIC_WIDTH)))

    def rarity(self, score_map: np.ndarray) -> np.ndarray:
        """How rare each value is in healthy tissue: each sixth of [0, 1] is ten times rarer; float32, same shape."""
        positions = np.maximum.accumulate([0.0, *self.rare_values, 1.0])
        positions += np.arange(len(positions)) * 1e-9  # strictly rising
        return np.interp(score_map, positions, np.linspace(0, 1, len(positions))).astype(np.float32)

    @property
    def display_range(self) -> tuple[float, float]:
        """Map values that viewers show from and up to: rarer than 1 healthy voxel in 1,000, and 1 in 100,000."""
        return self.rare_values[2], max(self.rare_values[-1], self.rare_values[2] + SMALLEST_SCORE)


def calibrate(sample_scores: Iterable[float], tissue_values: Iterable[np.ndarray]) -> Calibration:
    """Constants from what a method says of healthy scans.

    Parameters
    ----------
    sample_scores : floats in [0, 1]
        Before any calibration, one a scan; at least one.
    tissue_values : (N,) float ndarrays in [0, 1]
        The maps' values on tissue.
    """
    logs = np.log(np.maximum(list(sample_scores), SMALLEST_SCORE))
    values = np.concatenate(list(tissue_values))
    shares = 1 - 10.0 ** -np.arange(1, DECADES + 1)
    rare = np.quantile(values, shares) if values.size else np.linspace(0, 1, DECADES)
    return Calibration(
        float(logs.mean()), float(max(logs.std(), SMALLEST_SPREAD)), tuple(round(float(v), 6) for v in rare)
    )
