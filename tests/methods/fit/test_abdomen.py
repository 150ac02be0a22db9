"""Elliptic cylinders with skin, fat, muscle and a spine stand for a trunk; values are those of the window."""

import numpy as np

from mood.methods.fit.abdomen import check_abdomen
from mood.methods.fit.check import fit_grid
from mood.regions import ABDOM

GRID = fit_grid(ABDOM)
SPACING = (1.5, 1.5, 3.0)
FAT, MUSCLE, BONE = 0.15, 0.55, 1.0


def trunk(half_width_mm: float = 170.0, height: int = 40, fat: float = FAT, muscle: float = MUSCLE) -> np.ndarray:
    shape = (128, 110, height + 20)
    x, y = ((np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(shape[:2], GRID.spacing_mm[:2], strict=True))
    radius = np.hypot(x[:, None] / half_width_mm, y / (0.7 * half_width_mm))
    rim = 20 / half_width_mm
    spine = np.hypot(x[:, None], y + 0.35 * half_width_mm) < 20
    section = np.select([spine, radius < 1 - rim, radius < 1], [BONE, muscle, fat], default=0.0)
    scan = np.zeros(shape, np.float32)
    scan[:, :, 10:-10] = section[:, :, None]
    noise = np.random.default_rng(0).normal(0, 0.02, shape)
    return np.where(scan > 0, np.clip(scan + noise, 0.03, 1), 0).astype(np.float32)


def look(scan: np.ndarray, spacing_mm: tuple[float, ...] = SPACING):
    return check_abdomen(scan, GRID, spacing_mm, ABDOM)


def test_a_trunk_in_ct_is_fit():
    found = look(trunk())
    assert found.ok
    np.testing.assert_allclose(found.figures["section_cm2"], np.pi * 17 * 11.9, rtol=0.03)
    np.testing.assert_allclose(found.figures["height_mm"], 40 * GRID.spacing_mm[2])
    assert found.figures["shell"] < -0.3


def test_a_head_or_a_limb_is_too_slender():
    assert "too slender for a trunk" in look(trunk(90.0)).told


def test_a_slab_is_not_fit():
    assert look(trunk(height=8)).told.startswith("a slab")


def test_lungs_make_a_chest_and_a_bowel_full_of_gas_does_not():
    chest, bowel = trunk(), trunk()
    chest[30:55, 36:72, 10:-10] = chest[73:98, 36:72, 10:-10] = 0
    bowel[55:75, 40:60, 10:-10] = 0
    assert look(chest).told.startswith("a chest")
    assert look(bowel).ok


def test_mr_is_told_by_bright_fat_or_by_densities_that_no_ct_has():
    assert "MR" in look(trunk(fat=0.9, muscle=0.5)).told
    assert "not CT" in look(trunk(fat=0.3, muscle=0.8)).told


def test_nothing_at_all_is_not_fit():
    assert not look(np.zeros((40, 36, 32), np.float32)).ok
