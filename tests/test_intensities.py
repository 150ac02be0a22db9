import numpy as np
import pytest

from mood.intensities import PERCENTILES, standardised, to_unit_range, understand
from mood.regions import ABDOM, BRAIN


@pytest.fixture
def head(rng):
    """Tissue as bright as T1 of brains, which is 8 to 255, in exact zeros."""
    scan = np.zeros((40, 36, 32), np.float32)
    scan[5:35, 4:31, 4:28] = np.clip(rng.normal(120, 50, (30, 27, 24)), 8, 255)
    return scan


@pytest.mark.parametrize("scale", [1.0, 255.0, 4095.0])
def test_mr_intensities_scale_to_the_unit_range(scan, scale):
    unit = to_unit_range(scan * np.float32(scale), BRAIN)
    assert unit.dtype == np.float32
    assert unit.min() == 0
    assert 0.999 < unit.max() <= 1
    np.testing.assert_array_equal(unit == 0, scan == 0)


def test_mr_with_negative_intensities_keeps_its_background(scan):
    zscored = np.where(scan > 0, (scan - 0.6) / 0.2, 0).astype(np.float32)
    unit = to_unit_range(zscored, BRAIN)
    assert (unit.min(), unit.max()) == (0, 1)
    assert (unit[scan == 0] == 0).all()
    assert np.corrcoef(unit[scan > 0], scan[scan > 0])[0, 1] > 0.99


