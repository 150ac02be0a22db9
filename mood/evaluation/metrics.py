"""Exact pooled metrics by counting: one pass, constant memory, the official number to the last digit.

The challenge reads score maps as float16 and clips them to [0, 1], where only 15,361 values exist. How
many anomalous and healthy voxels have each value is all that average precision, AUROC and Dice depend on,
so counts stand in for the voxels: they add up over cases, and a bootstrap weighs them.

    counts = count_values(score_map, label) + count_values(other_map, other_label)
    average_precision(counts)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

ONE = 0x3C00  # the bits of 1.0; the bits of a float16 in [0, 1] order as its value does
INFINITY = 0x7C00  # larger bits, the sign left out, are NaN
UNIT_VALUES = np.arange(ONE + 1, dtype=np.uint16).view(np.float16)
CHUNK_VOXELS = 2**20


@dataclass(frozen=True, eq=False)
class ValueCounts:
    """How many anomalous and healthy voxels (or samples) were given each score.

    Attributes
    ----------
    values : (V,) ndarray
        Scores, ascending.
    positives, negatives : (V,) or (C, V) ndarray
        Anomalous and healthy voxels of each score, pooled or for each of C cases.
    """

    values: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray

    def __add__(self, other: ValueCounts) -> ValueCounts:
        if not np.array_equal(self.values, other.values):
            raise ValueError("counts of different values cannot be added")
        return ValueCounts(self.values, self.positives + other.positives, self.negatives + other.negatives)

    def pooled(self) -> ValueCounts:
        """The counts of all cases together."""
        return ValueCounts(self.values, self.positives.sum(axis=0), self.negatives.sum(axis=0))

    def cases(self, chosen: np.ndarray) -> ValueCounts:
        """The counts of some cases.

        Parameters
        ----------
        chosen : (K,) int or (C,) bool ndarray
            Indices, or a mask.
        """
        return ValueCounts(self.values, self.positives[chosen], self.negatives[chosen])

    def occurring(self) -> ValueCounts:
        """The same counts without the scores that no case has."""
        seen = (self.positives + self.negatives).reshape(-1, len(self.values)).any(axis=0)
        return ValueCounts(self.values[seen], self.positives[..., seen], self.negatives[..., seen])

    def weighted(self, weights: np.ndarray) -> ValueCounts:
        """Pools of the cases, each as often as it is weighted.

        Parameters
        ----------
        weights : (R, C) or (C,) ndarray
            How many times case `c` appears, of R pools or of one.
        """
        return ValueCounts(self.values, weights @ self.positives, weights @ self.negatives)


def stack_cases(counts: list[ValueCounts]) -> ValueCounts:
    """Counts of several cases as one.

    Parameters
    ----------
    counts : list of ValueCounts
        Of C cases over the same V values; the result holds (C, V) arrays.
    """
    positives = np.stack([case.positives for case in counts])
    negatives = np.stack([case.negatives for case in counts])
    return ValueCounts(counts[0].values, positives, negatives)


def count_values(score_map: np.ndarray, label: np.ndarray) -> ValueCounts:
    """Voxels of each float16 value in [0, 1], anomalous and healthy, as the challenge reads a map.

    Parameters
    ----------
    score_map : (X, Y, Z) floating ndarray
        Cast to float16 and clipped to [0, 1].
    label : (X, Y, Z) bool ndarray
        True, or any number but 0, where anomalous.

    Raises
    ------
    ValueError
        When the shapes differ, or a score is NaN: the official scorer fails there.
    """
    if score_map.shape != label.shape:
        raise ValueError(f"the map has shape {score_map.shape}, the label {label.shape}")
    order: Literal["C", "F"] = "F" if score_map.flags.f_contiguous and label.flags.f_contiguous else "C"
    scores, anomalous = score_map.ravel(order), label.ravel(order)
    total, positives = np.zeros((2, ONE + 1), dtype=np.int64)
    for start in range(0, scores.size, CHUNK_VOXELS):
        chunk = slice(start, start + CHUNK_VOXELS)
        rank = _float16_rank(scores[chunk])
        total += np.bincount(rank, minlength=ONE + 1)
        positives += np.bincount(rank[anomalous[chunk].astype(bool, copy=False)], minlength=ONE + 1)
    return ValueCounts(UNIT_VALUES, positives, total - positives)


def _float16_rank(scores: np.ndarray) -> np.ndarray:
    """Index into `UNIT_VALUES` of each score after the cast to float16 and the clip to [0, 1]."""
    with np.errstate(over="ignore"):  # beyond 65504 is infinite, and clipped to 1
        bits = scores.astype(np.float16, copy=False).view(np.int16)
    if np.any((bits & 0x7FFF) > INFINITY):
        raise ValueError("a score is NaN")
    return np.clip(bits, 0, ONE)  # the sign bit makes negative scores negative integers


def count_scores(sample_scores: np.ndarray, labels: np.ndarray) -> ValueCounts:
    """One sample score for each of C cases as (C, V) counts, V being the number of distinct scores.

    The official scorer clips sample scores to [0, 1] but, unlike maps, does not round them to float16.

    Parameters
    ----------
    sample_scores : (C,) float64 ndarray
        One for each case.
    labels : (C,) bool ndarray
        True where anomalous.

    Raises
    ------
    ValueError
        When a score is NaN.
    """
    if np.isnan(sample_scores).any():
        raise ValueError("a score is NaN")
    values, rank = np.unique(np.clip(sample_scores, 0.0, 1.0), return_inverse=True)
    given = rank[:, None] == np.arange(len(values))
    anomalous = np.asarray(labels, dtype=bool)[:, None]
    return ValueCounts(values, (given & anomalous).astype(np.int64), (given & ~anomalous).astype(np.int64))


def average_precision(counts: ValueCounts) -> np.ndarray:
    """Mean precision over the recalls that the scores allow, the challenge's number.

    `sum((recall_n - recall_(n-1)) * precision_n)` over descending thresholds, without interpolation, as
    scikit-learn's `average_precision_score`. NaN where nothing is anomalous; scikit-learn says 0 there.

    Parameters
    ----------
    counts : ValueCounts
        Pooled, or of C cases.

    Returns
    -------
    () or (C,) float64 ndarray
        One value for pooled counts, one for each case otherwise.
    """
    true_positives, false_positives = _sweep(counts)
    precision = true_positives / np.maximum(true_positives + false_positives, 1)
    recall_steps = _share(counts.positives[..., ::-1])
    return np.sum(recall_steps * precision, axis=-1)


def auroc(counts: ValueCounts) -> np.ndarray:
    """Chance that an anomalous voxel scores higher than a healthy one, ties counting half.

    The Mann-Whitney statistic (Hanley and McNeil, Radiology 1982), equal to scikit-learn's
    `roc_auc_score`. NaN where nothing is anomalous or nothing healthy.

    Parameters
    ----------
    counts : ValueCounts
        Pooled, or of C cases.

    Returns
    -------
    () or (C,) float64 ndarray
        One value for pooled counts, one for each case otherwise.
    """
    true_positives, _ = _sweep(counts)
    above = true_positives - 0.5 * counts.positives[..., ::-1]
    with np.errstate(invalid="ignore"):
        sensitivity = above / true_positives[..., -1:]
    return np.sum(_share(counts.negatives[..., ::-1]) * sensitivity, axis=-1)


def best_dice(counts: ValueCounts) -> tuple[float, float]:
    """The highest Dice coefficient that one threshold reaches on pooled counts, and that threshold.

    `2 TP / (2 TP + FP + FN)` (Dice, Ecology 1945) where a voxel is called anomalous when its score is at
    least the threshold. Of equal ones the highest threshold is returned. Both are NaN where nothing is
    anomalous. The threshold is chosen with the labels, so this is an upper bound, not a test result.

    Parameters
    ----------
    counts : ValueCounts
        Pooled.
    """
    true_positives, false_positives = _sweep(counts)
    anomalous = true_positives[-1]
    if anomalous == 0:
        return float("nan"), float("nan")
    dice = 2 * true_positives / (true_positives + false_positives + anomalous)
    best = int(np.argmax(dice))
    return float(dice[best]), float(counts.values[::-1][best])


def _sweep(counts: ValueCounts) -> tuple[np.ndarray, np.ndarray]:
    """True and false positives, (..., V), as the threshold falls from the highest value to the lowest."""
    true_positives = np.cumsum(counts.positives[..., ::-1], axis=-1)
    return true_positives, np.cumsum(counts.negatives[..., ::-1], axis=-1)


def _share(counts: np.ndarray) -> np.ndarray:
    """Counts (..., V) divided by their sum over values; NaN where that is 0."""
    with np.errstate(invalid="ignore"):
        return counts / counts.sum(axis=-1, keepdims=True)
