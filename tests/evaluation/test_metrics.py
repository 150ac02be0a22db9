"""Counting gives scikit-learn's numbers on the float16 values, pooled and case by case."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from mood.evaluation import metrics
from mood.evaluation.metrics import (
    auroc,
    average_precision,
    best_dice,
    count_scores,
    count_values,
    stack_cases,
)

SHAPE = (24, 20, 16)


def draw_case(rng, share=0.1, signal=0.3):
    """A label and a map that partly sees it, with values below 0 and above 1."""
    label = rng.random(SHAPE) < share
    return (rng.normal(0.4, 0.3, SHAPE) + signal * label).astype(np.float32), label


def as_read(score_map):
    return np.clip(score_map.astype(np.float16), 0, 1).ravel()


scores_and_labels = st.lists(
    st.tuples(st.floats(-0.5, 1.5, width=16) | st.sampled_from([0.0, -0.0, 0.5, 1.0]), st.booleans()),
    min_size=2,
    max_size=30,
).filter(lambda pairs: len({label for _, label in pairs}) == 2)


@settings(max_examples=40, deadline=None)
@given(scores_and_labels)
def test_equals_scikit_learn(pairs):
    scores, label = np.array([s for s, _ in pairs], dtype=np.float32), np.array([y for _, y in pairs])
    counts = count_values(scores, label)
    assert average_precision(counts) == pytest.approx(average_precision_score(label, as_read(scores)), abs=1e-12)
    assert auroc(counts) == pytest.approx(roc_auc_score(label, as_read(scores)), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(scores_and_labels)
def test_best_dice_is_reached_at_its_threshold_and_nowhere_exceeded(pairs):
    scores, label = np.array([s for s, _ in pairs], dtype=np.float32), np.array([y for _, y in pairs])
    dice, threshold = best_dice(count_values(scores, label))
    read = as_read(scores)
    assert dice == pytest.approx(f1_score(label, read >= threshold), abs=1e-12)
    assert dice == pytest.approx(max(f1_score(label, read >= value) for value in set(read)), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(scores_and_labels)
def test_sample_scores_are_not_rounded_to_float16(pairs):
    scores = np.array([s for s, _ in pairs]) + np.arange(len(pairs)) * 1e-9
    label = np.array([y for _, y in pairs])
    counts = count_scores(scores, label).pooled()
    expected = average_precision_score(label, np.clip(scores, 0, 1))
    assert average_precision(counts) == pytest.approx(expected, abs=1e-12)


def test_volume_with_chunk_borders_equals_scikit_learn(monkeypatch):
    monkeypatch.setattr(metrics, "CHUNK_VOXELS", 1001)
    score_map, label = draw_case(np.random.default_rng(1))
    counts = count_values(score_map, label)
    assert average_precision(counts) == pytest.approx(
        average_precision_score(label.ravel(), as_read(score_map)), abs=1e-12
    )
    assert counts.positives.sum() == label.sum()
    assert counts.negatives.sum() == (~label).sum()


def test_memory_order_does_not_matter():
    score_map, label = draw_case(np.random.default_rng(2))
    expected = count_values(score_map, label)
    for order in ("F", "C"):
        counts = count_values(np.asfortranarray(score_map), label.copy(order=order))
        np.testing.assert_array_equal(counts.positives, expected.positives)
        np.testing.assert_array_equal(counts.negatives, expected.negatives)


def test_integer_labels_count_as_boolean_ones():
    score_map, label = draw_case(np.random.default_rng(2))
    counts = count_values(score_map, label.astype(np.uint8))
    np.testing.assert_array_equal(counts.positives, count_values(score_map, label).positives)


def test_sum_of_cases_is_the_pool():
    rng = np.random.default_rng(3)
    (map_a, label_a), (map_b, label_b) = draw_case(rng), draw_case(rng, share=0.4)
    counts = count_values(map_a, label_a) + count_values(map_b, label_b)
    pooled = count_values(np.concatenate([map_a, map_b]), np.concatenate([label_a, label_b]))
    np.testing.assert_array_equal(counts.positives, pooled.positives)
    np.testing.assert_array_equal(counts.negatives, pooled.negatives)


def test_stacked_cases_are_scored_each_for_itself():
    rng = np.random.default_rng(4)
    cases = [count_values(*draw_case(rng)) for _ in range(3)]
    stacked = stack_cases(cases)
    np.testing.assert_array_equal(average_precision(stacked), [average_precision(case) for case in cases])
    np.testing.assert_array_equal(auroc(stacked), [auroc(case) for case in cases])
    assert auroc(stacked.cases(np.array([1]))) == auroc(cases[1])


def test_occurring_values_are_enough():
    rng = np.random.default_rng(5)
    counts = count_values(np.round(draw_case(rng)[0], 1), draw_case(rng)[1])
    fewer = counts.occurring()
    assert len(fewer.values) == 11
    assert auroc(fewer) == pytest.approx(auroc(counts), abs=1e-15)
    assert best_dice(fewer) == best_dice(counts)


def test_counts_of_different_values_do_not_add():
    labels = np.array([True, False])
    with pytest.raises(ValueError, match="different values"):
        count_scores(np.array([0.1, 0.2]), labels) + count_scores(np.array([0.1, 0.3]), labels)


def test_infinite_scores_are_clipped():
    counts = count_values(np.array([np.inf, -np.inf, 1e9, -1e9], np.float32), np.array([1, 0, 1, 0], bool))
    assert counts.positives[-1] == 2
    assert counts.negatives[0] == 2


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("nan", [np.nan, -np.nan])
def test_nan_is_refused(dtype, nan):
    score_map = np.zeros(SHAPE, dtype=dtype)
    score_map[3, 4, 5] = nan
    with pytest.raises(ValueError, match="NaN"):
        count_values(score_map, np.zeros(SHAPE, dtype=bool))
    with pytest.raises(ValueError, match="NaN"):
        count_scores(score_map.ravel(), np.zeros(score_map.size, dtype=bool))


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="shape"):
        count_values(np.zeros(SHAPE), np.zeros(SHAPE[::-1], dtype=bool))


def test_undefined_metrics_are_nan():
    scores = np.linspace(0, 1, 5)
    healthy, anomalous = (count_values(scores, np.full(5, value)) for value in (False, True))
    assert np.isnan([average_precision(healthy), auroc(healthy), *best_dice(healthy)]).all()
    assert np.isnan(auroc(anomalous))
    assert average_precision(anomalous) == 1
