"""Places on toy scans that are no cubes: what may change, what must not, and what the label says of it."""

import dataclasses

import numpy as np
import pytest
from keras import ops

from mood.synthesis.places.altering import altered
from mood.synthesis.places.drawing import Drawing
from mood.synthesis.places.families import FAMILIES, same_place
from mood.synthesis.places.parameters import stacked_places, untouched
from mood.synthesis.places.store import content_affine, stacked

SPACING = (6.0, 6.0, 7.0)
SIDE = 12


def toy_scan(seed, shape=(24, 28, 20)):
    """A body of smooth tissue with some noise in air, as bytes."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    tissue = (
        0.5 + 0.2 * np.sin(6 * grid[0] + seed) * np.cos(5 * grid[1]) + 0.1 * grid[2] + 0.02 * rng.normal(size=shape)
    )
    return np.where(np.sqrt((grid**2).sum(0)) < 0.85, np.clip(tissue * 255, 1, 255), 0).astype(np.uint8)


@pytest.fixture(scope="module")
def store():
    scans = [toy_scan(0), toy_scan(1, (26, 24, 22)), toy_scan(2)]
    return stacked(scans, [SPACING] * 3, [content_affine(scan) for scan in scans], ["a", "a", "b"])


@pytest.fixture(scope="module")
def bank():
    return np.random.default_rng(0).normal(size=(16, 16, 16)).astype(np.float32)


def carried_out(store, bank, host, places):
    """Scan before, scan after, label: (X, Y, Z) each."""
    flat = ops.convert_to_tensor(store.voxels.reshape(-1))
    hosts = ops.convert_to_tensor(np.array([host], np.int32))
    tensors = {key: ops.convert_to_tensor(value) for key, value in places.items()}
    spacing = ops.convert_to_tensor(store.spacing_mm[[host]])
    scans, labels = altered(flat, store.box, ops.convert_to_tensor(bank), hosts, spacing, tensors, SIDE)
    after, label = (ops.convert_to_numpy(part).reshape(store.box) for part in (scans, labels))
    return store.voxels[host] / np.float32(255), after, label


def one_place(store, **values):
    place = untouched() | {
        "strength": 1.0, "centre": np.array([13, 15, 11]), "origin": np.array([13.0, 15.0, 11.0]),
        "frame": np.diag(1 / np.array(SPACING)), "to_unit": np.eye(3) / 24.0,
    }  # fmt: skip
    return stacked_places([[place | values]])


def millimetres(store):
    axes = [(np.arange(n) - c) * mm for n, c, mm in zip(store.box, (13, 15, 11), SPACING, strict=True)]
    return np.sqrt(sum(x**2 for x in np.meshgrid(*axes, indexing="ij")))


def test_an_untouched_brain_stays_as_it_is(store, bank):
    before, after, label = carried_out(store, bank, 0, stacked_places([[untouched(), untouched()]]))
    np.testing.assert_array_equal(after, before)
    assert not label.any()


@pytest.mark.parametrize(
    "values",
    [
        {"offset": 0.2},
        {"displace": np.eye(3) * 0.8},
        {"push_mm": np.array([8.0, 0.0, 0.0])},
        {"noise": 0.1},
        {"origin": np.array([10.0, 15.0, 11.0])},
    ],
    ids=["offset", "bulge", "push", "noise", "relocation"],
)
def test_only_the_place_changes_and_only_there_is_a_label(store, bank, values):
    before, after, label = carried_out(store, bank, 0, one_place(store, **values))
    outside = millimetres(store) >= 24.0
    np.testing.assert_allclose(after[outside], before[outside], atol=1e-6)
    assert not label[outside].any()
    assert np.abs(after - before).max() > 0.02
    assert label.max() > 0.5
    assert label.min() >= 0


def test_displaced_tissue_is_at_rest_at_the_surface(store, bank):
    before, after, _ = carried_out(store, bank, 0, one_place(store, displace=np.eye(3) * 0.8))
    distance = millimetres(store)
    change = np.abs(after - before)
    assert change[(distance > 21.0) & (distance < 24.0)].max() < 0.25 * change[distance < 15.0].max()


def test_whole_voxels_are_moved_bit_for_bit(store, bank):
    before, after, _ = carried_out(store, bank, 0, one_place(store, origin=np.array([10.0, 16.0, 11.0])))
    inside = millimetres(store) < 22.0
    np.testing.assert_allclose(after[inside], np.roll(before, (3, -1, 0), (0, 1, 2))[inside], atol=1e-6)


@pytest.mark.parametrize("values", [{"offset": 0.3}, {"noise": 0.3}, {"pull": 1.0, "level": 0.9}, {"blur": 0.9}])
def test_air_stays_air(store, bank, values):
    places = one_place(store, centre=np.array([5, 15, 11]), origin=np.array([5.0, 15.0, 11.0]), **values)
    before, after, label = carried_out(store, bank, 0, places)
    assert not after[before == 0].any()
    assert not label[before == 0].any()


def test_a_change_that_cannot_be_seen_is_not_labelled(store, bank):
    _, _, label = carried_out(store, bank, 0, one_place(store, offset=0.004))
    assert not label.any()


def test_the_same_place_of_another_body_is_where_registration_says(store):
    there = same_place(store, 0, 1, np.array(store.middle[0], float))
    np.testing.assert_allclose(there["origin"], store.middle[1], atol=1e-9)


def test_a_seed_draws_the_same_places(store):
    drawing = Drawing(dict.fromkeys(FAMILIES, 1.0), most=4, side=SIDE)
    first, second = (drawing.batch(store, np.array([0, 2]), np.random.default_rng(3)) for _ in range(2))
    assert first["strength"].shape == (2, 4)
    for key, values in first.items():
        np.testing.assert_array_equal(values, second[key])


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_alters_what_it_labels_and_stays_in_range(store, bank, family):
    drawing = Drawing({family: 1.0}, most=2, side=SIDE)
    changed = False
    for seed in range(3):
        places = drawing.batch(store, np.array([0]), np.random.default_rng(seed))
        before, after, label = carried_out(store, bank, 0, places)
        assert after.min() >= 0
        assert after.max() <= 1
        assert np.isfinite(label).all()
        assert not label[(before == 0) & (after == 0)].any()
        changed |= bool((after != before).any())
    assert changed


def test_room_for_more_scans_changes_no_scan(store):
    roomy = store.roomy(5, tuple(n + 3 for n in store.box))
    assert len(roomy) == len(store)
    x, y, z = store.box
    np.testing.assert_array_equal(roomy.voxels[:3, :x, :y, :z], store.voxels)
    assert dataclasses.replace(roomy, voxels=store.voxels).subset([1]).sites[0] == "a"


def test_an_eased_drawing_leaves_the_hard_families_out_and_the_others_as_they_are(store):
    drawing = Drawing({"offset": 1.0, "bulge": 2.0}, 2, SIDE)
    assert drawing.eased(["bulge"], 1.0) == drawing
    assert drawing.eased(["bulge"], 0.25).families == {"offset": 1.0, "bulge": 0.5}
    places = drawing.eased(["bulge"], 0.0).batch(store, np.zeros(20, int), np.random.default_rng(0))
    assert not places["displace"].any()
    assert places["offset"].any()