CHANGES = {
    "an offset": lambda v: v + 1000,
    "a negative offset": lambda v: v - 1024,
    "an offset and dust": lambda v: v + 300 + np.random.default_rng(3).normal(0, 0.1, v.shape) * (v == 0),
    "a tenth": lambda v: v / 2550,
    "half": lambda v: v / 510,
    "a thousandth": lambda v: v / 255000,
    "a million": lambda v: v * 1e6,
    "z-scores": lambda v: (v - v.mean()) / v.std(),
    "dark for bright": lambda v: 255 - v,
    "below zero": lambda v: -v,
    "dust": lambda v: np.where(v > 0, v, 1e-6 * np.random.default_rng(3).random(v.shape)),
    "signed dust": lambda v: np.where(v > 0, v, np.random.default_rng(3).normal(0, 1, v.shape)),
    "the smallest numbers": lambda v: v * 1e-35,
    "a hot voxel": lambda v: np.where(np.arange(v.size).reshape(v.shape) == v.argmax(), 30000, v),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_rows_a_mr_is_the_same_whatever_offset_sign_range_and_dust_it_comes_with(head, change):
    expected = to_unit_range(head, BRAIN)
    unit = to_unit_range(change(head).astype(np.float32), BRAIN)
    assert (unit[head == 0] == 0).all()
    usual = head < 255 * 0.995
    np.testing.assert_allclose(unit[usual], expected[usual], atol=0.01)


@pytest.mark.parametrize("far", [-10.0, 10.0, -1000.0])
def test_a_background_far_from_the_tissue_does_not_flatten_it(head, far):
    tissue = head > 0
    unit = to_unit_range(np.where(tissue, (head - 120) / 50, far).astype(np.float32), BRAIN)
    assert (unit[~tissue] == 0).all()
    assert np.ptp(unit[tissue]) > 0.9
    assert np.corrcoef(unit[tissue], head[tissue])[0, 1] > 0.999


@pytest.mark.parametrize("value", [2500.0, 30000.0, -30000.0, 1e9])
def test_some_voxels_of_any_value_change_little_of_the_others(head, rng, value):
    """As of spikes, or of a marker that was burnt in: one in a thousand."""
    altered = rng.random(head.shape) < 1e-3
    expected = to_unit_range(head, BRAIN)[~altered]
    unit = to_unit_range(np.where(altered, np.float32(value), head), BRAIN)[~altered]
    tissue = expected > 0
    assert np.corrcoef(unit[tissue], expected[tissue])[0, 1] > 0.99
    assert unit[tissue].mean() == pytest.approx(expected[tissue].mean(), rel=0.15)
    assert (unit[~tissue] == 0).all()


def low_slices(data, value):
    data[:, :, :3] = value


def all_round(data, value):
    data[:2] = data[-3:] = data[:, :3] = data[:, :, -2:] = value


def different_ones(data, value):
    data[:, :, :3], data[:3], data[-2:] = value, 2 * value, value - 3


def corners(data, value):
    """As beside a scan that was turned by 20 degrees."""
    x, y = np.meshgrid(np.arange(40) - 19.5, np.arange(36) - 17.5, indexing="ij")
    for across in (0.94 * x + 0.34 * y, 0.94 * y - 0.34 * x):
        data[np.abs(across) > 19] = value


@pytest.mark.parametrize("noise", [0.0, 2.0])
@pytest.mark.parametrize("place", [low_slices, all_round, different_ones, corners])
@pytest.mark.parametrize("value", [-1000.0, -32768.0, 90.0, 255.0, 1e6])
def test_padding_of_another_value_than_the_background_has_no_influence(head, rng, place, value, noise):
    if place is corners and value == 255.0:
        pytest.skip("it is what the brightest tissue has: it may be the background of an inverted scan")
    head = np.pad(head, 4)[4:-4, 4:-4, 4:-4]
    head[:8] = head[:, :8] = head[:, :, :8] = head[-8:] = head[:, -8:] = head[:, :, -8:] = 0
    air = head == 0
    dirty = np.where(air, np.abs(rng.normal(0, noise, head.shape)), head).astype(np.float32)
    expected = to_unit_range(head, BRAIN)
    place(dirty, value)
    unit = to_unit_range(dirty, BRAIN)
    assert (unit[air] == 0).mean() > 0.99
    off = np.abs(unit - expected)[~air] > 0.02
    assert off.mean() < (0.03 if noise else 1e-9)  # tissue as dark as the noise in the air may be lost


def test_inverted_mr_is_doubted(head):
    assert "dark for bright" in understand(255 - head, BRAIN).doubt
    assert not understand(head, BRAIN).doubt


def test_what_is_in_the_unit_range_stays(scan):
    assert to_unit_range(scan, BRAIN) is scan


def test_scaling_twice_changes_nothing(head):
    once = to_unit_range(head * 3 + 100, BRAIN)
    assert to_unit_range(once, BRAIN) is once


@pytest.mark.parametrize("gamma", [0.6, 1.0, 1.7])
def test_scanners_that_differ_in_contrast_look_alike_once_standardised(rng, gamma):
    scan = np.zeros((40, 36, 32), np.float32)
    scan[4:36, 4:32, 4:28] = rng.uniform(0.1, 1, (32, 28, 24))
    changed = standardised(scan ** np.float32(gamma), BRAIN)
    tissue = changed[changed > 0]
    np.testing.assert_allclose(np.percentile(tissue, PERCENTILES), BRAIN.standard_quantiles, atol=0.02)
    np.testing.assert_allclose(changed, standardised(scan, BRAIN), atol=0.05)
    assert changed.dtype == np.float32
    assert changed.max() <= 1
    assert (changed[scan == 0] == 0).all()


def test_the_order_of_intensities_stays(rng):
    scan = rng.random((20, 18, 16), dtype=np.float32)
    order = scan.ravel().argsort()
    assert (np.diff(standardised(scan, BRAIN).ravel()[order]) >= 0).all()


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_a_scan_of_one_value_is_no_problem(value):
    changed = standardised(np.full((8, 8, 8), value, np.float32), BRAIN)
    assert np.isfinite(changed).all()
    assert 0 <= changed.min() <= changed.max() <= 1


def test_ct_has_units_and_stays(rng):
    scan = rng.random((8, 8, 8), dtype=np.float32)
    assert standardised(scan, ABDOM) is scan
