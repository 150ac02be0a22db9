import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mood.synthesis.augmentation import Augmentation, draw_augmentation

SHAPE = (24, 20, 16)
NOTHING = {"gamma": 1.0, "shading": np.ones((4, 4, 4), np.float32), "blur": 0.0, "noise": 0.0, "seed": 0}


def scan() -> np.ndarray:
    rng = np.random.default_rng(0)
    tissue = np.zeros(SHAPE, np.float32)
    tissue[4:20, 3:17, 3:12] = rng.uniform(0.2, 0.9, (16, 14, 9))
    return tissue


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_an_augmented_scan_is_a_scan_again(seed):
    original = scan()
    augmentation = draw_augmentation(np.random.default_rng(seed), mirror=True)
    changed = augmentation.apply(original)
    assert changed.dtype == np.float32
    assert changed.shape == SHAPE
    assert changed.min() == 0
    assert changed.max() <= 1
    np.testing.assert_array_equal(original, scan())
    if augmentation.pose is None:
        mirrored = original[::-1] if augmentation.mirrored else original
        np.testing.assert_array_equal(changed > 0, mirrored > 0)


def test_an_augmentation_that_does_nothing_changes_nothing():
    np.testing.assert_allclose(Augmentation(**NOTHING, mirrored=False, pose=None).apply(scan()), scan(), atol=1e-6)
    np.testing.assert_allclose(Augmentation(**NOTHING, mirrored=False, pose=np.eye(3)).apply(scan()), scan(), atol=1e-6)


def test_a_mirrored_scan_is_mirrored_left_to_right():
    np.testing.assert_allclose(Augmentation(**NOTHING, mirrored=True, pose=None).apply(scan()), scan()[::-1], atol=1e-6)


def test_scans_of_a_region_without_symmetry_are_never_mirrored():
    rng = np.random.default_rng(0)
    assert not any(draw_augmentation(rng, mirror=False).mirrored for _ in range(40))


def test_both_scans_of_a_pair_are_changed_alike():
    augmentation = draw_augmentation(np.random.default_rng(5), mirror=True)
    np.testing.assert_array_equal(augmentation.apply(scan()), augmentation.apply(scan()))
