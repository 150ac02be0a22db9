"""Altered brains on the network's grid: where voxels land, what views change, and what they never do."""

import numpy as np
import pytest
from keras import ops

from mood.synthesis.places.framing import coarse, draw_views, framed, seen_otherwise, space_to_depth
from mood.synthesis.places.store import content_affine, stacked

GRID_MM = 6.0
FRAME = (32, 36, 28)


@pytest.fixture(scope="module")
def store():
    shape = (24, 28, 20)
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    scan = np.where((grid**2).sum(0) < 0.7, rng.integers(60, 200, shape), 0).astype(np.uint8)
    return stacked([scan], [(6.0, 6.0, 6.0)], [content_affine(scan)], ["a"])


def plain_view(store):
    """Straight, unshifted, with the appearance as it is."""
    return {
        "turn": np.eye(3, dtype=np.float32)[None] * np.float32(GRID_MM / 6.0),
        "start": store.middle[:1],
        "gamma": np.ones(1, np.float32),
        "gain": np.ones(1, np.float32),
        "bias": np.zeros((1, 9), np.float32),
        "noise": np.zeros(1, np.float32),
        "blur": np.zeros(1, np.float32),
        "noise_from": np.zeros((1, 3), np.int32),
    }


def carried_out(store, views, label):
    scans = store.voxels[0].astype(np.float32) / 255
    bank = np.random.default_rng(1).normal(size=(16, 16, 16)).astype(np.float32)
    tensors = {key: ops.convert_to_tensor(value) for key, value in views.items()}
    image, seen = framed(
        ops.convert_to_tensor(scans.reshape(-1)), ops.convert_to_tensor(label.reshape(-1)), store.box,
        ops.convert_to_tensor(bank), tensors, FRAME,
    )  # fmt: skip
    return ops.convert_to_numpy(image)[0], ops.convert_to_numpy(seen)[0, ..., 0]


def test_a_straight_view_on_the_scans_own_grid_is_the_scan(store):
    view = plain_view(store)
    view["start"] = np.rint(view["start"]) + np.float32(0.5)  # an even frame has its middle between two voxels
    image, _ = carried_out(store, view, np.zeros(store.box, np.float32))
    first = np.rint(view["start"][0] - 0.5).astype(int) - np.array(FRAME) // 2 + 1
    found = np.argwhere(image > 0)
    scan = store.voxels[0].astype(np.float32) / 255
    np.testing.assert_allclose(image[tuple(found.T)], scan[tuple((found + first).T)], atol=1e-5)
    assert len(found) == (scan > 0).sum()


def test_the_label_lies_where_the_scan_shows_the_place(store):
    place = np.zeros(store.box, np.float32)
    place[10:16, 8:14, 9:15] = 1.0
    marked = np.where(place > 0, np.uint8(255), np.uint8(40))
    rng = np.random.default_rng(3)
    for _ in range(6):
        view = draw_views(store, np.array([0]), GRID_MM, rng) | {
            key: plain_view(store)[key] for key in ("gamma", "gain", "bias", "noise", "blur")
        }
        other = type(store)(marked[None], store.spacing_mm, store.middle, store.to_template, store.sites)
        image, label = carried_out(other, view, place)
        bright = (image > 0.6).reshape(16, 2, 18, 2, 14, 2).mean(axis=(1, 3, 5))
        assert label.sum() > 10
        assert np.abs(bright - label).sum() < 0.35 * label.sum()  # interpolated edges apart


def test_a_coarse_voxel_is_the_mean_of_the_eight_it_holds(rng):
    fine = rng.random((1, 4, 6, 2), dtype=np.float32)
    expected = fine.reshape(1, 2, 2, 3, 2, 1, 2).mean(axis=(2, 4, 6))
    np.testing.assert_allclose(ops.convert_to_numpy(coarse(fine)), expected, atol=1e-6)
    assert space_to_depth(fine).shape == (1, 2, 3, 1, 8)


def test_air_stays_air_whatever_the_scanner(store):
    rng = np.random.default_rng(4)
    bank = ops.convert_to_tensor(rng.normal(size=(16, 16, 16)).astype(np.float32))
    image = ops.convert_to_tensor(store.voxels.astype(np.float32) / 255)
    for _ in range(4):
        views = {k: ops.convert_to_tensor(v) for k, v in draw_views(store, np.array([0]), GRID_MM, rng).items()}
        seen = ops.convert_to_numpy(seen_otherwise(image, bank, views))
        assert not seen[store.voxels == 0].any()
        assert 0 <= seen.min() <= seen.max() <= 1


def test_views_are_the_seeds(store):
    first, again = (draw_views(store, np.array([0, 0]), GRID_MM, np.random.default_rng(7)) for _ in range(2))
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert first["turn"].shape == (2, 3, 3)
    assert first["start"].dtype == np.float32
