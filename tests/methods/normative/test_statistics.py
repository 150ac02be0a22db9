import numpy as np
import pytest

from mood.methods.normative.statistics import NEAR, Sums, Usual, lattice

SHAPE = (10, 9, 7)


@pytest.fixture
def places():
    tissue = np.zeros(SHAPE, bool)
    tissue[1:9, 1:8, 1:6] = True
    return lattice(tissue)


def scans(places, count, components=3, seed=0):
    """Features with a mean of their own at each position, correlated alike everywhere."""
    rng = np.random.default_rng(seed)
    mean = np.random.default_rng(9).normal(0, 3, (len(places.chosen), components))
    mixing = np.array([[1.0, 0.8, 0.0], [0.0, 0.6, 0.0], [0.0, 0.0, 0.5]])
    return [(mean + rng.normal(0, 1, mean.shape) @ mixing).astype(np.float32) for _ in range(count)]


def learnt(places, features):
    sums = Sums.empty(places, features[0].shape[1])
    for rows in features:
        sums.add(rows, places)
    return sums


def test_blocks_are_neighbourhoods_and_cover_every_position_once(places):
    assert len(places.chosen) == 8 * 7 * 5
    assert sorted(places.chosen) == list(np.flatnonzero(places.on_grid(np.ones(len(places.chosen)))))
    for _, block in places.blocks():
        x, y, z = np.unravel_index(places.chosen[block], SHAPE)
        assert len({*zip(x // 8, y // 8, z // 4, strict=True)}) == 1
    assert places.starts[-1] == len(places.chosen)


def test_neighbours_lie_two_positions_away_or_are_the_position_itself(places):
    own = np.array(np.unravel_index(places.chosen, SHAPE))
    for k, moved in enumerate(places.neighbours):
        step = np.abs(np.array(np.unravel_index(places.chosen[moved], SHAPE)) - own)
        assert set(step[k // 2]) <= {0, NEAR}
        assert step.sum(axis=0).max() == NEAR


def test_means_and_variances_are_those_of_the_scans(places):
    features = scans(places, 7)
    usual = Usual.of(learnt(places, features), places)
    np.testing.assert_allclose(usual.mean, np.mean(features, axis=0), atol=1e-4)
    np.testing.assert_allclose(usual.variance, np.var(features, axis=0), atol=1e-3)


def test_whitened_residuals_of_many_scans_have_nearly_unit_covariance(places):
    features = scans(places, 400)
    usual = Usual.of(learnt(places, features), places)
    residual = np.concatenate(
        [
            (rows - usual.mean)[block] @ usual.whitening[number].T
            for rows in features
            for number, block in places.blocks()
        ]
    )
    np.testing.assert_allclose(residual.T @ residual / len(residual), np.eye(3), atol=0.08)


def test_near_is_small_for_healthy_scans_moved_by_two_positions_and_large_for_others(places):
    usual = Usual.of(learnt(places, scans(places, 60)), places)
    healthy = scans(places, 1, seed=5)[0]
    far = usual.near(healthy + 6, places)
    assert far.mean() > 3 * usual.near(healthy, places).mean()
    moved = usual.mean[places.neighbours[0]]
    assert usual.near(moved, places)[places.neighbours[0] != np.arange(len(moved))].max() < 1e-3


def test_diag_counts_deviations_of_each_position_itself(places):
    usual = Usual.of(learnt(places, scans(places, 60)), places)
    shifted = usual.mean + 5 * np.sqrt(usual.variance)
    assert usual.diag(usual.mean).max() < 1e-3
    assert usual.diag(shifted).mean() == pytest.approx(5 / np.sqrt(1.1), rel=0.15)


def test_sums_without_a_part_are_those_of_the_others(places):
    features = scans(places, 5)
    total, part, rest = (learnt(places, some) for some in (features, features[:2], features[2:]))
    found = total.without(part)
    assert found.count == 3
    np.testing.assert_allclose(found.products, rest.products, rtol=1e-4, atol=1e-2)
    assert total.without(total) is total


def test_one_scan_and_no_position_at_all_are_borne(places):
    one = scans(places, 1)
    assert np.isfinite(Usual.of(learnt(places, one), places).near(one[0] + 1, places)).all()
    nowhere = lattice(np.zeros(SHAPE, bool))
    usual = Usual.of(Sums.empty(nowhere, 3), nowhere)
    nothing = np.zeros((0, 3), np.float32)
    assert usual.near(nothing, nowhere).shape == usual.diag(nothing).shape == (0,)
