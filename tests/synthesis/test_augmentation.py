import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mood.synthesis.augmentation import Augmentation, draw_augmentation
from mood.synthesis.labelled_scan import LabelledScan
from mood.synthesis.native import NativeScan

SHAPE = (24, 20, 16)
NOTHING = {"gamma": 1.0, "shading": np.ones((4, 4, 4), np.float32), "blur": 0.0, "noise": 0.0, "seed": 0}


def scan() -> np.ndarray:
    rng = np.random.default_rng(0)
    tissue = np.zeros(SHAPE, np.float32)
    tissue[4:20, 3:17, 3:12] = rng.uniform(0.2, 0.9, (16, 14, 9))
    return tissue


def labelled(data: np.ndarray) -> LabelledScan:
    """A scan whose label is 1 at its bright voxels."""
    return LabelledScan(NativeScan(data, (1.0, 1.0, 1.0)), (data > 0.7).astype(np.float32))


def augmented(augmentation: Augmentation) -> np.ndarray:
    return augmentation.apply(labelled(scan())).scan.data


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_an_augmented_scan_is_a_scan_again(seed):
    original = scan()
    augmentation = draw_augmentation(np.random.default_rng(seed), mirror=True)
    changed = augmentation.apply(labelled(original)).scan.data
    assert changed.dtype == np.float32
    assert changed.shape == SHAPE
    assert changed.min() == 0
    assert changed.max() <= 1
    np.testing.assert_array_equal(original, scan())
    if augmentation.pose is None:
        mirrored = original[::-1] if augmentation.mirrored else original
        np.testing.assert_array_equal(changed > 0, mirrored > 0)


@pytest.mark.parametrize("pose", [None, np.eye(3)], ids=["no pose", "identity"])
def test_an_augmentation_that_does_nothing_changes_nothing(pose):
    result = Augmentation(**NOTHING, mirrored=False, pose=pose).apply(labelled(scan()))
    np.testing.assert_allclose(result.scan.data, scan(), atol=1e-6)
    np.testing.assert_allclose(result.label, labelled(scan()).label, atol=1e-6)


def test_a_mirrored_scan_is_mirrored_left_to_right():
    np.testing.assert_allclose(augmented(Augmentation(**NOTHING, mirrored=True, pose=None)), scan()[::-1], atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_the_label_goes_where_the_scan_goes(seed):
    """A cube that is far brighter than the rest is still what the label covers."""
    data = scan() * 0.2
    data[12:18, 5:10, 4:8] = 1.0
    result = draw_augmentation(np.random.default_rng(seed), mirror=True).apply(labelled(data))
    assert result.label.min() >= 0
    assert result.label.max() <= 1
    assert result.scan.data[result.label > 0.95].min() > 0.4
    assert result.scan.data[result.label == 0].max() < 0.4


def test_a_label_keeps_its_values_where_the_appearance_changes():
    change = NOTHING | {"gamma": 1.1, "blur": 0.8, "noise": 0.01}
    result = Augmentation(**change, mirrored=True, pose=None).apply(labelled(scan()))
    np.testing.assert_array_equal(result.label, labelled(scan()).label[::-1])
    assert np.abs(result.scan.data - scan()[::-1]).max() > 0.01


def test_scans_of_a_region_without_symmetry_are_never_mirrored():
    rng = np.random.default_rng(0)
    assert not any(draw_augmentation(rng, mirror=False).mirrored for _ in range(40))


def test_one_augmentation_changes_two_scans_alike():
    augmentation = draw_augmentation(np.random.default_rng(5), mirror=True)
    np.testing.assert_array_equal(augmented(augmentation), augmented(augmentation))
