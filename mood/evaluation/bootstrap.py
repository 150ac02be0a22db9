"""How far a pooled metric could lie from its value, had other cases been drawn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mood.evaluation.metrics import ValueCounts

BLOCK_RESAMPLES = 50  # 12 MB of weighted counts at a time


def bootstrap_interval(
    counts_per_case: ValueCounts,
    metric: Callable[[ValueCounts], np.ndarray],
    rng: np.random.Generator,
    resamples: int = 1000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile interval of a pooled metric when the cases are drawn again with replacement.

    Cases, not voxels: voxels of one scan are not independent (Efron and Tibshirani 1993, chapter 13).
    Resamples in which the metric is undefined are left out; both bounds are NaN when all are.

    Parameters
    ----------
    counts_per_case : ValueCounts
        Of C cases.
    metric : callable
        `average_precision` or `auroc`.
    rng : numpy.random.Generator
        Where the resamples come from.
    resamples : int
        How many there are.
    level : float
        Share of the estimates that lies within, half of the rest on either side.
    """
    counts = counts_per_case.occurring()
    counts = ValueCounts(counts.values, counts.positives.astype(float), counts.negatives.astype(float))
    cases = len(counts.positives)
    weights = rng.multinomial(cases, np.full(cases, 1 / cases), size=resamples).astype(float)
    blocks = [weights[start : start + BLOCK_RESAMPLES] for start in range(0, resamples, BLOCK_RESAMPLES)]
    estimates = np.concatenate([metric(counts.weighted(block)) for block in blocks])
    estimates = estimates[np.isfinite(estimates)]
    if not len(estimates):
        return float("nan"), float("nan")
    low, high = np.quantile(estimates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
