from dataclasses import replace

import numpy as np

from mood.evaluation.agreement import agreeing
from mood.evaluation.places import find_places
from mood.formats.member_volumes import member_path, save_members

SHAPE = (40, 48, 36)
AFFINE = np.diag([-3.0, 3.0, 3.5, 1.0])
AFFINE[:3, 3] = (60, -72, -63)


def test_members_agree_on_a_place_as_far_as_each_finds_it(tmp_path):
    score_map = np.zeros(SHAPE, np.float32)
    score_map[10:18, 20:28, 10:18] = 0.9
    score_map[28:32, 20:24, 20:24] = 0.8
    labels, places = find_places(score_map, 0.5, np.ones(SHAPE, bool), AFFINE)
    assert agreeing(places, labels, AFFINE, tmp_path / "a.nii.gz") == places  # nothing was kept
    halved = np.zeros((20, 24, 18), bool)  # twice the voxel size, the same corner
    halved[5:7] = True
    coarse = AFFINE @ np.diag([2.0, 2.0, 2.0, 1.0])
    coarse[:3, 3] = (AFFINE @ [0.5, 0.5, 0.5, 1])[:3]
    both = {"detail": np.ones(halved.shape, bool), "normative": halved}
    save_members(member_path(tmp_path / "a.nii.gz"), both, coarse)
    found = agreeing(places, labels, AFFINE, tmp_path / "a.nii.gz")
    assert [place.members for place in found] == ["detail 100%, normative 50%", "detail 100%, normative 0%"]
    assert [replace(place, members="") for place in found] == places
    assert agreeing([], np.zeros(SHAPE, np.uint16), AFFINE, tmp_path / "a.nii.gz") == []
