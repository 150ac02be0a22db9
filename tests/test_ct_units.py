import numpy as np
import pytest

from mood.intensities import to_unit_range, understand
from mood.regions import ABDOM


@pytest.fixture
def hu(rng):
    """A body of fat, soft tissue and bone with a lung, in air."""
    scan = rng.normal(-1000, 5, (40, 36, 30))
    scan[5:35, 5:31] = rng.normal(-100, 15, (30, 26, 30))
    scan[9:31, 8:28] = rng.normal(45, 25, (22, 20, 30))
    scan[11:17, 12:20, 20:] = rng.normal(-820, 40, (6, 8, 10))
    scan[18:23, 9:13] = rng.normal(420, 120, (5, 4, 30))
    return scan.astype(np.float32)


def in_window(hu):
    return np.clip((hu + 160) / 400, 0, 1)


FORMS = {
    "Hounsfield units": lambda hu: hu,
    "Hounsfield units + 1024": lambda hu: hu + 1024,
    "Hounsfield units + 1000": lambda hu: hu + 1000,
    "Hounsfield units + 2048": lambda hu: hu + 2048,
    "Hounsfield units + 8192": lambda hu: hu + 8192,
    "Hounsfield units, cut at -1000 and 1000": lambda hu: hu.clip(-1000, 1000),
    "thousandths of Hounsfield units": lambda hu: hu / 1000,
    "[-160, 240]": lambda hu: hu.clip(-160, 240),
    "[0, 1]": in_window,
    "[-1, 1]": lambda hu: 2 * in_window(hu) - 1,
    "[-0.5, 0.5]": lambda hu: in_window(hu) - 0.5,
    "[0, 0.5]": lambda hu: in_window(hu) / 2,
    "[0, 0.001]": lambda hu: in_window(hu) / 1000,
    "[0, 2]": lambda hu: 2 * in_window(hu),
    "[0, 10]": lambda hu: 10 * in_window(hu),
    "[-7, 13]": lambda hu: 20 * in_window(hu) - 7,
    "scores of nnU-Net, cut at -160 and 240": lambda hu: (hu.clip(-160, 240) - 99.4) / 39.4,
    "[0, 100]": lambda hu: 100 * in_window(hu),
    "[0, 255]": lambda hu: 255 * in_window(hu),
    "[0, 400]": lambda hu: 400 * in_window(hu),
    "[-128, 127]": lambda hu: 255 * in_window(hu) - 128,
    "[0, 4095]": lambda hu: 4095 * in_window(hu),
    "[0, 65535]": lambda hu: 65535 * in_window(hu),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_row_b_ct_is_the_same_in_whatever_numbers_it_comes(hu, form):
    stored = form(hu).astype(np.float32)
    np.testing.assert_allclose(to_unit_range(stored, ABDOM), in_window(hu), atol=1e-3)
    assert not understand(stored, ABDOM).doubt


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (0, 255), (0, 400)])
@pytest.mark.parametrize("overshoot", [0.001, 0.04])
def test_a_window_that_interpolation_overshot_is_still_that_window(hu, low, high, overshoot):
    unit = in_window(hu) * (1 + 2 * overshoot) - overshoot
    stored = (low + unit * (high - low)).astype(np.float32)
    np.testing.assert_allclose(to_unit_range(stored, ABDOM), np.clip(unit, 0, 1), atol=overshoot + 1e-3)


def test_row_b_one_voxel_above_one_is_still_the_unit_window(hu):
    stored = in_window(hu)
    stored[20, 18, 15] = 1.001
    unit = to_unit_range(stored, ABDOM)
    np.testing.assert_array_equal(unit, stored.clip(0, 1))


@pytest.mark.parametrize("offset", [0.0, 1024.0])
@pytest.mark.parametrize("padding", [-2000.0, -2048.0, -3024.0, -32768.0])
def test_row_b_padding_and_metal_have_no_influence(hu, offset, padding):
    stored = hu + np.float32(offset)
    stored[:3], stored[20, 18, 10:14] = padding, 30000
    unit, usual = to_unit_range(stored, ABDOM), np.ones(hu.shape, bool)
    usual[:3] = usual[20, 18, 10:14] = False
    np.testing.assert_allclose(unit[usual], in_window(hu)[usual], atol=1e-5)
    assert (unit[:3] == 0).all()
    assert (unit[20, 18, 10:14] == 1).all()


