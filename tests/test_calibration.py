from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mood.calibration import Calibration, RareValues, Site, SitePlace, as_score, calibrate, threshold_for
from mood.typed import decode_text, encode_text

RNG = np.random.default_rng(0)
HEALTHY_SCORES = np.exp(RNG.normal(-4, 0.5, 200))
TISSUE = [RNG.beta(1, 30, 100_000) for _ in range(3)]


@pytest.fixture
def measured() -> Calibration:
    return calibrate(HEALTHY_SCORES, TISSUE)


def test_the_constants_are_those_of_the_logarithms_and_of_one_voxel_in_10_100_and_so_on():
    calibration = calibrate(np.exp([-1.0, -3.0]), [np.linspace(0, 0.5, 500_000), np.linspace(0.5, 1, 500_001)])
    assert (calibration.log_mean, calibration.log_spread) == pytest.approx((-2, 1))
    assert calibration.rare_values == pytest.approx((0.9, 0.99, 0.999, 0.9999, 0.99999), abs=2e-6)


def test_scores_that_agree_are_not_taken_for_certain_and_a_score_of_0_has_a_logarithm():
    calibration = calibrate([0.0, 1e-6, 1e-9], [np.zeros(0)])
    assert calibration.log_mean == pytest.approx(np.log(1e-6))
    assert calibration.log_spread == 0.1
    assert calibration.rare_values == (0.0, 0.25, 0.5, 0.75, 1.0)  # nothing is known of tissue
    assert calibration.share_below(0.0) == calibration.share_below(1e-6) == pytest.approx(0.5)


def test_a_score_among_few_is_judged_by_students_distribution():
    calibration = Calibration(-4.0, 0.5, (0.1, 0.2, 0.3, 0.4, 0.5), scans=5)
    deviations = 0.5 * np.sqrt(1 + 1 / 5)
    assert calibration.share_below(np.exp(-4 + deviations * 2.776)) == pytest.approx(0.975, abs=1e-3)  # 4 of freedom


def test_a_value_that_many_voxels_share_is_as_rare_as_the_most_common_of_its_decades():
    tied = Calibration(-4.0, 0.5, (0.2,) * 5)
    rarity = tied.rarity(np.array([0.1, 0.2, 0.2 + 1e-6, 1.0]))
    assert rarity[:3] == pytest.approx([0.5, 1, 5], abs=0.01)
    assert 5 < rarity[3] <= 10


def test_rare_values_that_fall_are_refused():
    with pytest.raises(ValueError, match=r"^rare_values: they do not rise$"):
        Calibration(-4.0, 0.5, (0.1, 0.3, 0.2, 0.4, 0.5))


def test_a_calibrated_score_is_the_share_of_healthy_scans_that_score_lower(measured):
    for share in (0.1, 0.5, 0.9):
        assert measured.share_below(np.quantile(HEALTHY_SCORES, share)) == pytest.approx(share, abs=0.05)


@given(st.floats(0, 1), st.floats(0, 1))
def test_calibration_keeps_the_order_of_scores(one, other):
    low, high = sorted((one, other))
    calibration = Calibration(-4.0, 0.5, (0.1, 0.2, 0.3, 0.4, 0.5))
    assert calibration.share_below(low) <= calibration.share_below(high)


def test_scores_far_above_every_healthy_one_can_still_be_told_apart(measured):
    shares = [measured.share_below(score) for score in (0.2, 0.3, 0.5, 0.99)]
    assert sorted(set(shares)) == shares
    assert shares[-1] <= 1


def test_few_healthy_scans_leave_room_for_scores_that_are_rarer():
    few, many = (calibrate([0.01, 0.02] * n, TISSUE) for n in (2, 200))
    assert few.share_below(0.2) < many.share_below(0.2)
    assert few.share_below(0.9) - few.share_below(0.3) > 1e-3


def test_rarity_counts_decades(measured):
    rarity = measured.rarity(np.concatenate(TISSUE))
    for decade in range(1, 5):
        assert (rarity > decade).mean() == pytest.approx(10.0**-decade, rel=0.25)
    assert rarity.dtype == np.float32


