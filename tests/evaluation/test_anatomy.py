from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from mood.evaluation.anatomy import lobe_of, name_of, named, tissue_of
from mood.evaluation.places import find_places

SHAPE = (40, 48, 36)
TO_MNI = np.diag([4.0, 4.0, 4.0, 1.0])
TO_MNI[:3, 3] = (-80, -110, -70)


def a_ball(centre_mm, radius_mm=9.0, to_mni=TO_MNI, shape=SHAPE):
    """The voxels around a point of MNI space."""
    voxels = np.argwhere(np.ones(shape, bool))
    distance = np.linalg.norm(nib.affines.apply_affine(to_mni, voxels) - centre_mm, axis=1)
    return voxels[distance <= radius_mm]


@pytest.mark.parametrize(
    ("mm", "lobe"),
    [
        ((-30, 45, 20), "frontal"),
        ((38, -55, 50), "parietal"),
        ((-58, -20, -15), "temporal"),
        ((26, -20, -16), "temporal"),  # hippocampus
        ((10, -90, 5), "occipital"),
        ((-38, 2, 2), "insular"),
        ((25, 4, 2), "basal ganglia"),
        ((-10, -18, 8), "thalamus"),
        ((30, -62, -34), "cerebellum"),
        ((0, -27, -30), "brainstem"),
    ],
)
def test_points_lie_where_anatomists_have_them(mm, lobe):
    assert lobe_of(np.array([mm])).tolist() == [lobe]


def test_tissue_is_the_templates():
    points = np.array([(-26, 20, 24), (-14, -26, 22), (-25, 4, 2), (0, 300, 0)])
    assert tissue_of(points).tolist() == ["white matter", "fluid spaces", "grey matter", "fluid spaces"]


def test_a_place_has_side_lobe_and_tissue():
    assert name_of(a_ball((-27, -5, 32), 5.0), TO_MNI) == ("left", "left frontal white matter")
    assert name_of(a_ball((30, -62, -34)), TO_MNI) == ("right", "right cerebellum")
    side, name = name_of(a_ball((0, 50, 5)), TO_MNI)
    assert (side, name.startswith("frontal"), name.endswith("at the midline")) == ("midline", True, True)


def test_a_place_in_several_lobes_names_two_of_them():
    voxels = np.concatenate([a_ball((-50, 25, 10)), a_ball((-58, -20, -15))])
    assert name_of(voxels, TO_MNI)[1].startswith(("left frontal and temporal ", "left temporal and frontal "))


def test_names_do_not_depend_on_how_the_scan_lies():
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    flip[0, 3] = SHAPE[0] - 1
    turned = TO_MNI @ flip
    where = (-30, 45, 20)
    assert name_of(a_ball(where, to_mni=turned), turned) == name_of(a_ball(where), TO_MNI)


def test_places_are_named_by_their_own_voxels():
    score_map = np.zeros(SHAPE, np.float32)
    for centre in ((-30, 45, 20), (30, -62, -34)):
        score_map[tuple(a_ball(centre, 9 + 3 * (centre[0] < 0)).T)] = 0.9
    labels, places = find_places(score_map, 0.5, np.ones(SHAPE, bool), TO_MNI)
    found = named(places, labels, TO_MNI)
    assert [place.name.split()[:2] for place in found] == [["left", "frontal"], ["right", "cerebellum"]]
    assert [replace(place, name="", side=old.side) for place, old in zip(found, places, strict=True)] == places
    assert found[0].where == found[0].name
    assert named(places, labels, None) == places
    assert places[0].where == places[0].position
