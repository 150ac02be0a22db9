import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mood.calibration import Calibration, calibrate
from mood.typed import decode_text, encode_text

RNG = np.random.default_rng(0)
HEALTHY_SCORES = np.exp(RNG.normal(-4, 0.5, 200))
TISSUE = [RNG.beta(1, 30, 100_000) for _ in range(3)]
CALIBRATION = calibrate(HEALTHY_SCORES, TISSUE)


def test_a_calibrated_score_is_the_share_of_healthy_scans_that_score_lower():
    for share in (0.1, 0.5, 0.9):
        assert CALIBRATION.share_below(np.quantile(HEALTHY_SCORES, share)) == pytest.approx(share, abs=0.05)


@given(st.floats(0, 1), st.floats(0, 1))
def test_calibration_keeps_the_order_of_scores(one, other):
    if one < other:
        assert CALIBRATION.share_below(one) <= CALIBRATION.share_below(other)


def test_scores_far_above_every_healthy_one_can_still_be_told_apart():
    shares = [CALIBRATION.share_below(score) for score in (0.2, 0.3, 0.5, 0.99)]
    assert sorted(set(shares)) == shares
    assert shares[-1] <= 1


def test_each_sixth_of_the_rarity_is_ten_times_rarer_in_healthy_tissue():
    rarity = CALIBRATION.rarity(np.concatenate(TISSUE))
    for decade in range(1, 5):
        assert (rarity > decade / 6).mean() == pytest.approx(10.0**-decade, rel=0.25)
    assert rarity.dtype == np.float32


def test_rarity_lies_in_the_unit_range_and_rises():
    values = np.linspace(0, 1, 101)
    rarity = CALIBRATION.rarity(values)
    assert rarity[0] == 0
    assert rarity[-1] == 1
    assert (np.diff(rarity) >= 0).all()


def test_a_method_that_always_says_the_same_can_be_calibrated():
    constant = calibrate([0.0, 0.0], [np.zeros(50)])
    assert 0 <= constant.share_below(0.0) <= 1
    assert np.isfinite(constant.rarity(np.array([0.0, 0.5, 1.0]))).all()


def test_constants_survive_json():
    assert decode_text(Calibration, encode_text(CALIBRATION)) == CALIBRATION
