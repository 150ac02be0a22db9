import csv
import io

import numpy as np
import pytest

from mood.evaluation.places import body_mask, find_places, places_csv

SHAPE = (40, 30, 24)
AFFINE = np.diag([2.0, 2.0, 2.5, 1.0])


@pytest.fixture
def body() -> np.ndarray:
    inside = np.zeros(SHAPE, bool)
    inside[2:38, 2:28, 2:22] = True
    return inside


def a_map(*boxes: tuple[slice, slice, slice], value: float = 0.8) -> np.ndarray:
    score_map = np.zeros(SHAPE, np.float32)
    for box in boxes:
        score_map[box] = value
    return score_map


LARGE, SMALL = np.s_[5:11, 20:26, 15:20], np.s_[30:34, 4:8, 4:7]


def test_places_are_numbered_by_size_and_measured(body):
    score_map = a_map(LARGE, SMALL)
    score_map[8, 22, 17] = 0.9
    labels, places = find_places(score_map, 0.5, body, AFFINE)
    assert [place.number for place in places] == [1, 2]
    assert places[0].volume_ml == pytest.approx(6 * 6 * 5 * 0.01)
    assert places[0].peak == pytest.approx(0.9)
    assert places[0].peak_voxel == (8, 22, 17)
    assert places[0].centre_voxel == (7.5, 22.5, 17.0)
    assert places[0].centre_mm == (15.0, 45.0, 42.5)
    assert (labels[LARGE] == 1).all()
    assert (labels[SMALL] == 2).all()
    assert labels.sum() == 180 + 2 * 48


@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, 1), (-1, -1, -1)])
def test_sides_and_positions_follow_the_header(body, flips):
    affine = np.diag([*(mm * flip for mm, flip in zip((2.0, 2.0, 2.5), flips, strict=True)), 1.0])
    turned = np.flip(a_map(LARGE), [axis for axis in range(3) if flips[axis] < 0])
    place = find_places(turned, 0.5, body, affine)[1][0]
    assert place.side == "left"
    assert place.position == "left, upper, front"


def test_axes_in_another_order_tell_the_same(body):
    turned = np.eye(4)[[1, 2, 0, 3]] @ np.diag([2.0, 2.0, 2.5, 1.0])  # scan axes 0, 1, 2 run along z, x, y
    score_map = a_map(np.s_[30:36, 4:8, 3:7])
    place = find_places(score_map, 0.5, body, turned)[1][0]
    assert place.position == "left, upper, back"


def test_the_middle_is_neither_left_nor_right(body):
    place = find_places(a_map(np.s_[17:23, 12:18, 9:15]), 0.5, body, AFFINE)[1][0]
    assert place.side == "midline"
    assert place.position == "midline, middle"


def test_nothing_is_found_outside_the_body_or_below_the_threshold(body):
    score_map = a_map(LARGE)
    for threshold, where in ((0.81, body), (0.0, np.zeros_like(body))):
        labels, places = find_places(score_map, threshold, where, AFFINE)
        assert places == []
        assert not labels.any()
    assert find_places(np.zeros(SHAPE, np.float32), 0.0, body, AFFINE)[1] == []


def test_what_is_smaller_than_the_maps_resolve_is_left_out(body):
    fine = np.diag([0.5, 0.5, 0.5, 1.0])
    assert find_places(a_map(SMALL), 0.5, body, fine)[1] == []
    assert len(find_places(a_map(SMALL), 0.5, body, AFFINE)[1]) == 1


@pytest.mark.parametrize(
    ("box", "expected"),
    [(LARGE, False), (np.s_[2:8, 10:16, 8:13], True), (np.s_[10:16, 23:28, 8:13], True), (np.s_[3:8, 3:8, 3:8], False)],
)
def test_the_edge_of_the_body_is_noticed(body, box, expected):
    assert find_places(a_map(box), 0.5, body, AFFINE)[1][0].touches_edge is expected


def test_the_border_of_the_volume_is_an_edge_too():
    everywhere = np.ones(SHAPE, bool)
    assert find_places(a_map(np.s_[0:6, 10:16, 8:13]), 0.5, everywhere, AFFINE)[1][0].touches_edge
    assert find_places(a_map(np.s_[34:40, 10:16, 8:13]), 0.5, everywhere, AFFINE)[1][0].touches_edge
    assert not find_places(a_map(np.s_[1:6, 10:16, 8:13]), 0.5, everywhere, AFFINE)[1][0].touches_edge


def test_dark_fluid_inside_belongs_to_the_body(scan):
    scan[8:12, 8:12, 5:9] = 0
    body = body_mask(scan)
    assert body[4:19, 3:17, 2:13].all()
    assert body.sum() == 15 * 14 * 11
    assert body_mask(np.ones((4, 3, 2), np.float32)).all()
    assert not body_mask(np.zeros((4, 3, 2), np.float32)).any()


def test_the_table_names_every_column_once(body):
    places = find_places(a_map(LARGE, SMALL), 0.5, body, AFFINE)[1]
    rows = list(csv.DictReader(io.StringIO(places_csv([('one, "two"', place) for place in places]))))
    assert [row["number"] for row in rows] == ["1", "2"]
    assert rows[0]["scan"] == 'one, "two"'
    assert float(rows[0]["centre_mm_z"]) == 42.5
    assert None not in rows[0]
