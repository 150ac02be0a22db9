import numpy as np

from mood.intensities import standardised
from mood.methods.mix.training_images import (
    VIEWS,
    Frame,
    altered_scan,
    describe,
    most_alike,
    shuffled_batches,
    training_slices,
)
from mood.regions import BRAIN
from mood.synthesis.augmentation import Augmentation
from mood.synthesis.native import NativeScan
from mood.synthesis.tasks import TASKS

SHAPE = (24, 20, 16)
MM = (1.0, 1.0, 1.0)


def frame(*views: str) -> Frame:
    return Frame(BRAIN, (16, 16, 12), (2.0, 1.5, 2.0), 2, 1, views or ("plain",))


def scan(seed: int, brightness: float = 0.5, spacing_mm=MM) -> NativeScan:
    tissue = np.zeros(SHAPE, np.float32)
    tissue[4:20, 3:17, 2:12] = np.random.default_rng(seed).normal(brightness, 0.05, (16, 14, 10)).clip(0.05, 1)
    return NativeScan(tissue, spacing_mm)


def empty() -> NativeScan:
    return NativeScan(np.zeros(SHAPE, np.float32), MM)


def test_the_partner_of_a_scan_is_one_that_looks_like_it():
    scans = [scan(0, brightness) for brightness in (0.3, 0.8, 0.31, 0.79, 0.3, 0.8)]
    alike = most_alike(scans)
    assert set(alike[0][:2]) == {2, 4}
    assert set(alike[1][:2]) == {3, 5}
    assert all(i not in partners for i, partners in enumerate(alike))


def test_the_partner_of_a_scan_has_voxels_of_its_size():
    sizes = [(1.0, 1.0, 1.0), (2.0, 2.0, 2.0)] * 3
    alike = most_alike([scan(seed, 0.3 + 0.1 * seed, size) for seed, size in enumerate(sizes)])
    assert set(alike[0][:2]) == {2, 4}
    assert set(alike[1][:2]) == {3, 5}


def test_empty_scans_can_be_described():
    assert np.isfinite(describe(empty())).all()
    assert len(most_alike([empty()] * 2)) == 2


def test_an_altered_scan_differs_from_its_host_only_where_there_is_a_label_or_its_soft_edge():
    host = scan(0)
    altered = altered_scan(host, scan(1).data, list(TASKS.values()), np.random.default_rng(0))
    assert altered.label.any()
    assert np.abs(altered.scan.data - host.data)[altered.label == 0].max() < 0.05
    np.testing.assert_array_equal(host.data, scan(0).data)


def test_an_empty_scan_stays_empty():
    altered = altered_scan(empty(), scan(0).data, list(TASKS.values()), np.random.default_rng(0))
    assert not altered.scan.data.any()
    assert not altered.label.any()


def test_neighbours_are_channels_and_there_is_air_beyond_the_ends():
    slices = np.arange(4, dtype=np.float32)[:, None, None] + np.ones((4, 2, 3), np.float32)
    images = frame().images(slices[None], np.array([0, 2]))
    assert images.shape == (2, 2, 3, frame().channels)
    np.testing.assert_array_equal(images[:, 0, 0], [[0, 1, 2], [2, 3, 4]])


def test_looks_lie_behind_one_another():
    seen, data = frame(*VIEWS), scan(0).data
    images = seen.images(seen.see(data), np.arange(16))
    assert images.shape == (16, 24, 20, seen.channels) == (16, 24, 20, 9)
    np.testing.assert_array_equal(images[..., 1], np.moveaxis(data, 2, 0))
    np.testing.assert_array_equal(images[..., 4], np.moveaxis(standardised(data, BRAIN), 2, 0))
    np.testing.assert_array_equal(images[..., 6:], images[:, ::-1, :, 3:6])


def test_a_pair_becomes_slices_of_the_frame_with_labels():
    scans = [scan(seed) for seed in range(6)]
    pairs = [(first, scan(seed + 6)) for seed, first in enumerate(scans)]
    pieces = list(training_slices(pairs, [TASKS["intensity"]], frame(), np.random.default_rng(0)))
    assert len(pieces) == len(scans)
    for images, labels in pieces:
        assert images.shape[1:] == (16, 16, 3)
        assert labels.shape == (len(images), 16, 16, 1)
        assert 0 <= labels.min() <= labels.max() <= 1
    assert any(labels.any() for _, labels in pieces)


def evenly_grey(grey: float) -> NativeScan:
    data = np.zeros(SHAPE, np.float32)
    data[4:20, 3:17, 2:12] = grey
    return NativeScan(data, MM)


def only_mirrored(rng: np.random.Generator, mirror: bool) -> Augmentation:
    """Half of the scans mirrored, and nothing else."""
    return Augmentation(1.0, np.ones((4, 4, 4), np.float32), 0.0, 0.0, 0, bool(mirror and rng.random() < 0.5), None)


def test_what_is_foreign_in_an_image_comes_from_the_other_scan_and_lies_under_the_label(monkeypatch):
    """The host is dark and its partner bright, so that each pixel's brightness tells its foreign share."""
    monkeypatch.setattr("mood.methods.mix.training_images.draw_augmentation", only_mirrored)
    monkeypatch.setattr("mood.methods.mix.training_images.PLACES", (1, 2))  # where two overlap, the label is the larger
    pairs = [(evenly_grey(0.2), evenly_grey(0.9)) for _ in range(20)]
    whole = Frame(BRAIN, SHAPE, MM, 2, 1, ("plain",))
    pieces = list(training_slices(pairs, [TASKS["fpi"]], whole, np.random.default_rng(0)))
    images, labels = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    itself = images[..., 1:2]  # between its neighbours
    tissue = itself > 0
    assert (labels[tissue] > 0.3).sum() > 100
    assert not labels[~tissue].any()
    np.testing.assert_allclose(itself[tissue], 0.2 + 0.7 * labels[tissue], atol=0.01)  # less is not labelled


def test_batches_hold_every_slice_once_until_the_last_ones_are_too_few():
    pieces = iter(
        [(np.arange(10 * k, 10 * k + 10)[:, None], np.arange(10 * k, 10 * k + 10)[:, None]) for k in range(9)]
    )
    batches = list(shuffled_batches(pieces, 8, np.random.default_rng(0)))
    seen = np.concatenate([images[:, 0] for images, _ in batches])
    assert all(len(images) == 8 for images, _ in batches)
    assert len(set(seen)) == len(seen) == 88
    assert all((images == labels).all() for images, labels in batches)
