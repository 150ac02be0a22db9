import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mood.errors import UsageError
from mood.synthesis.outliers import KINDS
from mood.synthesis.tasks import TASKS, alter, draw_place, get_tasks
from mood.synthesis.tasks.base import Place
from mood.synthesis.tasks.foreign import ForeignPatch, match_intensities
from mood.synthesis.tasks.own_tissue import Intensity, Relocation, Warp
from mood.synthesis.tasks.poisson import PoissonPatch, blend_gradients

SHAPE = (24, 20, 16)
seeds = st.integers(0, 2**32 - 1)


def smooth_scan(seed: int) -> np.ndarray:
    """An ellipsoid of tissue with gentle texture in air."""
    rng = np.random.default_rng(seed)
    x, y, z = np.ogrid[-1 : 1 : SHAPE[0] * 1j, -1 : 1 : SHAPE[1] * 1j, -1 : 1 : SHAPE[2] * 1j]
    inside = x**2 + y**2 + z**2 < 0.9
    waves = 0.5 + 0.15 * np.sin(5 * x + rng.uniform(0, 6)) + 0.1 * np.cos(4 * y * z + rng.uniform(0, 6))
    return (inside * (waves + rng.normal(0, 0.04, SHAPE))).astype(np.float32)


@settings(deadline=None)
@given(seeds, st.sampled_from(sorted(TASKS)))
def test_a_task_alters_the_covered_voxels_only_and_labels_what_it_altered(seed, name):
    rng = np.random.default_rng(seed)
    host, foreign = smooth_scan(seed), smooth_scan(seed + 1)
    untouched = host.copy()
    place = draw_place(host, rng, TASKS[name].irregular)
    altered, label = alter(host, foreign, place, TASKS[name].draw(rng))
    before = host[place.box]
    np.testing.assert_array_equal(host, untouched)
    np.testing.assert_array_equal(altered[place.mask == 0], before[place.mask == 0])
    assert not label[place.mask == 0].any()
    assert not label[(before == 0) & (altered == 0)].any()
    assert altered.dtype == label.dtype == np.float32
    assert altered.min() >= 0
    assert altered.max() <= 1
    assert label.min() >= 0
    assert label.max() <= 1


@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_task_makes_something_to_see(name):
    rng = np.random.default_rng(3)
    host, foreign = smooth_scan(0), smooth_scan(1)
    changes = []
    for _ in range(20):
        place = draw_place(host, rng, TASKS[name].irregular)
        altered, label = alter(host, foreign, place, TASKS[name].draw(rng))
        changes.append(label.any() and np.abs(altered - host[place.box])[label > 0].mean() > 0.01)
    assert np.mean(changes) > 0.5


@given(seeds)
def test_a_place_is_centred_on_tissue_and_its_cover_lies_in_the_unit_range(seed):
    host = smooth_scan(seed)
    place = draw_place(host, np.random.default_rng(seed), irregular=bool(seed % 2))
    assert place.mask.shape == host[place.box].shape
    assert 0 <= place.mask.min() <= place.mask.max() <= 1
    assert (place.mask * (host[place.box] > 0)).any()


def test_fpi_mixes_two_subjects_as_published():
    host, foreign = smooth_scan(0), smooth_scan(1)
    place = Place((slice(6, 14), slice(5, 12), slice(4, 10)), np.ones((8, 7, 6), np.float32))
    altered, label = alter(host, foreign, place, ForeignPatch(alpha=0.3, matched=False))
    np.testing.assert_allclose(altered, 0.3 * host[place.box] + 0.7 * foreign[place.box], atol=1e-6)
    np.testing.assert_allclose(label, 0.7)


