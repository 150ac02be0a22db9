import numpy as np

from mood import runtime
from mood.methods.mix3d import Mix3d
from mood.regions import BRAIN
from mood.synthesis.native import NativeScan
from mood.synthesis.places.framing import space_to_depth
from mood.training.new_method import new_method

SMALL = {"grid_shape": (40, 32, 24), "spacing_mm": (6.0, 6.0, 6.0), "width": 2, "batch_size": 2}


def toy_scan(seed):
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in (30, 28, 22)), indexing="ij"))
    tissue = 0.5 + 0.2 * np.sin(6 * grid[0] + seed) + 0.02 * rng.normal(size=grid.shape[1:])
    return NativeScan(np.where((grid**2).sum(0) < 0.8, tissue, 0).astype(np.float32), (6.0, 6.5, 7.0))


def test_what_is_seen_at_prediction_is_what_was_seen_in_training():
    method = new_method("mix3d", BRAIN, SMALL)
    frame = np.random.default_rng(0).random((32, 64, 32), dtype=np.float32)
    seen = method.channels(frame)
    np.testing.assert_array_equal(seen[..., :8], np.asarray(space_to_depth(frame[None])))
    np.testing.assert_array_equal(seen[..., 8:], np.asarray(space_to_depth(frame[None, ::-1])))


def test_a_larger_body_gets_a_larger_frame():
    method = new_method("mix3d", BRAIN, SMALL)
    assert method.frame_shape() == (Mix3d.multiple,) * 3
    assert method.frame_shape((33, 10, 10)) == (2 * Mix3d.multiple, Mix3d.multiple, Mix3d.multiple)
    scan = np.zeros((90, 34, 30), np.float32)
    scan[2:88, 4:30, 4:26] = 0.5
    assert method.score_volume(scan).shape == scan.shape


def test_the_published_frame_holds_a_brain():
    assert Mix3d.default_settings(BRAIN).spacing_mm == (0.85, 0.85, 0.85)
    method = new_method("mix3d", BRAIN, {"width": 1})
    assert method.frame_shape() == (192, 224, 192)


def test_training_lowers_the_loss():
    runtime.seed_initial_weights(0)
    method = new_method("mix3d", BRAIN, SMALL | {"learning_rate": 0.01})
    scans = [toy_scan(i) for i in range(4)]
    # The same places each time: how much can be seen of them differs more than a few steps gain.
    losses = [step["loss"] for _ in range(25) for step in method.train_epoch(scans, np.random.default_rng(0))]
    assert np.mean(losses[-2:]) < 0.85 * np.mean(losses[:2])


def test_it_says_which_benchmark_outliers_it_was_trained_on():
    assert "sink_source" in Mix3d.trained_kinds
