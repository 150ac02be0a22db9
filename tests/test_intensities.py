import numpy as np
import pytest

from mood.intensities import PERCENTILES, standardised, to_unit_range
from mood.regions import ABDOM, BRAIN


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


@pytest.mark.parametrize("offset", [0.0, 1024.0])
def test_ct_is_windowed_with_and_without_offset(offset):
    hu = np.array([-1000, -160, 40, 240, 1500], np.float32).reshape(5, 1, 1)
    unit = to_unit_range(hu + np.float32(offset), ABDOM)
    np.testing.assert_allclose(unit.ravel(), [0, 0, 0.5, 1, 1], atol=1e-6)


def test_ct_of_eight_bits_is_divided_by_255():
    unit = to_unit_range(np.array([0, 51, 255], np.float32).reshape(3, 1, 1), ABDOM)
    np.testing.assert_allclose(unit.ravel(), [0, 0.2, 1], atol=1e-6)


def test_what_is_in_the_unit_range_stays(scan):
    assert to_unit_range(scan, BRAIN) is scan


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
