"""Scans as other scanners show them: where everything lies stays, how it looks does not."""

import numpy as np
import pytest

from mood.regions import BRAIN
from mood.synthesis.places.scanners import Scanner, draw_scanner, with_other_scanners
from mood.synthesis.places.store import content_affine, stacked

SHAPE = (40, 48, 36)


def ball(middle, radius=15):
    """Tissue that is brightest in its middle, uint8."""
    at = np.stack(np.meshgrid(*(np.arange(n, dtype=float) for n in SHAPE), indexing="ij"))
    r = np.sqrt(((at - np.reshape(middle, (3, 1, 1, 1))) ** 2).sum(0))
    return np.where(r < radius, 240 - 200 * r / radius, 0).astype(np.uint8)


@pytest.fixture(scope="module")
def store():
    scans = [ball((20, 24, 18)), ball((22, 21, 17))]
    return stacked(scans, [(0.7, 0.7, 0.8)] * 2, [content_affine(scan) for scan in scans], ["a", "a"])


def middle_of_tissue(store, row):
    """In the space that all scans share."""
    at = np.argwhere(store.voxels[row] > 0).mean(axis=0)
    return store.to_template[row][:, :3] @ at + store.to_template[row][:, 3]


def test_they_come_at_the_end_each_scanner_a_site_of_its_own(store):
    longer = with_other_scanners(store, [0, 1], 2, BRAIN, np.random.default_rng(0))
    assert len(longer) == 4
    assert longer.sites.tolist() == ["a", "a", "scanner-0", "scanner-1"]
    x, y, z = store.box
    np.testing.assert_array_equal(longer.voxels[:2, :x, :y, :z], store.voxels)


def test_what_lies_where_stays(store):
    longer = with_other_scanners(store, [0, 1], 2, BRAIN, np.random.default_rng(3))
    for old, new in ((0, 2), (1, 3)):
        assert np.any(longer.spacing_mm[new] > 0.84)
        across = np.linalg.norm(store.to_template[old][:, :3], axis=0).max() / 2
        np.testing.assert_allclose(middle_of_tissue(longer, new), middle_of_tissue(store, old), atol=across)
        volume = [(longer.voxels[i] > 0).sum() * longer.spacing_mm[i].prod() for i in (old, new)]
        assert volume[1] == pytest.approx(volume[0], rel=0.03)


def test_voxels_only_become_coarser():
    scanner = Scanner((0.9, 1.5, 1.2), 0.0, 0.01)
    shown, steps = scanner.show(ball((20, 24, 18)), np.array([1.0, 1.0, 2.0]), BRAIN, np.random.default_rng(0))
    np.testing.assert_allclose(steps, [1.0, 1.5, 1.0])
    assert shown.shape == (40, 32, 36)
    assert shown.dtype == np.uint8


def test_noise_and_spread_are_what_they_are_called():
    scan = ball((20, 24, 18))
    scan[14:17, 22:25, 16:19] = 20  # a small dark place, which a spread washes out

    def shown(spread_mm, noise):
        scanner = Scanner((1.0, 1.0, 1.0), spread_mm, noise)
        return scanner.show(scan, np.ones(3), BRAIN, np.random.default_rng(1))[0].astype(float)

    sharp = shown(0.0, 0.0)
    little, much = (np.abs(shown(0.0, noise) - sharp)[scan > 100].mean() for noise in (0.005, 0.05))
    assert much > 3 * little
    assert shown(1.0, 0.0)[15, 23, 17] > sharp[15, 23, 17] + 20


def test_the_same_numbers_give_the_same_scans(store):
    first, second = (with_other_scanners(store, [0], 1, BRAIN, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.voxels, second.voxels)
    assert draw_scanner(np.random.default_rng(5)) != draw_scanner(np.random.default_rng(6))


def test_no_scans_no_others(store):
    assert with_other_scanners(store, [], 4, BRAIN, np.random.default_rng(0)) is store
