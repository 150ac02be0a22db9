import numpy as np
import pytest
from scipy.signal import savgol_filter

from mood.methods.scoring import sample_score


def test_the_score_is_the_papers(rng):
    score_map = rng.random((12, 10, 256), dtype=np.float32)
    means = savgol_filter(score_map.astype(np.float64).mean(axis=(0, 1)), 25, 3)
    assert sample_score(score_map, 2) == pytest.approx(np.sort(means)[192:].mean(), abs=1e-12)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_slices_are_those_of_the_axis(axis):
    score_map = np.zeros((60, 60, 60), np.float32)
    np.moveaxis(score_map, axis, 0)[10:40] = 0.5  # constant over more than a quarter of these slices alone
    assert sample_score(score_map, axis) == pytest.approx(0.5, abs=0.05)
    assert sample_score(score_map, (axis + 1) % 3) == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("count", [1, 2, 3, 16, 39, 40, 50])
def test_any_number_of_slices_has_a_score(count):
    assert sample_score(np.full((5, 4, count), 0.3, np.float32), 2) == pytest.approx(0.3, abs=1e-6)


def test_the_filter_never_leaves_the_range():
    score_map = np.zeros((4, 4, 64), np.float32)
    score_map[..., 30:] = 1.0
    assert sample_score(score_map, 2) <= 1.0
