"""How the default method is wired: what its training sees, what its map is made of, what its score says."""

import numpy as np
import pytest

from mood.errors import UsageError
from mood.methods.mix.method import Mix
from mood.regions import ABDOM, BRAIN
from mood.synthesis.native import NativeScan
from mood.training.new_method import new_method

GRID = {"grid_shape": (32, 28, 24), "spacing_mm": (5.0, 4.0, 10.0)}  # a voxel is a fifth of a cubic centimetre
SMALL = GRID | {"width": 1, "batch_size": 4}


def mix(region=BRAIN, **settings) -> Mix:
    return new_method("mix", region, SMALL | settings)


def native(seed: int) -> NativeScan:
    data = np.zeros((24, 20, 16), np.float32)
    data[4:20, 3:17, 2:14] = np.random.default_rng(seed).uniform(0.3, 0.7, (16, 14, 12))
    return NativeScan(data, (5.0, 5.0, 10.0))


def test_every_scan_is_altered_once_an_epoch_with_another_one_as_its_partner():
    scans = [native(seed) for seed in range(7)]
    pairs = list(mix()._pairs(scans, np.random.default_rng(0)))
    assert sorted(id(host) for host, _ in pairs) == sorted(map(id, scans))
    assert all(host is not foreign for host, foreign in pairs)


def test_partners_are_drawn_anew_and_of_the_scans_that_are_trained_on():
    method, rng = mix(), np.random.default_rng(0)
    first = [native(seed) for seed in range(7)]
    drawn = [[id(foreign) for _, foreign in method._pairs(first, rng)] for _ in range(2)]
    assert drawn[0] != drawn[1]
    others = [native(seed) for seed in range(7, 12)]
    assert {id(foreign) for _, foreign in method._pairs(others, rng)} <= set(map(id, others))


def test_a_training_batch_has_the_frame_that_prediction_has():
    method = mix()
    images, labels = next(iter(method.batches([native(seed) for seed in range(3)], np.random.default_rng(0))))
    frame = method._frame()
    sides = [side for axis, side in enumerate(frame.shape) if axis != method.settings.slice_axis]
    assert images.shape == (4, *sides, frame.channels)
    assert labels.shape == (4, *sides, 1)


def test_the_sample_score_is_the_mean_of_the_most_abnormal_cubic_centimetre():
    method, score_map = mix(), np.full((32, 28, 24), 0.1, np.float32)
    score_map[3, 4, 5], score_map[20, 21, 2], score_map[10, 11, 12] = 0.9, 0.7, 0.8
    # A cubic centimetre is five of these voxels: the three and two of the others.
    assert method.raw_sample_score(score_map) == pytest.approx((0.9 + 0.8 + 0.7 + 0.1 + 0.1) / 5)
    assert method.sample_score(score_map) == method.raw_sample_score(score_map)


def test_a_map_smaller_than_a_cubic_centimetre_has_a_score():
    assert mix().raw_sample_score(np.array([[[0.2, 0.6]]], np.float32)) == pytest.approx(0.4)


def brightness(images: np.ndarray) -> np.ndarray:
    """Stands for the network: says of each pixel how bright it is in the slice itself."""
    return images[..., 2:3]


@pytest.mark.parametrize("shape", [(32, 28, 24), (17, 33, 9)])
def test_the_map_is_what_the_network_says_where_the_scan_is(shape):
    method = mix(smoothing_mm=0.01)
    method.runner = brightness
    scan = np.random.default_rng(0).random(shape, dtype=np.float32)
    np.testing.assert_allclose(method.score_volume(scan), scan, atol=1e-6)


def test_the_map_is_smoothed_in_millimetres():
    method = mix(smoothing_mm=10.0)
    method.runner = brightness
    scan = np.zeros((32, 28, 24), np.float32)
    scan[16, 14, 12] = 1.0
    score_map = method.score_volume(scan)
    assert score_map[17, 14, 12] == pytest.approx(score_map[16, 14, 12] * np.exp(-0.5 * 0.5**2), rel=0.01)
    assert score_map[16, 14, 13] == pytest.approx(score_map[16, 14, 12] * np.exp(-0.5 * 1.0**2), rel=0.01)


def test_only_a_region_that_is_alike_left_and_right_is_seen_in_its_mirror():
    assert "mirrored" in str(mix(BRAIN).settings)
    assert "mirrored" not in str(mix(ABDOM).settings)


def test_an_unknown_task_is_named():
    with pytest.raises(UsageError, match="no such thing"):
        mix(tasks=("fpi", "no such thing"))