@pytest.mark.parametrize("offset", [0.0, 1024.0])
def test_five_voxels_in_hounsfield_units(offset):
    hu = np.array([-1000, -160, 40, 240, 1500], np.float32).reshape(5, 1, 1)
    unit = to_unit_range(hu + np.float32(offset), ABDOM)
    np.testing.assert_allclose(unit.ravel(), [0, 0, 0.5, 1, 1], atol=1e-6)


def test_eight_bits_are_divided_by_255():
    unit = to_unit_range(np.array([0, 51, 255], np.float32).reshape(3, 1, 1), ABDOM)
    np.testing.assert_allclose(unit.ravel(), [0, 0.2, 1], atol=1e-6)


def test_what_has_the_density_of_no_body_is_doubted(rng):
    stored = rng.uniform(-900, 3000, (20, 18, 16)).astype(np.float32)
    assert "soft tissue" in understand(stored, ABDOM).doubt
    assert "window" in understand(rng.uniform(0, 0.2, stored.shape).astype(np.float32), ABDOM).doubt


def test_scores_of_no_unit_are_doubted(hu):
    assert "soft tissue" in understand((hu - hu.mean()) / hu.std(), ABDOM).doubt
    assert "no unit" in understand((hu - 40) / 150, ABDOM).doubt


def test_an_offset_that_is_not_customary_is_guessed_and_doubted(hu):
    stored = (hu + 4096).astype(np.float32)
    assert "guessed" in understand(stored, ABDOM).doubt
    np.testing.assert_allclose(to_unit_range(stored, ABDOM), in_window(hu), atol=0.05)


@pytest.mark.parametrize("form", [lambda hu: -hu, lambda hu: 1 - in_window(hu), lambda hu: 255 - 255 * in_window(hu)])
def test_ct_that_is_bright_around_the_body_is_doubted(hu, form):
    assert "bright" in understand(form(hu).astype(np.float32), ABDOM).doubt


@pytest.mark.parametrize("form", ["Hounsfield units", "Hounsfield units + 1024", "[0, 1]", "[0, 255]"])
@pytest.mark.parametrize("padding", [-32768.0, -1024.0, -1.0, 0.0, 50.0, 3071.0])
def test_row_b_planes_of_any_value_at_the_border_have_no_influence(hu, form, padding):
    """As a scan has that was resampled with 0 outside of it, or padded to a size."""
    stored = FORMS[form](hu).astype(np.float32)
    stored[:3], stored[-2:], stored[:, :2] = padding, padding, padding
    inside = (slice(3, -2), slice(2, None))
    unit = to_unit_range(stored, ABDOM)
    np.testing.assert_allclose(unit[inside], in_window(hu)[inside], atol=1e-3)
    unit[inside] = 0
    assert not unit.any()


@pytest.mark.parametrize("largest", [400, 1000, 3071])
def test_thousandths_of_a_chest_with_a_bed_are_no_window(hu, rng, largest):
    """As of a PET/CT, of which half is lung and whose metal is as bright as a window's end."""
    hu[:, :, :18] = rng.normal(-800, 60, (40, 36, 18))
    hu[2:38, 33:35] = 1500
    window = understand((hu.clip(-1024, largest) / 1000).astype(np.float32), ABDOM)
    assert window.taken_for == "CT in thousandths of Hounsfield units"
    stretched = (2 * in_window(hu) - 1).astype(np.float32)
    assert understand(stretched, ABDOM).taken_for == "CT in [-1, 1]"


@pytest.mark.parametrize("value", [-500.0, 0.0, 0.5, 30.0, 5000.0])
def test_a_scan_of_one_value_but_for_a_voxel_has_a_range_all_the_same(value):
    scan = np.full((9, 10, 11), value, np.float32)
    scan[1, 1, 1] += 700  # between the voxels that are looked at
    understood = understand(scan, ABDOM)
    unit = understood.apply(scan.copy())
    assert np.all(np.isfinite(unit))
    assert understood.doubt
