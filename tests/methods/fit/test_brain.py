"""The template stands for a healthy brain; what is made of it for everything else."""

import numpy as np
import pytest
from scipy import ndimage

from mood.methods.fit.brain import check_brain
from mood.methods.fit.check import fit_grid
from mood.methods.registration import affine
from mood.methods.registration.template import packaged_template
from mood.regions import BRAIN

GRID = fit_grid(BRAIN)
SPACING = (1.0, 1.2, 1.0)


@pytest.fixture(scope="module")
def brain() -> np.ndarray:
    return packaged_template("mni152", GRID).image


def look(scan: np.ndarray, spacing_mm: tuple[float, ...] = SPACING):
    return check_brain(scan.astype(np.float32), GRID, spacing_mm, BRAIN)


def with_skull(brain: np.ndarray) -> np.ndarray:
    """Under a dark bone and a bright scalp, as T1 has them."""
    closed = ndimage.binary_closing(brain > 0, iterations=2)
    distance = ndimage.distance_transform_edt(~closed, sampling=GRID.spacing_mm)
    shells = [(distance > low) & (distance <= high) for low, high in ((0, 3), (3, 8), (8, 18))]
    return np.select(shells, [0.15, 0.08, 0.9], default=brain)


def test_a_healthy_brain_is_fit(brain):
    found = look(brain)
    assert found.ok
    assert found.told == "fit"
    assert found.figures["correlation"] > 0.9
    assert 1200 < found.figures["volume_ml"] < 2100


def test_a_skull_is_told_from_other_things_that_are_too_large(brain):
    head = look(with_skull(brain))
    assert head.skull_on
    assert "the skull is still on" in head.told
    body = look(np.full((240, 180, 200), 0.5))
    assert not body.skull_on
    assert "larger than a head" in body.told


def test_half_a_brain_a_slab_and_a_small_one_are_not_fit(brain):
    half, slab = brain.copy(), brain.copy()
    half[64:] = 0
    slab[:, :, :50], slab[:, :, 75:] = 0, 0
    small = np.zeros_like(brain)
    small[40:83, 40:83, 40:83] = brain[::3, ::3, ::3]
    assert "half a brain" in look(half).told
    assert "a slab" in look(slab).told
    assert "too small" in look(small).told


@pytest.mark.parametrize("contrast", ["inverted", "flat"])
def test_tissue_without_the_contrast_of_t1_is_not_fit(brain, contrast):
    noise = np.random.default_rng(0).normal(0.5, 0.05, brain.shape)
    found = look(np.where(brain > 0, 1.05 - brain if contrast == "inverted" else noise, 0).clip(0, 1))
    assert "unlike a T1" in found.told
    assert not found.skull_on


def test_coarse_voxels_are_not_fit_whatever_they_show(brain):
    assert look(brain, (1.0, 1.0, 6.0)).told.startswith("its voxels are too coarse (6 mm")


def test_nothing_at_all_is_not_fit():
    assert not look(np.zeros(GRID.shape)).ok


def test_without_a_search_less_is_asked_of_the_correlation(brain, monkeypatch):
    """A brain with noise that would not pass if it were registered, and its inverse."""
    monkeypatch.setattr(affine, "fit_affine", lambda *images: None)
    noise = np.random.default_rng(1).normal(0, 0.5, brain.shape)
    found = look(np.where(brain > 0, (brain + noise).clip(0.02, 1), 0))
    assert 0.2 < found.figures["correlation"] < 0.52
    assert found.ok
    assert "unlike a T1" in look(np.where(brain > 0, 1.05 - brain, 0)).told
