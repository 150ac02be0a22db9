import numpy as np
import pytest
from scipy.signal import savgol_filter

from mood.methods.scoring import above_own_level, sample_score, smoothed, top_mean


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


def test_a_map_is_blurred_by_millimetres_and_nothing_lies_beyond_its_edges():
    point = np.zeros((24, 20, 16), np.float32)
    point[12, 10, 8] = 1.0
    blurred = smoothed(point, 4.0, (2.0, 4.0, 8.0))
    assert blurred.sum() == pytest.approx(1, abs=0.01)
    centre = blurred[12, 10, 8]
    assert blurred[14, 10, 8] / centre == pytest.approx(np.exp(-0.5), rel=0.01)  # 4 mm are two of these voxels
    assert blurred[12, 11, 8] / centre == pytest.approx(np.exp(-0.5), rel=0.01)
    assert blurred[12, 10, 9] / centre == pytest.approx(np.exp(-2.0), rel=0.01)
    full = smoothed(np.ones((24, 20, 16), np.float32), 4.0, (2.0, 4.0, 8.0))
    assert full.max() <= 1.0
    assert full[0, 10, 8] == pytest.approx(0.6, abs=0.02)  # half of the Gaussian, and its middle
    assert full.dtype == np.float32


def test_what_a_whole_scan_has_is_taken_off_and_no_more(rng):
    healthy = -np.log10(rng.random((24, 20, 16))).astype(np.float32)
    tissue = np.ones(healthy.shape, bool)
    tissue[:4] = False
    healthy[:4] = 3.0  # beyond the tissue, and of no account
    np.testing.assert_allclose(above_own_level(healthy, tissue), healthy, atol=0.1)
    levelled = above_own_level(healthy + 1.5, tissue)
    assert np.quantile(levelled[tissue], 0.8) == pytest.approx(np.log10(5), abs=1e-5)
    np.testing.assert_array_equal(above_own_level(healthy * 0.5, tissue), healthy * np.float32(0.5))
    lesion = healthy.copy()
    lesion[10:14, 3:18, 3:15] = 6.0  # 11 % of the tissue
    assert above_own_level(lesion, tissue)[12, 10, 10] > 5.5
    assert not above_own_level(np.zeros((3, 2, 1), np.float32), np.zeros((3, 2, 1), bool)).any()


def test_the_highest_cubic_centimetre_is_what_a_map_comes_to():
    score_map = np.zeros((24, 20, 16), np.float32)
    score_map[3, 4, 5], score_map[20, 11, 2] = 0.9, 0.7
    assert top_mean(score_map, (5.0, 5.0, 20.0)) == pytest.approx(0.8)  # two voxels
    assert top_mean(score_map, (5.0, 4.0, 10.0)) == pytest.approx(1.6 / 5)
    assert top_mean(score_map, (30.0, 30.0, 30.0)) == pytest.approx(0.9)  # a voxel at the least
    assert top_mean(score_map[3:4, 4:5, 5:7], (1.0, 1.0, 1.0)) == pytest.approx(0.45)  # the whole map at the most