def test_matching_gives_the_target_mean_and_spread_and_keeps_the_air():
    rng = np.random.default_rng(0)
    content = np.where(rng.random(SHAPE) > 0.4, rng.normal(0.3, 0.05, SHAPE), 0.0)
    target = np.where(rng.random(SHAPE) > 0.4, rng.normal(0.6, 0.06, SHAPE), 0.0)
    matched = match_intensities(content, target)
    np.testing.assert_array_equal(matched == 0, content == 0)
    assert matched[matched > 0].mean() == pytest.approx(target[target > 0].mean(), abs=1e-3)
    assert matched[matched > 0].std() == pytest.approx(target[target > 0].std(), rel=0.02)


def test_poisson_blending_without_foreign_gradients_restores_the_host():
    host, foreign = (np.random.default_rng(k).random((9, 7, 6)) for k in range(2))
    np.testing.assert_allclose(blend_gradients(host, foreign, 0.0), host, atol=1e-9)


def test_poisson_blending_with_only_foreign_gradients_is_the_foreign_up_to_a_harmonic_function():
    host, foreign = (np.random.default_rng(k).random((9, 7, 6)) for k in range(2))
    blended = blend_gradients(host, foreign, 1.0)
    apart = blended - foreign
    neighbours = sum(np.roll(apart, step, axis) for axis in range(3) for step in (-1, 1)) / 6
    np.testing.assert_allclose((apart - neighbours)[1:-1, 1:-1, 1:-1], 0, atol=1e-9)
    faces = np.ones(host.shape, bool)
    faces[1:-1, 1:-1, 1:-1] = False
    np.testing.assert_array_equal(blended[faces], host[faces])


def test_poisson_blending_leaves_no_seam():
    host, foreign = np.full((12, 11, 10), 0.5), np.full((12, 11, 10), 0.9)
    np.testing.assert_allclose(blend_gradients(host, foreign, 1.0), host, atol=1e-9)


def test_relocation_shows_the_scan_elsewhere_and_mirrors_about_the_middle_of_the_place():
    host = smooth_scan(0)
    place = Place((slice(6, 14), slice(5, 12), slice(4, 10)), np.ones((8, 7, 6), np.float32))
    moved = Relocation((2 / 24, -1 / 20, 0.0), (False, False, False)).content(host, host, place)
    np.testing.assert_array_equal(moved, host[8:16, 4:11, 4:10])
    mirrored = Relocation((0.0, 0.0, 0.0), (True, False, False)).content(host, host, place)
    np.testing.assert_array_equal(mirrored, host[6:14, 5:12, 4:10][::-1])


def test_an_offset_that_would_leave_the_range_takes_the_other_sign():
    host = np.full(SHAPE, 0.9, np.float32)
    place = Place((slice(6, 14), slice(5, 12), slice(4, 10)), np.ones((8, 7, 6), np.float32))
    np.testing.assert_allclose(Intensity(0.4, 1.0).content(host, host, place), 0.5, atol=1e-6)


def test_magnified_tissue_moves_outwards():
    host = np.zeros((21, 21, 21), np.float32)
    host[9:12, 9:12, 9:12] = 1.0
    place = Place((slice(0, 21),) * 3, np.ones((21, 21, 21), np.float32))
    grown = Warp(3.0, (0.0, 0.0, 0.0)).content(host, host, place)
    shrunk = Warp(1 / 3, (0.0, 0.0, 0.0)).content(host, host, place)
    assert grown.sum() > 1.5 * host.sum() > 1.5 * shrunk.sum()


def test_tasks_that_resemble_the_benchmark_name_kinds_that_exist():
    resembled = {kind for task in TASKS.values() for kind in task.resembles}
    assert resembled == set(KINDS)
    assert not any(TASKS[name].resembles for name in ("fpi", "pii", "blob"))


def test_pii_has_the_papers_label():
    assert PoissonPatch(0.7).share == 0.7


def test_unknown_and_missing_tasks_are_refused():
    with pytest.raises(UsageError, match=r"unknown task 'snow'.*Choose one of: fpi"):
        get_tasks(("fpi", "snow"))
    with pytest.raises(UsageError):
        get_tasks(())
