import numpy as np
import pytest

from mood import runtime
from mood.errors import UsageError
from mood.methods.detail import AXES, Detail
from mood.regions import BRAIN
from mood.synthesis.places.altered_slices import cut
from mood.training.new_method import new_method
from tests.methods.test_mix3d import SMALL, toy_scan


def test_each_voxel_is_seen_with_its_neighbours_along_the_axis_of_each_view():
    method = new_method("detail", BRAIN, SMALL | {"context": 1})
    channels = np.random.default_rng(0).random((16, 32, 48, 16), dtype=np.float32)
    seen = {}
    method.runner = {view: lambda images, view=view: seen.setdefault(view, images) for view in AXES}
    method.estimate(channels)
    for view, axis in AXES.items():
        middle = np.moveaxis(channels, axis, 0)
        np.testing.assert_array_equal(seen[view][1, ..., 16:32], middle[1])
        np.testing.assert_array_equal(seen[view][1, ..., :16], middle[0])
        np.testing.assert_array_equal(seen[view][0, ..., :16], 0)


def test_the_map_is_the_mean_of_the_views_and_every_voxel_gets_its_own_estimate():
    method = new_method("detail", BRAIN, SMALL | {"views": ("sagittal", "axial"), "context": 0})
    channels = np.random.default_rng(0).random((16, 16, 32, 16), dtype=np.float32)
    method.runner = {"sagittal": lambda images: images[..., :1], "axial": lambda images: 3 * images[..., 1:2]}
    np.testing.assert_allclose(method.estimate(channels), (channels[..., 0] + 3 * channels[..., 1]) / 2, rtol=1e-6)


def test_slices_are_cut_in_training_as_they_are_seen_at_prediction():
    stack = np.random.default_rng(0).random((2, 4, 5, 6, 3), dtype=np.float32)
    chosen = np.array([[0, 3], [4, 2]], np.int32)
    pieces = np.asarray(cut(stack, chosen, axis=1, context=1))
    assert pieces.shape == (4, 4, 6, 9)
    np.testing.assert_array_equal(pieces[1], np.concatenate([stack[0, :, k] for k in (2, 3, 4)], axis=-1))
    np.testing.assert_array_equal(pieces[2, ..., :3], stack[1, :, 3])
    np.testing.assert_array_equal(pieces[2, ..., 6:], 0)


def test_training_lowers_the_loss_of_every_view():
    runtime.seed_initial_weights(0)
    method = new_method("detail", BRAIN, SMALL | {"learning_rate": 0.01, "slices": 4, "views": ("axial", "coronal")})
    scans = [toy_scan(i) for i in range(2)]
    before = [network.get_weights()[0].copy() for network in method.by_view.values()]
    losses = [step["loss"] for _ in range(20) for step in method.train_epoch(scans, np.random.default_rng(0))]
    assert np.mean(losses[-2:]) < 0.85 * np.mean(losses[:2])
    for network, first in zip(method.by_view.values(), before, strict=True):
        assert not np.allclose(network.get_weights()[0], first)


def test_a_view_is_named_once():
    with pytest.raises(UsageError, match="named twice"):
        new_method("detail", BRAIN, {"views": ("axial", "axial")})


def test_the_published_frame_holds_a_brain():
    method = new_method("detail", BRAIN, {"width": 1, "views": ("axial",)})
    assert method.frame_shape() == (192, 224, 192)
    assert tuple(Detail.default_settings(BRAIN).spacing_mm) == (0.85, 0.85, 0.85)
