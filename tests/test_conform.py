from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mood.conform import conform, content_box
from mood.regions import BRAIN, Grid
from mood.resampling import axis_resampling
from mood.volume import Volume

GRID = Grid((40, 36, 32), (1.0, 1.0, 1.0))
ORIENTATIONS = [(order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)]


def volume(data: np.ndarray, affine: np.ndarray) -> Volume:
    return Volume(data, affine, nib.Nifti1Header(), Path("scan.nii.gz"))


def oriented(data: np.ndarray, order: tuple, signs: tuple) -> Volume:
    """`data` (RAS, 1 mm) stored with its axes permuted and flipped, and the affine that says so."""
    image = nib.Nifti1Image(data, np.eye(4))
    target = np.array([[axis, sign] for axis, sign in zip(order, signs, strict=True)])
    image = image.as_reoriented(target)
    return volume(np.asarray(image.dataobj), image.affine)


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_every_orientation_conforms_to_the_same_array_and_comes_back_exactly(scan, order, signs):
    stored = oriented(scan, order, signs)
    conformed, placement = conform(stored, BRAIN, GRID)
    reference, _ = conform(volume(scan, np.eye(4)), BRAIN, GRID)
    assert conformed.shape == GRID.shape
    np.testing.assert_array_equal(np.sort(conformed[conformed > 0]), np.sort(scan[scan > 0]))
    shift = np.subtract(content_box(conformed)[0], content_box(reference)[0])
    np.testing.assert_array_equal(conformed, np.roll(reference, shift, axis=(0, 1, 2)))
    assert np.abs(shift).max() <= 1  # content of odd extent has two middles
    np.testing.assert_array_equal(placement.restore(conformed), stored.data)


def test_content_larger_than_the_grid_is_kept(rng):
    data = rng.uniform(0.1, 1, (50, 20, 16)).astype(np.float32)
    conformed, placement = conform(volume(data, np.eye(4)), BRAIN, GRID)
    assert conformed.shape == (50, 36, 32)
    np.testing.assert_array_equal(placement.restore(conformed), data)


def test_background_beyond_the_grid_is_cut_and_scores_nothing(scan):
    padded = np.pad(scan, 30)
    conformed, placement = conform(volume(padded, np.eye(4)), BRAIN, GRID)
    assert conformed.shape == GRID.shape
    np.testing.assert_array_equal(placement.restore(conformed), padded)
    assert placement.restore(np.ones(GRID.shape, np.float32))[0, 0, 0] == 0


def test_specks_in_the_air_do_not_move_a_scan(scan):
    padded = np.pad(scan, ((9, 4), (7, 12), (5, 16)))
    expected, _ = conform(volume(padded, np.eye(4)), BRAIN, GRID)
    padded[0, 0, 0] = padded[1, 0, -1] = padded[-1, -2, 3] = 1.0
    conformed, placement = conform(volume(padded, np.eye(4)), BRAIN, GRID)
    assert np.count_nonzero(conformed != expected) <= 3
    assert placement.restore(conformed).shape == padded.shape


@pytest.mark.parametrize("spacing", [(2.0, 0.7, 1.3), (0.5, 3.0, 1.0)])
def test_a_map_lands_where_its_structure_is(spacing):
    data = np.zeros((40, 44, 48), np.float32)
    data[2:38, 2:42, 2:46] = 0.3
    data[10:16, 22:29, 30:39] = 1.0
    conformed, placement = conform(volume(data, np.diag([*spacing, 1.0])), BRAIN, Grid((40, 80, 60), (1.0, 1.0, 1.0)))
    back = placement.restore((conformed > 0.6).astype(np.float32)) > 0.5
    box = np.zeros(data.shape, bool)
    box[10:16, 22:29, 30:39] = True
    assert 2 * (back & box).sum() / (back.sum() + box.sum()) > 0.8
    centre = np.argwhere(back).mean(axis=0)
    np.testing.assert_allclose(centre, [12.5, 25, 34], atol=0.5)


def test_a_restored_map_does_not_overstep_one_by_rounding():
    for spacing in (1.34, 2.12, 2.77):
        scan = volume(np.ones((19, 17, 13), np.float32), np.diag([spacing, spacing, spacing, 1.0]))
        conformed, placement = conform(scan, BRAIN, GRID)
        assert placement.restore(np.ones_like(conformed)).max() <= 1