def test_finer_steps_hold_between_decades_and_for_values_of_any_range():
    values = np.random.default_rng(1).normal(0, 3, 200_000)
    rarity = RareValues.of(values).rarity(values)
    for decade in (0.3, 0.5, 1.5, 2.5, 3.5):
        assert (rarity > decade).mean() == pytest.approx(10.0**-decade, rel=0.15)


def test_beyond_what_healthy_tissue_reaches_rarity_still_rises(measured):
    rarity = measured.rarity(np.linspace(0, 1, 101))
    assert rarity[0] == 0
    assert 5 < rarity[-1] <= 10
    assert (np.diff(rarity) > 0).all()


def test_a_score_is_a_fifth_a_decade_with_room_at_its_end():
    scores = as_score(np.array([0, 1, 3, 4.5, 5, 8, 20]))
    np.testing.assert_allclose(scores[:4], [0, 0.2, 0.6, 0.9], atol=1e-6)
    assert (np.diff(scores) > 0).all()
    assert 0.9 < scores[4] < scores[-1] <= 1
    assert scores.dtype == np.float32


def test_a_method_that_always_says_the_same_can_be_calibrated():
    constant = calibrate([0.0, 0.0], [np.zeros(50)])
    assert 0 <= constant.share_below(0.0) <= 1
    assert np.isfinite(constant.rarity(np.array([0.0, 0.5, 1.0]))).all()


def test_viewers_show_what_is_rare():
    assert Calibration(0.0, 1.0, (0.1, 0.2, 0.3, 0.4, 0.5)).display_range == (0.3, 0.5)
    low, high = Calibration(0.0, 1.0, (0.0, 0.0, 0.0, 0.0, 0.0)).display_range
    assert low < high


def test_constants_survive_json(measured):
    assert decode_text(Calibration, encode_text(measured)) == measured


def test_a_scan_is_flagged_by_its_rank_among_healthy_scans_of_the_site(rng):
    scores = sorted(rng.beta(2, 20, 39))
    found = calibrate(scores, [rng.beta(1, 30, 5000)])
    site = Site(tuple(scores), 0.05, threshold_for(found, scores, 0.05))
    assert site.threshold == scores[37]  # the 38th of 39: one in 20 of 40 is above
    for raw in (0.0, scores[10], scores[37], scores[38], 1.0):
        assert site.flags(raw) == (site.share_as_high(raw) <= 0.05)
    assert site.share_as_high(1.0) == 1 / 40
    assert site.share_as_high(0.0) == 1


def test_healthy_scans_are_flagged_no_more_often_than_asked(rng):
    flagged = []
    for _ in range(400):
        scores = rng.beta(2, 20, 30)
        found = calibrate(scores[:-1], [rng.random(10)])
        flagged.append(scores[-1] > threshold_for(found, scores[:-1], 0.1))
    assert np.mean(flagged) == pytest.approx(0.1, abs=0.04)


def test_few_scans_extrapolate_beyond_the_highest_of_them():
    scores = [0.1, 0.12, 0.15, 0.11, 0.13]
    found = calibrate(scores, [np.linspace(0, 0.4, 100)])
    threshold = threshold_for(found, scores, 0.05)
    assert threshold > max(scores)
    assert found.share_below(threshold) == pytest.approx(0.95)
    assert found.score_at(0.5) == pytest.approx(np.exp(found.log_mean))


def test_a_calibration_says_what_scores_are_ranks_among():
    found = calibrate([0.1, 0.2], [np.linspace(0, 0.4, 100)])
    assert found.told == "not calibrated for this scanner: ranks among 2 healthy scans of the training sources"
    here = replace(found, site=Site((0.1, 0.2), 0.05, 0.3))
    assert here.told == "ranks among 2 healthy scans of this scanner"
    assert SitePlace.of(found, 0.4) is None
    assert SitePlace.of(here, 0.4) == SitePlace(pytest.approx(1 / 3), True)
