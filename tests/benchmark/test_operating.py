from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mood.benchmark.cases import Case, lesion_kind
from mood.benchmark.operating import found_at, operating_threshold
from mood.calibration import Calibration
from mood.methods.baselines.atlas import Atlas
from mood.regions import BRAIN
from mood.volume import Volume

SHAPE = (24, 20, 16)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def case(label: np.ndarray) -> Case:
    scan = np.zeros(SHAPE, np.float32)
    scan[2:22, 2:18, 2:14] = 0.5
    return Case("a", "ring", Volume(scan, AFFINE, nib.Nifti1Header(), Path("a.nii.gz")), label)


def boxes(*corners: tuple[int, int, int]) -> np.ndarray:
    """A map of 0.8 in boxes of 4 x 4 x 4 voxels of 2 mm: 0.5 ml each."""
    score_map = np.full(SHAPE, 0.1, np.float32)
    for x, y, z in corners:
        score_map[x : x + 4, y : y + 4, z : z + 4] = 0.8
    return score_map


def test_the_threshold_is_what_one_healthy_voxel_in_a_thousand_reaches():
    method = Atlas(BRAIN, Atlas.default_settings(BRAIN))
    assert operating_threshold(method) is None
    method.calibration = Calibration(-2.0, 1.0, (0.1, 0.2, 0.3, 0.4, 0.5))
    assert operating_threshold(method) == 0.3


def test_objects_are_counted_where_there_is_a_label():
    label = (boxes((4, 4, 4), (16, 4, 4)) > 0.5).astype(np.uint8)
    found = found_at(0.5, case(label), boxes((4, 4, 4), (10, 10, 8)))
    assert (found.objects.true_positives, found.objects.false_positives, found.objects.false_negatives) == (1, 1, 1)
    assert found.places is None
    assert found_at(None, case(label), boxes()) is None


@pytest.mark.parametrize(("threshold", "places"), [(0.5, 2), (0.9, 0), (0.05, 1)])
def test_in_a_healthy_scan_every_place_in_the_body_is_false(threshold, places):
    healthy = case(np.zeros(SHAPE, np.uint8))
    score_map = boxes((4, 4, 4), (14, 10, 8))
    score_map[:, :, 15] = 0.8  # outside the body
    found = found_at(threshold, healthy, score_map)
    assert found.places == places
    assert np.isnan(found.objects.f1)


def test_the_kind_of_a_lesion_is_its_name_without_the_number():
    assert [lesion_kind(name) for name in ("site_wmh_04", "ms26", "glioma", "7")] == ["site_wmh", "ms", "glioma", "7"]
