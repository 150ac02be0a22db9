"""What is FPI's own, beyond the contract."""

from dataclasses import replace

import numpy as np
import pytest

from mood.methods.fpi import Fpi
from mood.regions import ABDOM, BRAIN
from mood.runtime import seed_initial_weights


def small(region, **changes) -> Fpi:
    seed_initial_weights(0)
    defaults = Fpi.default_settings(region)
    changes = {"grid_shape": (32, 48, 16), "width": 1, "batch_size": 4} | changes
    return Fpi(region, replace(defaults, **changes))


def recorded_steps(method: Fpi, scans: list[np.ndarray], monkeypatch) -> list[tuple[np.ndarray, np.ndarray]]:
    steps = []
    monkeypatch.setattr(method.network, "train_on_batch", lambda x, y: steps.append((x, y)) or 0.0)
    assert len(list(method.train_epoch(scans, np.random.default_rng(0)))) == len(steps)
    return steps


def test_the_published_settings():
    brain, abdom = Fpi.default_settings(BRAIN), Fpi.default_settings(ABDOM)
    assert (brain.architecture, brain.classes, brain.slice_axis, brain.patch_core) == ("dec", 1, 2, 0.5)
    assert (abdom.architecture, abdom.classes, abdom.slice_axis, abdom.patch_core) == ("decdeeper", 5, 1, 0.8)
    assert (brain.width, brain.batch_size, brain.learning_rate, abdom.difference_step) == (4, 32, 1e-3, 1e-3)


def test_an_epoch_trains_both_mixed_images_of_every_pair(rng, monkeypatch):
    scans = list(rng.random((5, 32, 48, 16), dtype=np.float32))  # the odd one is left out this epoch
    steps = recorded_steps(small(BRAIN), scans, monkeypatch)
    assert len(steps) == 2 * 2 * (16 // 4)
    for (mixed_a, label_a), (mixed_b, label_b) in zip(steps[0::2], steps[1::2], strict=True):
        assert mixed_a.shape == label_a.shape == (4, 32, 48, 1)
        np.testing.assert_array_equal(label_a, label_b)
        outside = label_a == 0
        originals = np.stack([scan[:, :, z] for scan in scans for z in range(16)])
        for image, other, clear in zip(mixed_a[..., 0], mixed_b[..., 0], outside[..., 0], strict=True):
            sums = [np.abs((image + other - a)[clear] - (image + other - a)[clear].clip(0, 1)).max() for a in originals]
            assert min(sums) < 1e-6  # image + other is the sum of two originals


def test_the_abdomen_is_trained_on_classes(rng, monkeypatch):
    scans = list(rng.random((2, 32, 32, 64), dtype=np.float32))
    labels = np.concatenate([y for _, y in recorded_steps(small(ABDOM, slice_axis=2), scans, monkeypatch)])
    assert labels.dtype == np.uint8
    assert set(np.unique(labels)) == {0, 1, 2, 3, 4}


def test_slices_that_are_empty_in_both_are_not_trained_on(rng, monkeypatch):
    scans = np.zeros((2, 32, 48, 16), np.float32)
    scans[:, 4:30, 5:40, 3:11] = rng.random((2, 26, 35, 8))
    steps = recorded_steps(small(BRAIN), list(scans), monkeypatch)
    assert len(steps) == 2 * 8 // 4
    assert all(image.any() for images, _ in steps for image in images)


def test_class_probabilities_become_their_expectation():
    method = small(ABDOM)
    output = np.zeros((2, 3, 5), np.float32)
    output[0, 0] = [1, 0, 0, 0, 0]
    output[0, 1] = [0, 0, 0, 0, 1]
    output[1, 2] = [0.2, 0.2, 0.2, 0.2, 0.2]
    share = method._foreign_share(output)
    assert (share[0, 0], share[0, 1]) == (0, 1)
    assert share[1, 2] == pytest.approx(0.5)


def test_scans_larger_than_the_grid_meet_in_the_middle(rng, monkeypatch):
    scans = [rng.random((32, 48, 16), dtype=np.float32), rng.random((40, 48, 12), dtype=np.float32)]
    steps = recorded_steps(small(BRAIN), scans, monkeypatch)
    assert {x.shape[1:] for x, _ in steps} == {(32, 48, 1)}


def test_a_network_learns_where_the_patches_are(rng):
    """On an easy task (dark subjects, bright subjects) the map separates a planted patch from the rest."""
    scans = [np.full((32, 32, 16), level, np.float32) + rng.normal(0, 0.01, (32, 32, 16)).astype(np.float32)
             for level in (0.2, 0.8, 0.2, 0.8)]  # fmt: skip
    method = small(BRAIN, grid_shape=(32, 32, 16), batch_size=8)
    for _ in range(25):
        list(method.train_epoch(scans, rng))
    scan = scans[0].copy()
    scan[12:20, 12:20, :] = 0.8
    score_map = method.score_volume(scan)
    assert score_map[13:19, 13:19].mean() > score_map[:8].mean() + 0.2
