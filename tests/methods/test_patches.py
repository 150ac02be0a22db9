import numpy as np

from mood.methods.patches import (
    altered_scan,
    describe,
    most_alike,
    neighbourhoods,
    shuffled_batches,
    training_slices,
)
from mood.synthesis.tasks import TASKS

SHAPE = (24, 20, 16)


def scan(seed: int, brightness: float = 0.5) -> np.ndarray:
    tissue = np.zeros(SHAPE, np.float32)
    tissue[4:20, 3:17, 2:12] = np.random.default_rng(seed).normal(brightness, 0.05, (16, 14, 10)).clip(0.05, 1)
    return tissue


def test_the_partner_of_a_scan_is_one_that_looks_like_it():
    scans = [scan(0, brightness) for brightness in (0.3, 0.8, 0.31, 0.79, 0.3, 0.8)]
    alike = most_alike(scans)
    assert set(alike[0][:2]) == {2, 4}
    assert set(alike[1][:2]) == {3, 5}
    assert all(i not in partners for i, partners in enumerate(alike))


def test_empty_scans_can_be_described():
    assert np.isfinite(describe(np.zeros(SHAPE, np.float32))).all()
    assert len(most_alike([np.zeros(SHAPE, np.float32)] * 2)) == 2


def test_an_altered_scan_differs_from_its_host_only_where_there_is_a_label_or_its_soft_edge():
    host, foreign = scan(0), scan(1)
    altered, label = altered_scan(host, foreign, list(TASKS.values()), np.random.default_rng(0))
    assert label.any()
    assert np.abs(altered - host)[label == 0].max() < 0.05
    np.testing.assert_array_equal(host, scan(0))


def test_an_empty_scan_stays_empty():
    empty = np.zeros(SHAPE, np.float32)
    altered, label = altered_scan(empty, scan(0), list(TASKS.values()), np.random.default_rng(0))
    assert not altered.any()
    assert not label.any()


def test_neighbours_are_channels_and_there_is_air_beyond_the_ends():
    slices = np.arange(4, dtype=np.float32)[:, None, None] + np.ones((4, 2, 3), np.float32)
    images = neighbourhoods(slices, np.array([0, 2]), reach=1)
    assert images.shape == (2, 2, 3, 3)
    np.testing.assert_array_equal(images[:, 0, 0], [[0, 1, 2], [2, 3, 4]])


def test_both_scans_of_a_pair_become_slices_with_labels():
    pieces = list(training_slices([(scan(0), scan(1))], [TASKS["fpi"]], 2, 1, True, np.random.default_rng(0)))
    assert len(pieces) == 2
    for images, labels in pieces:
        assert images.shape[1:] == (24, 20, 3)
        assert labels.shape == (len(images), 24, 20, 1)


def test_batches_hold_every_slice_once_until_the_last_ones_are_too_few():
    pieces = iter(
        [(np.arange(10 * k, 10 * k + 10)[:, None], np.arange(10 * k, 10 * k + 10)[:, None]) for k in range(9)]
    )
    batches = list(shuffled_batches(pieces, 8, np.random.default_rng(0)))
    seen = np.concatenate([images[:, 0] for images, _ in batches])
    assert all(len(images) == 8 for images, _ in batches)
    assert len(set(seen)) == len(seen) == 88
    assert all((images == labels).all() for images, labels in batches)
