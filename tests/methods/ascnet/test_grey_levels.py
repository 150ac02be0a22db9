import numpy as np
import pytest

from mood.methods.ascnet import grey_levels
from mood.methods.ascnet.grey_levels import Levels, agree, collapsed, distance_levels, find_levels, levels_at, measure
from mood.typed import decode_text, encode_text


def grey(rng, **shares):
    """Pixels around grey levels: level_20=0.5 puts half of them at 0.20."""
    counts = {int(name[1:]) / 100: int(20000 * share) for name, share in shares.items()}
    return np.clip(np.concatenate([rng.normal(level, 0.02, n) for level, n in counts.items()]), 0, 1)


@pytest.mark.parametrize(
    ("shares", "thresholds"),
    [
        ({"g10": 0.5, "g50": 0.45, "g90": 0.05}, 1),  # brighter than anything normal
        ({"g10": 0.5, "g30": 0.05, "g50": 0.45}, 2),  # between background and tissue
        ({"g10": 0.5, "g30": 0.03, "g50": 0.43, "g90": 0.04}, 3),
    ],
)
def test_anomalous_peaks_are_those_that_the_reference_lacks(rng, shares, thresholds):
    levels = find_levels(measure(grey(rng, **shares), grey(rng, g10=0.5, g50=0.5)))
    assert levels.split
    assert len(levels.thresholds) == thresholds
    np.testing.assert_allclose(levels.score(np.array([0.1, 0.5])), 0, atol=0.05)
    anomalous = [int(name[1:]) / 100 for name in shares if name not in ("g10", "g50")]
    np.testing.assert_allclose(levels.score(np.array(anomalous)), 1, atol=0.1)
    assert levels.mask(np.array(anomalous)).all()
    assert not levels.mask(np.array([0.1, 0.5])).any()


def test_the_score_rises_through_one_half_at_the_threshold(rng):
    levels = find_levels(measure(grey(rng, g50=0.9, g90=0.1), grey(rng, g50=1)))
    (threshold,) = levels.thresholds
    assert 0.6 < threshold < 0.8
    scores = levels.score(np.linspace(0.5, 0.9, 50))
    assert (np.diff(scores) >= 0).all()
    assert levels.score(np.array([threshold])) == pytest.approx(0.5)
    assert levels.score(np.array([0.0, 1.0])).tolist() == [0, 1]


def test_without_an_anomalous_peak_the_distance_from_normal_is_the_score(rng):
    levels = find_levels(measure(grey(rng, g10=0.5, g50=0.5), grey(rng, g10=0.45, g50=0.55)))
    assert not levels.split
    assert not levels.thresholds
    assert levels.score(np.array([0.5]))[0] < 0.05
    assert np.diff(levels.score(np.array([0.5, 0.7, 1.0]))).min() > 0.1
    assert 0 <= levels.score(np.array([0.0]))[0] <= 1


def test_a_bright_tail_that_the_reference_lacks_is_anomalous_without_a_peak(rng):
    tissue = {"g10": 0.5, "g50": 0.45}
    tail = np.clip(rng.uniform(0.5, 0.9, 1500), 0, 1)
    levels = find_levels(measure(np.concatenate([grey(rng, **tissue), tail]), grey(rng, g10=0.5, g50=0.5)))
    assert levels.split
    (threshold,) = levels.thresholds
    assert 0.53 < threshold < 0.6
    assert levels.score(np.array([0.1, 0.5])).tolist() == pytest.approx([0, 0], abs=0.05)
    assert levels.score(np.array([0.9]))[0] == 1
    assert levels.mask(np.array([0.1, 0.5, 0.65, 0.9])).tolist() == [False, False, True, True]


def test_a_tail_of_a_few_pixels_is_none(rng):
    few = rng.uniform(0.6, 0.9, 20)
    found = find_levels(measure(np.append(grey(rng, g10=0.5, g50=0.5), few), grey(rng, g10=0.5, g50=0.5)))
    assert not found.split


def test_one_grey_level_has_collapsed(rng):
    flat = measure(np.full(100, 0.5), np.full(100, 0.505))
    assert collapsed(flat)
    assert not find_levels(flat).split
    assert not collapsed(measure(np.array([0.1, 0.9]), np.array([0.1])))
    rounded = np.array([0.9, 0.9000001], np.float32)  # as an untrained network may answer
    assert collapsed(measure(rounded, rounded))


@pytest.mark.parametrize(("normal", "anomaly"), [(0.4, 0.9), (0.8, 0.1)])
def test_a_threshold_by_hand_parts_bright_and_dark_anomalies(normal, anomaly):
    levels = levels_at(0.6, normal)
    assert levels.thresholds == (0.6,)
    assert levels.mask(np.array([normal, anomaly])).tolist() == [False, True]


def test_a_threshold_at_the_edge_still_has_rising_levels():
    for threshold, normal in ((0.9999, 0.4), (0.5, 0.5), (0.0001, 0.9)):
        assert (np.diff(levels_at(threshold, normal).positions) >= 0).all()


def test_checks_agree_when_no_peak_has_moved_far():
    one = Levels((0.1, 0.3, 0.5), (0.0, 0.5, 1.0), True)
    assert agree(one, Levels((0.12, 0.3, 0.52), (0.0, 0.5, 1.0), True), 1.0)
    assert not agree(one, Levels((0.12, 0.3, 0.7), (0.0, 0.5, 1.0), True), 1.0)
    assert not agree(one, Levels((0.1, 0.3, 0.5), (1.0, 0.5, 0.0), True), 1.0)
    assert not agree(one, distance_levels(0.5), 1.0)


def test_levels_survive_json():
    levels = Levels((0.1, 0.3, 0.5), (0.0, 0.5, 1.0), True)
    assert decode_text(Levels, encode_text(levels)) == levels


def test_the_valley_is_the_middle_of_its_floor():
    assert grey_levels.valley(np.array([0, 5, 1, 1, 1, 6, 0]), 1, 5) == 3
