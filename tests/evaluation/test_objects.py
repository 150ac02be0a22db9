"""Objects found, invented and missed, on boxes whose answer is plain to see."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mood.evaluation.objects import ObjectCounts, centres_of_mass, find_objects, inside_hull, object_f1

SHAPE = (24, 20, 16)


def boxes(*corners, size=(5, 4, 3)):
    mask = np.zeros(SHAPE, dtype=bool)
    for x, y, z in corners:
        mask[x : x + size[0], y : y + size[1], z : z + size[2]] = True
    return mask


def counts(found, invented, missed):
    return ObjectCounts(found, invented, missed)


def test_perfect_map_finds_everything():
    label = boxes((2, 2, 2), (14, 10, 9))
    result = object_f1(label * 0.7, label, threshold=0.7)
    assert result == counts(2, 0, 0)
    assert result.f1 == result.precision == result.recall == 1


def test_invented_and_missed_objects():
    result = object_f1(boxes((2, 2, 2), (2, 14, 10)) * 0.9, boxes((2, 2, 2), (14, 10, 9)), 0.5)
    assert result == counts(1, 1, 1)
    assert (result.precision, result.recall, result.f1) == (0.5, 0.5, 0.5)


def test_below_the_threshold_nothing_is_detected():
    label = boxes((2, 2, 2))
    assert object_f1(label * 0.4, label, 0.5) == counts(0, 0, 1)


@pytest.mark.parametrize(
    ("size", "found"), [((5, 4, 3), 1), ((5, 4, 6), 1), ((5, 4, 7), 0), ((5, 2, 3), 1), ((4, 2, 3), 0)]
)
def test_size_ratio_decides(size, found):
    label = boxes((8, 8, 5))
    assert object_f1(boxes((8, 8, 5), size=size) * 1.0, label, 0.5).true_positives == found


def test_centre_outside_the_hull_is_no_detection():
    assert object_f1(boxes((13, 8, 5)) * 1.0, boxes((8, 8, 5)), 0.5) == counts(0, 1, 1)


def test_objects_of_at_most_8_voxels_do_not_count():
    assert object_f1(boxes((3, 3, 3), size=(2, 2, 2)) * 1.0, boxes((9, 9, 9), size=(2, 2, 2)), 0.5) == counts(0, 0, 0)
    label = boxes((9, 9, 9), size=(3, 3, 1))
    assert object_f1(label * 1.0, label, 0.5) == counts(1, 0, 0)


def test_a_second_detection_of_one_object_is_false():
    label = boxes((4, 4, 4), size=(9, 4, 3))
    halves = label.copy()
    halves[8] = False
    assert object_f1(halves * 1.0, label, 0.4) == counts(0, 2, 1)
    halves = boxes((4, 4, 4), size=(9, 9, 3))
    halves[:, 8] = False
    assert object_f1(halves * 1.0, boxes((4, 4, 4), size=(9, 8, 3)), 0.5) == counts(1, 1, 0)


def test_matching_leaves_no_object_for_which_a_partner_exists():
    wide = boxes((2, 2, 2), size=(9, 4, 4))
    label = wide.copy()
    label[:, 3:5] = False
    detections = boxes((2, 2, 2), (2, 5, 2), size=(9, 1, 4))
    assert object_f1(detections * 1.0, label, 0.5) == counts(2, 0, 0)


@pytest.mark.parametrize("size", [(6, 5, 1), (6, 1, 5), (1, 6, 5), (12, 1, 1), (1, 1, 12)])
def test_flat_and_thin_objects_have_a_hull(size):
    label = boxes((5, 5, 2), size=size)
    assert object_f1(label * 1.0, label, 0.5) == counts(1, 0, 0)


def test_empty_masks_and_a_full_one():
    nothing, everything = np.zeros(SHAPE, dtype=bool), np.ones(SHAPE, dtype=bool)
    assert object_f1(nothing * 1.0, nothing, 0.5) == counts(0, 0, 0)
    assert object_f1(everything * 1.0, nothing, 0.5) == counts(0, 1, 0)
    assert object_f1(nothing * 1.0, everything, 0.5) == counts(0, 0, 1)
    assert object_f1(everything * 1.0, everything, 0.5) == counts(1, 0, 0)
    assert np.isnan([counts(0, 0, 0).f1, counts(0, 0, 0).precision, counts(0, 0, 0).recall]).all()


def test_counts_add():
    assert counts(1, 2, 3) + counts(10, 20, 30) == counts(11, 22, 33)
    assert counts(1, 2, 3).f1 == pytest.approx(2 / 7)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.3))
def test_centres_and_sizes_equal_scipy(seed, density):
    mask = np.random.default_rng(seed).random(SHAPE) < density
    objects, sizes = find_objects(mask)
    numbers = np.arange(1, len(sizes) + 1)
    assert np.array_equal(np.unique(objects[objects > 0]), numbers)
    assert np.all(sizes > 8)
    assert np.array_equal(ndimage.sum_labels(mask, objects, numbers), sizes)
    expected = np.array(ndimage.center_of_mass(mask, objects, numbers)).reshape(-1, 3)
    np.testing.assert_allclose(centres_of_mass(objects, len(sizes)), expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_hull_holds_its_voxels_and_nothing_beyond_the_box(seed):
    rng = np.random.default_rng(seed)
    mask = boxes((8, 6, 5), size=(7, 5, 4)) & (rng.random(SHAPE) < 0.5)
    mask[8, 6, 5] = mask[14, 10, 8] = True
    voxels = np.argwhere(mask)
    assert inside_hull(voxels.astype(float), mask).all()
    weights = rng.dirichlet(np.ones(len(voxels)), size=5)
    assert inside_hull(weights @ voxels, mask).all()
    outside = np.array([[7.4, 8, 6], [14.6, 8, 6], [11, 5.4, 6], [11, 10.6, 6], [11, 8, 4.4], [11, 8, 8.6]])
    assert not inside_hull(outside, mask).any()


def test_hull_of_a_bent_object_covers_the_bend_only():
    mask = boxes((4, 4, 4), size=(10, 2, 3)) | boxes((4, 4, 4), size=(2, 10, 3))
    points = np.array([[7.0, 7.0, 5.0], [12.0, 12.0, 5.0], [4.0, 12.0, 5.0]])
    assert inside_hull(points, mask).tolist() == [True, False, True]
