"""FPI's task from a store: where the foreign share is, what it is a mixture of, and how it is read."""

import dataclasses

import numpy as np
import pytest

from mood.synthesis.places.foreign_slices import SAME, ForeignSlices, SliceFrame, draw_slices
from mood.synthesis.places.store import content_affine, stacked

SPACING = (6.0, 6.5, 7.0)
FRAME = SliceFrame((16, 32), (24, 36), 8.0)


def toy_scan(seed, shape=(26, 30, 20)):
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    return np.where((grid**2).sum(0) < 0.8, rng.integers(40, 220, shape), 0).astype(np.uint8)


@pytest.fixture(scope="module")
def store():
    scans = [toy_scan(i) for i in range(3)]
    return stacked(scans, [SPACING] * 3, [content_affine(scan) for scan in scans], ["a", "a", "b"])


@pytest.fixture(scope="module")
def mixed(store):
    drawn = draw_slices(store, np.zeros(24, int), FRAME, (0.05, 0.5), np.random.default_rng(0))
    images, labels = (np.asarray(part)[..., 0] for part in ForeignSlices(store, FRAME.shape)(drawn))
    plain = drawn | {"alpha": np.ones_like(drawn["alpha"])}
    hosts, nothing = (np.asarray(part)[..., 0] for part in ForeignSlices(store, FRAME.shape)(plain))
    return drawn, images, labels, hosts, nothing


def test_slices_of_one_scan_with_a_patch_of_another(mixed):
    drawn, images, labels, hosts, nothing = mixed
    assert images.shape == labels.shape == (24, *FRAME.shape)
    assert (drawn["source"] != drawn["host"]).all()
    assert not nothing.any()  # all of the host: nothing is foreign
    np.testing.assert_allclose(images[labels == 0], hosts[labels == 0], atol=SAME)  # what differs by less is alike
    assert np.abs(images - hosts)[labels > 0].mean() > 0.02


def test_the_label_is_the_foreign_share_within_the_window(mixed):
    drawn, _, labels, _, _ = mixed
    for alpha, window, label in zip(drawn["alpha"], drawn["window"], labels, strict=True):
        low, high = np.clip(window, 0, np.array(FRAME.shape)[:, None]).astype(int).T
        inside = np.zeros(FRAME.shape, bool)
        inside[low[0] : high[0], low[1] : high[1]] = True
        assert not label[~inside].any()
        np.testing.assert_allclose(label[label > 0], 1 - alpha, rtol=1e-5)


def test_the_same_scan_lying_elsewhere_leaves_no_trace():
    """Or a network would learn to tell how a patch was brought to its place."""
    scan = toy_scan(0)
    inner = scan[3:23, 4:24, 2:18]
    moved = np.zeros_like(scan)
    moved[5:25, 7:27, 3:19] = inner
    first = np.zeros_like(scan)
    first[3:23, 4:24, 2:18] = inner
    pair = stacked([first, moved], [SPACING] * 2, [content_affine(s) for s in (first, moved)], ["a", "a"])
    drawn = draw_slices(pair, np.array([0, 1] * 8), FRAME, (0.05, 0.5), np.random.default_rng(2))
    images, labels = (np.asarray(part) for part in ForeignSlices(pair, FRAME.shape)(drawn))
    plain, _ = ForeignSlices(pair, FRAME.shape)(drawn | {"alpha": np.ones_like(drawn["alpha"])})
    np.testing.assert_allclose(images, np.asarray(plain), atol=1e-5)
    assert not labels.any()


def test_foreign_slices_come_from_a_scan_of_the_same_voxels(store):
    rows = [0, 1, 2]
    coarse = dataclasses.replace(store, spacing_mm=np.array([SPACING, (9, 9, 9), SPACING], np.float32))
    drawn = draw_slices(coarse, np.array(rows * 10), FRAME, (0.05, 0.5), np.random.default_rng(3))
    assert set(drawn["source"][drawn["host"] == 0]) == {2}
    assert set(drawn["source"][drawn["host"] == 1]) == {0, 2}


def test_the_share_comes_from_the_range_that_is_asked_for(mixed):
    assert ((mixed[0]["alpha"] >= 0.05) & (mixed[0]["alpha"] <= 0.5)).all()


def test_slices_are_the_seeds(store):
    first, again = (
        draw_slices(store, np.array([0, 1, 2]), FRAME, (0.05, 0.95), np.random.default_rng(5)) for _ in range(2)
    )
    assert all(np.array_equal(first[key], again[key]) for key in first)
