import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mood.errors import ScanError, UsageError
from mood.synthesis.outlier_kinds import Reflection, Sphere
from mood.synthesis.outliers import ALL_KINDS, HARDER_KINDS, KINDS, Outlier, draw_outlier, plant_outlier

SHAPE = (24, 20, 16)
SEEDS = st.integers(0, 2**32 - 1)
each_kind = pytest.mark.parametrize("kind", ALL_KINDS)
each_published_kind = pytest.mark.parametrize("kind", KINDS)


def body_scan(seed: int = 0) -> np.ndarray:
    """An ellipsoid of random tissue in exact-zero air, off the frame's centre."""
    rng = np.random.default_rng(seed)
    x, y, z = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    inside = ((x - 12) / 9) ** 2 + ((y - 9) / 8) ** 2 + ((z - 8) / 7) ** 2 < 1
    return np.where(inside, rng.uniform(0.2, 0.8, SHAPE), 0.0).astype(np.float32)


def in_sphere(outlier: Outlier, shape: tuple[int, ...] = SHAPE, share: float = 1.0) -> np.ndarray:
    mask = np.zeros(shape, bool)
    voxels = outlier.sphere.voxels(shape)
    mask[tuple(voxels[:, outlier.sphere.distance(voxels) < share])] = True
    return mask


def test_the_papers_five_kinds_in_its_order():
    assert list(KINDS) == ["uniform_addition", "noise_addition", "sink_source", "uniform_shift", "reflection"]
    assert list(ALL_KINDS) == [*KINDS, *HARDER_KINDS]


@each_kind
@settings(deadline=None, max_examples=25)
@given(seed=SEEDS)
def test_properties_of_every_outlier(kind: str, seed: int):
    scan = body_scan(seed % 7)
    untouched = scan.copy()
    outlier = draw_outlier(kind, scan, np.random.default_rng(seed))
    planted, label = plant_outlier(scan, outlier)
    sphere = in_sphere(outlier)
    np.testing.assert_array_equal(scan, untouched)
    np.testing.assert_array_equal(planted[~sphere], scan[~sphere])
    assert (planted.shape, planted.dtype) == (scan.shape, np.float32)
    assert (label.shape, label.dtype) == (scan.shape, np.uint8)
    assert np.isfinite(planted).all()
    assert planted.min() >= 0
    assert planted.max() <= 1
    assert label.any()
    seen = in_sphere(outlier, share=outlier.change.visible_share)
    np.testing.assert_array_equal(label == 1, seen & ((scan > 0) | (planted != scan)))


@each_kind
@settings(deadline=None, max_examples=10)
@given(seed=SEEDS)
def test_one_seed_gives_one_outlier(kind: str, seed: int):
    scan = body_scan()
    first, second = (draw_outlier(kind, scan, np.random.default_rng(seed)) for _ in range(2))
    assert first == second
    np.testing.assert_array_equal(plant_outlier(scan, first)[0], plant_outlier(scan, second)[0])


@each_kind
@settings(deadline=None, max_examples=10)
@given(seed=SEEDS)
def test_centre_is_tissue_in_the_middle_half_of_the_content(kind: str, seed: int):
    padded = np.pad(body_scan(), ((30, 2), (0, 0), (1, 9)))
    centre = draw_outlier(kind, padded, np.random.default_rng(seed)).sphere.centre
    assert padded[centre] > 0
    filled = np.argwhere(padded > 0)
    low, high = filled.min(axis=0), filled.max(axis=0)
    assert (np.abs(np.array(centre) - (low + high) / 2) <= (high - low) / 4 + 1).all()


@each_kind
def test_radius_is_the_papers_share_of_the_side(kind: str):
    low, high = ALL_KINDS[kind].radius_share
    for seed in range(20):
        sphere = draw_outlier(kind, body_scan(), np.random.default_rng(seed)).sphere
        assert low * max(SHAPE) <= sphere.radii[0] <= high * max(SHAPE)
        assert len(set(sphere.radii)) == 1
    assert (low, high) == ((0.05, 0.10) if kind.endswith(("addition", "lesion")) else (0.08, 0.13))


@each_kind
def test_sphere_is_round_in_millimetres(kind: str):
    spacing = (1.0, 2.0, 4.0)
    sphere = draw_outlier(kind, body_scan(), np.random.default_rng(0), spacing_mm=spacing).sphere
    np.testing.assert_allclose(np.array(sphere.radii) * spacing, sphere.radii[0])


def test_side_scales_the_sphere():
    small, large = (draw_outlier("reflection", body_scan(), np.random.default_rng(3), side=s) for s in (20, 60))
    np.testing.assert_allclose(large.sphere.radii, 3 * np.array(small.sphere.radii))


