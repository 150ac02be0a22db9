"""Score a folder of predictions against a folder of labels, by the challenge's own rules and beyond.

The official number is the average precision: over all samples, or over all voxels of all cases pooled. A
prediction that is missing, unreadable or of another shape counts as 0 there without a word; here it does so
with a warning. A NaN makes the official score fail, and is an error here.

    evaluation = evaluate_folder(labels, predictions, "pixel", np.random.default_rng(0))
    rich.print(render_table({"fpi": evaluation}))
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mood.errors import ScanError
from mood.evaluation.bootstrap import bootstrap_interval
from mood.evaluation.label_files import (
    Pair,
    find_pairs,
    geometry_difference,
    read_label_map,
    read_sample_label,
    read_sample_score,
    read_score_map,
)
from mood.evaluation.metrics import (
    ValueCounts,
    auroc,
    average_precision,
    best_dice,
    count_scores,
    count_values,
    stack_cases,
)
from mood.evaluation.objects import ObjectCounts, object_f1
from mood.evaluation.results import Estimate, Evaluation, Scores, render_kinds, render_table, save_evaluations
from mood.synthesis.outliers import ALL_KINDS

__all__ = ["Evaluation", "evaluate_folder", "render_kinds", "render_table", "save_evaluations"]

log = logging.getLogger(__name__)

HEALTHY = "healthy"


def evaluate_folder(
    labels: Path, predictions: Path, mode: str, rng: np.random.Generator, resamples: int = 1000
) -> Evaluation:
    """Score the predictions of one folder.

    Parameters
    ----------
    labels : pathlib.Path
        `NAME.nii.gz` (pixel: 1 = anomalous) or `NAME.nii.gz.txt` (sample: 0 or 1), directly in it or in its
        folder `pixel` or `sample`.
    predictions : pathlib.Path
        Files of the same names.
    mode : {'pixel', 'sample'}
    rng : numpy.random.Generator
        Draws the bootstrap's cases.
    resamples : int
        Bootstrap samples of each interval.

    Raises
    ------
    NoInputError
        When a folder is missing or there is no label.
    ScanError
        When a label cannot be read or a prediction holds a NaN.
    UsageError
        When the mode is unknown.
    """
    pairs = find_pairs(labels, predictions, mode)
    evaluate = _evaluate_pixel if mode == "pixel" else _evaluate_sample
    return evaluate(pairs, rng, resamples)


def _evaluate_pixel(pairs: list[Pair], rng: np.random.Generator, resamples: int) -> Evaluation:
    missing: dict[str, str] = {}
    counts = stack_cases([_count_voxels(pair, missing) for pair in pairs])
    dice, threshold = best_dice(counts.pooled())
    overall, kinds = _score_all(pairs, counts, with_healthy=False, rng=rng, resamples=resamples)
    rows = zip(pairs, counts.positives.sum(axis=1), average_precision(counts), strict=True)
    return Evaluation(
        mode="pixel",
        cases=len(pairs),
        missing=missing,
        average_precision=overall.average_precision,
        auroc=overall.auroc,
        dice=dice,
        threshold=threshold,
        objects=sum((_count_objects(pair, threshold) for pair in pairs), ObjectCounts()),
        kinds=kinds,
        per_case=tuple(
            {"case": pair.name, "anomalous_voxels": int(voxels), "average_precision": float(precision)}
            for pair, voxels, precision in rows
        ),
    )


def _evaluate_sample(pairs: list[Pair], rng: np.random.Generator, resamples: int) -> Evaluation:
    missing: dict[str, str] = {}
    labels = np.array([read_sample_label(pair.label) for pair in pairs])
    scores = np.array([_sample_score(pair, missing) for pair in pairs])
    counts = count_scores(scores, labels)
    overall, kinds = _score_all(pairs, counts, with_healthy=True, rng=rng, resamples=resamples)
    return Evaluation(
        mode="sample",
        cases=len(pairs),
        missing=missing,
        average_precision=overall.average_precision,
        auroc=overall.auroc,
        kinds=kinds,
        per_case=tuple(
            {"case": pair.name, "label": int(label), "score": float(score)}
            for pair, label, score in zip(pairs, labels, scores, strict=True)
        ),
    )


def _count_voxels(pair: Pair, missing: dict[str, str]) -> ValueCounts:
    label = read_label_map(pair.label)
    if difference := geometry_difference(pair):
        log.warning("%s: %s; they are compared voxel by voxel all the same, as in the challenge", pair.name, difference)
    try:
        score_map = read_score_map(pair.prediction, label.shape)
    except ScanError as error:
        _count_as_zero(pair, error, missing)
        score_map = np.zeros(label.shape, dtype=np.float16, order="F")
    try:
        return count_values(score_map, label)
    except ValueError as error:
        raise _nan_error(pair) from error


def _count_objects(pair: Pair, threshold: float) -> ObjectCounts:
    """Read the pair once more, so that no two cases are ever in memory."""
    label = read_label_map(pair.label)
    try:
        score_map = read_score_map(pair.prediction, label.shape)
    except ScanError:
        score_map = np.zeros(label.shape, dtype=np.float16)
    return object_f1(score_map, label, threshold)


def _sample_score(pair: Pair, missing: dict[str, str]) -> float:
    try:
        score = read_sample_score(pair.prediction)
    except ScanError as error:
        _count_as_zero(pair, error, missing)
        return 0.0
    if not math.isfinite(score):
        raise _nan_error(pair)
    return score


def _count_as_zero(pair: Pair, error: ScanError, missing: dict[str, str]) -> None:
    log.warning("%s counts as 0, as in the challenge: %s", pair.name, error)
    missing[pair.name] = error.what


def _nan_error(pair: Pair) -> ScanError:
    fix = "Predict this scan again; the official score of the whole folder fails on it"
    return ScanError("the prediction holds a NaN or an infinite number", where=pair.prediction, fix=fix)


def _score_all(
    pairs: list[Pair], counts: ValueCounts, *, with_healthy: bool, rng: np.random.Generator, resamples: int
) -> tuple[Scores, dict[str, Scores]]:
    """Scores over all cases, and of each kind of outlier by itself or against the healthy cases."""
    overall = _scores(counts, rng, resamples)
    healthy = np.array([pair.name.endswith(f"_{HEALTHY}") for pair in pairs])
    kinds = {}
    for kind in ALL_KINDS:
        chosen = np.array([pair.name.endswith(f"_{kind}") for pair in pairs])
        if chosen.any():
            chosen |= healthy & with_healthy
            kinds[kind] = _scores(counts.cases(chosen), rng, resamples)
    return overall, kinds


def _scores(counts: ValueCounts, rng: np.random.Generator, resamples: int) -> Scores:
    def estimate(metric: Callable[[ValueCounts], np.ndarray]) -> Estimate:
        low, high = bootstrap_interval(counts, metric, rng, resamples)
        return Estimate(float(metric(counts.pooled())), low, high)

    return Scores(len(counts.positives), estimate(average_precision), estimate(auroc))