def test_a_volume_of_the_challenge_passes_untouched(scan):
    region = replace(BRAIN, grid=Grid(scan.shape, (0.85, 0.85, 0.85)))
    for affine in (np.eye(4), np.diag([3.0, 2.0, 1.0, 1.0])):
        conformed, placement = conform(volume(scan, affine), region)
        assert conformed is scan or np.shares_memory(conformed, scan)
        assert np.shares_memory(placement.restore(scan), scan)


def test_a_volume_of_the_challenge_fills_a_coarser_grid(scan):
    region = replace(BRAIN, grid=Grid((24, 20, 16), (1.0, 1.0, 1.0)))
    half = Grid((12, 10, 8), (2.0, 2.0, 2.0))
    conformed, placement = conform(volume(scan, np.diag([9.0, 9.0, 9.0, 1.0])), region, half)
    assert conformed.shape == (12, 10, 8)
    assert placement.restore(conformed).shape == scan.shape
    np.testing.assert_allclose(conformed.mean(), scan.mean(), rtol=0.1)


TINY, HUGE = np.diag([1e-44, 1e-44, 1e-44, 1]), np.diag([1e38, 1e38, 1e38, 1])  # the first divides to infinity


@pytest.mark.parametrize("affine", [np.zeros((4, 4)), np.full((4, 4), np.nan), TINY, HUGE])
def test_an_unusable_affine_is_taken_as_ras(scan, affine, caplog):
    conformed, placement = conform(volume(scan, affine), BRAIN, GRID)
    assert "unusable" in caplog.text
    np.testing.assert_array_equal(placement.restore(conformed), scan)


def test_an_absurd_voxel_size_is_scaled_to_the_grid(scan, caplog):
    conformed, placement = conform(volume(scan, np.diag([1000.0, 1000, 1000, 1])), BRAIN, GRID)
    assert "too large" in caplog.text
    assert max(conformed.shape) <= 41
    assert placement.restore(conformed).shape == scan.shape


def test_a_single_voxel_of_content_and_an_empty_scan_conform():
    for filled in (0, 1):
        data = np.zeros((3, 2, 1), np.float32)
        data.flat[0] = filled
        conformed, placement = conform(volume(data, np.eye(4)), BRAIN, GRID)
        np.testing.assert_array_equal(placement.restore(conformed), data)


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.floats(0.2, 5.0), st.floats(-10, 10))
def test_resampling_keeps_constants_and_range(size_out, size_in, step, start):
    plan = axis_resampling(size_out, size_in, start, step)
    total = plan.weights.sum(axis=0)
    assert plan.weights.min(initial=0) >= 0
    assert np.all(np.isclose(total, 1, atol=1e-5) | (total == 0))


@settings(deadline=None)
@given(st.integers(2, 40), st.integers(2, 40), st.floats(0.2, 5.0), st.booleans())
def test_resampling_a_ramp_gives_its_values_inside(size_out, size_in, step, flip):
    start, step = (size_in - 1, -step) if flip else (0, step)
    plan = axis_resampling(size_out, size_in, start, step)
    ramp = np.arange(size_in, dtype=np.float32)
    position = start + step * np.arange(size_out)
    inside = (position >= abs(step)) & (position <= size_in - 1 - abs(step))
    got = (plan.weights * ramp[plan.source]).sum(axis=0)
    np.testing.assert_allclose(got[inside], position[inside], atol=abs(step) / 2)


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS[::5])
def test_a_voxel_is_told_in_millimetres_from_the_grids_middle(order, signs):
    data = np.zeros((24, 20, 16), np.float32)
    data[4:20, 3:18, 2:14] = 0.3
    data[7, 12, 5] = 1.0
    stored = oriented(data, order, signs)
    stored = replace(stored, affine=stored.affine @ np.diag([2.0, 2.0, 2.0, 1.0]))
    conformed, placement = conform(stored, BRAIN, GRID)
    here, there = (np.array(np.unravel_index(each.argmax(), each.shape)) for each in (stored.data, conformed))
    told = nib.affines.apply_affine(placement.from_middle, here)
    np.testing.assert_allclose(told, there - (np.array(conformed.shape) - 1) / 2, atol=1.0)  # half a voxel of 2 mm