@pytest.mark.parametrize("kind", ["uniform_addition", "noise_addition"])
def test_additions_leave_air_alone_and_reach_the_papers_strength(kind: str):
    scan = np.where(body_scan() > 0, np.float32(0.5), np.float32(0))
    scan[12, 9, 8] = 0  # an air bubble
    for seed in range(10):
        outlier = draw_outlier(kind, scan, np.random.default_rng(seed), side=60)
        planted, label = plant_outlier(scan, outlier)
        assert not planted[scan == 0].any()
        step = np.abs(planted - scan)[label == 1] / 0.5  # 0.5: the scan's intensity range
        weakest = 0.20 if kind == "uniform_addition" else 0.05
        assert step.min() >= weakest - 1e-6
        assert step.max() <= 0.30 + 1e-6


def test_offset_is_visible_on_the_brightest_and_the_darkest_tissue():
    for value in (0.01, 1.0):
        scan = np.where(body_scan() > 0, np.float32(value), np.float32(0))
        scan[0, 0, 0] = 0.0
        for seed in range(8):
            planted, label = plant_outlier(scan, draw_outlier("uniform_addition", scan, np.random.default_rng(seed)))
            assert (planted != scan)[label == 1].all()


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS)
def test_reflecting_twice_gives_the_scan_back(seed: int):
    scan = body_scan(1)
    drawn = draw_outlier("reflection", scan, np.random.default_rng(seed))
    once, _ = plant_outlier(scan, drawn)
    twice, _ = plant_outlier(once, drawn)
    np.testing.assert_array_equal(twice, scan)
    assert (once != scan).any()


def test_reflection_mirrors_the_first_axis_only():
    scan = np.zeros(SHAPE, np.float32)
    scan[10, 7, 5] = 1.0
    planted, label = plant_outlier(scan, Outlier("reflection", Sphere((12, 8, 6), (4, 4, 4)), Reflection()))
    assert planted[14, 7, 5] == 1.0
    assert np.argwhere(label).tolist() == [[10, 7, 5], [14, 7, 5]]


def test_a_source_magnifies_and_a_sink_shrinks():
    change = KINDS["sink_source"]
    x, y, z = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    ball = ((x - 12) ** 2 + (y - 10) ** 2 + (z - 8) ** 2 < 3**2).astype(np.float32)
    sphere = Sphere((12, 10, 8), (7, 7, 7))
    source, _ = plant_outlier(ball, Outlier("sink_source", sphere, change(magnification=2.5)))
    sink, _ = plant_outlier(ball, Outlier("sink_source", sphere, change(magnification=1 / 2.5)))
    assert sink.sum() < 0.7 * ball.sum() < 1.3 * ball.sum() < source.sum()


def test_a_shift_brings_content_from_elsewhere():
    scan = body_scan(2)
    outlier = draw_outlier("uniform_shift", scan, np.random.default_rng(1), side=40)
    planted, _ = plant_outlier(scan, outlier)
    centre, shift = np.array(outlier.sphere.centre), np.array(outlier.change.shift)
    assert planted[tuple(centre)] == scan[tuple(centre + shift)]
    assert ((np.abs(shift) >= 1) & (np.abs(shift) <= 2)).all()


@each_published_kind
@pytest.mark.parametrize("value", [0.3, 1.0])
def test_constant_scan_is_altered_without_failing(kind: str, value: float):
    scan = np.full(SHAPE, value, np.float32)
    planted, label = plant_outlier(scan, draw_outlier(kind, scan, np.random.default_rng(0)))
    assert label.any()
    assert kind.endswith("addition") == bool((planted != scan).any())


@each_kind
def test_tiny_and_thin_scans_do_not_fail(kind: str):
    for shape in [(1, 1, 1), (3, 2, 1), (40, 30, 2)]:
        scan = np.random.default_rng(0).uniform(0.1, 0.9, shape).astype(np.float32)
        assert plant_outlier(scan, draw_outlier(kind, scan, np.random.default_rng(0)))[1].any()


def test_hollow_content_still_gets_an_outlier():
    scan = np.ones(SHAPE, np.float32)
    scan[2:-2, 2:-2, 2:-2] = 0
    assert scan[draw_outlier("reflection", scan, np.random.default_rng(0)).sphere.centre] == 1


def test_empty_scan_and_unknown_kind_say_so():
    with pytest.raises(ScanError, match="above 0"):
        draw_outlier("reflection", np.zeros(SHAPE, np.float32), np.random.default_rng(0))
    with pytest.raises(UsageError, match="uniform_addition"):
        draw_outlier("tumour", body_scan(), np.random.default_rng(0))
