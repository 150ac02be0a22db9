import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mood.synthesis.disease_kinds import DarkLesion, MassEffect, RingLesion, fade
from mood.synthesis.outlier_kinds import Sphere
from mood.synthesis.outliers import HARDER_KINDS, Outlier, draw_outlier, plant_outlier

SHAPE = (48, 40, 32)
SEEDS = st.integers(0, 2**32 - 1)
SPHERE = Sphere((24, 20, 16), (12.0, 12.0, 12.0))
each_kind = pytest.mark.parametrize("kind", HARDER_KINDS)


def constant_body() -> np.ndarray:
    scan = np.full(SHAPE, 0.5, np.float32)
    scan[:4] = 0
    return scan


def along_the_first_axis(planted: np.ndarray) -> np.ndarray:
    return planted[24:37, 20, 16]


@each_kind
@settings(deadline=None, max_examples=10)
@given(seed=SEEDS)
def test_the_change_fades_out_and_leaves_air_alone(kind: str, seed: int):
    scan = constant_body()
    outlier = draw_outlier(kind, scan, np.random.default_rng(seed), side=150)
    planted, label = plant_outlier(scan, outlier)
    change = np.abs(planted - scan)
    assert change[label == 1].max() > 0.1 * 0.5
    outside = (label == 0) & (scan > 0) & (planted > 0)
    assert change[outside].max() < 0.35 * change.max()
    if kind != "mass_effect":  # a mass may push tissue into the air beside it
        assert not planted[scan == 0].any()


def test_a_dark_lesion_darkens_towards_its_centre_and_brightens_nothing():
    scan = constant_body()
    scan[24, 20, 16] = 0.05
    planted, _ = plant_outlier(scan, Outlier("dark_lesion", SPHERE, DarkLesion(level=0.2)))
    assert (planted <= scan).all()
    assert planted[24, 20, 16] == np.float32(0.05)
    profile = along_the_first_axis(planted)[1:]
    assert profile[0] == pytest.approx(0.2)
    assert (np.diff(profile) >= -1e-7).all()
    assert np.diff(profile).max() < 0.06  # no edge


@given(seed=SEEDS)
@settings(deadline=None, max_examples=10)
def test_a_dark_lesion_leaves_a_quarter_to_a_half(seed: int):
    drawn = draw_outlier("dark_lesion", constant_body(), np.random.default_rng(seed))
    assert 0.125 <= drawn.change.level <= 0.25


def test_a_ring_is_bright_around_a_dark_core():
    planted, _ = plant_outlier(constant_body(), Outlier("ring_lesion", SPHERE, RingLesion(core=0.2, ring=0.8)))
    profile = along_the_first_axis(planted)
    assert profile[0] == pytest.approx(0.2)
    assert profile.max() == pytest.approx(0.8, abs=0.02)
    assert 6 <= profile.argmax() <= 8
    assert profile[-1] == 0.5


def test_a_mass_pushes_its_surroundings_outwards():
    scan = constant_body()
    scan[30:32] = 0.9  # a bright layer six voxels from the centre
    pushed, _ = plant_outlier(scan, Outlier("mass_effect", SPHERE, MassEffect(magnification=2.5, offset=0.0)))
    before, after = along_the_first_axis(scan).argmax(), along_the_first_axis(pushed).argmax()
    assert after > before
    brighter, _ = plant_outlier(scan, Outlier("mass_effect", SPHERE, MassEffect(magnification=2.5, offset=0.2)))
    assert brighter[24, 20, 16] == pytest.approx(0.7)
    np.testing.assert_array_equal(brighter[33:, 20, 16], pushed[33:, 20, 16])  # the centre only


def test_fade_is_smooth_and_ends_where_it_says():
    values = fade(np.linspace(0, 1, 101), 0.2, 0.8)
    assert values[:21].tolist() == [1.0] * 21
    np.testing.assert_allclose(values[80:], 0.0, atol=1e-12)
    assert (np.diff(values) <= 0).all()
    assert values[50] == pytest.approx(0.5)
