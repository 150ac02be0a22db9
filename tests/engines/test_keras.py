"""Every engine against Keras on its backend, for all networks that methods predict with."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from mood import runtime
from mood.engines import Unsupported, choose
from mood.engines.keras import FixedBatches, batch_images, forward
from mood.networks.ascnet import build_main_module
from mood.networks.cropped import CroppedForward, cropped_parts
from mood.networks.unet import build_unet
from mood.networks.wide_resnet import build_wide_resnet

NETWORKS = {
    "dec": lambda: build_wide_resnet("dec", width=1),
    "decdeeper": lambda: build_wide_resnet("decdeeper", width=1, classes=5),
    "ascnet": lambda: build_main_module(width=2),
    "unet": lambda: build_unet(2, 1),
    "unets": lambda: build_unet(2, 1, members=2),
}


def as_list(outputs) -> list[np.ndarray]:
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


@pytest.mark.parametrize("name", NETWORKS)
def test_both_engines_give_one_map_for_any_shape(openvino, rng, name):
    runtime.seed_initial_weights(0)
    network = NETWORKS[name]()
    run = choose("openvino").runner(network)
    for shape in ((2, 64, 96, 1), (1, 96, 32, 1), (2, 64, 96, 1)):
        slices = rng.random(shape, dtype=np.float32)
        expected = as_list(network.predict_on_batch(slices))
        outputs = as_list(run(slices))
        assert len(outputs) == len(expected)
        for output, wanted in zip(outputs, expected, strict=True):
            np.testing.assert_allclose(output, wanted, atol=1e-4)


def all_layers() -> keras.Model:
    """The layers and settings of layers that no network here has."""
    x = inputs = keras.Input((None, None, 2))
    x = keras.layers.Conv2D(3, 3, padding="valid", dilation_rate=2, activation="tanh")(x)
    x = keras.layers.LeakyReLU(0.1)(keras.layers.BatchNormalization(scale=False, center=False)(x))
    x = keras.layers.MaxPooling2D(2, padding="same")(x)
    x = keras.layers.UpSampling2D((2, 3), interpolation="bilinear")(x)
    x = keras.layers.Conv2DTranspose(4, 3, strides=2, padding="same", use_bias=False)(x)
    y = keras.layers.AveragePooling2D(3, strides=1, padding="same")(keras.layers.ReLU()(x))
    x = keras.layers.Add()([x, y, keras.layers.SpatialDropout2D(0.5)(y)])
    return keras.Model(inputs, [x, keras.layers.Activation("softmax")(x)])


def test_every_layer_that_is_translated_does_what_it_does_in_keras(openvino, rng):
    runtime.seed_initial_weights(0)
    network = all_layers()
    slices = rng.random((2, 23, 31, 2), dtype=np.float32)
    for output, wanted in zip(
        choose("openvino").runner(network)(slices), network.predict_on_batch(slices), strict=True
    ):
        np.testing.assert_allclose(output, wanted, atol=1e-5)


def test_a_layer_that_is_not_translated_is_named(openvino):
    inputs = keras.Input((None, None, 1))
    with pytest.raises(Unsupported, match="layer UnitNormalization"):
        choose("openvino").runner(keras.Model(inputs, keras.layers.UnitNormalization()(inputs)))
    with pytest.raises(Unsupported, match="activation gelu"):
        choose("openvino").runner(keras.Model(inputs, keras.layers.Conv2D(1, 1, activation="gelu")(inputs)))


def test_a_result_is_not_written_over_by_the_next_one(openvino, rng):
    run = choose("openvino").runner(build_wide_resnet("dec", width=1))
    slices = rng.random((1, 32, 48, 1), dtype=np.float32)
    first = run(slices)
    kept = first.copy()
    run(slices * 0)
    np.testing.assert_array_equal(first, kept)


def test_cropping_is_exact_on_openvino_too(openvino, rng):
    network = build_wide_resnet("dec", width=1)
    slices = np.zeros((2, 96, 128, 1), np.float32)
    slices[:, 13:77, 21:50] = rng.uniform(0.5, 1, (2, 64, 29, 1))
    full = network.predict_on_batch(slices)
    runners = choose("openvino").runners(cropped_parts(network))
    np.testing.assert_allclose(CroppedForward(**runners)(slices), full, atol=1e-5)


def test_a_compiled_network_keeps_its_optimizer(rng):
    network = build_wide_resnet("dec", width=1)
    network.compile("adam", "mse")
    optimizer = network.optimizer
    forward(network)(np.zeros((1, 32, 32, 1), np.float32))
    assert network.optimizer is optimizer


IN_A_PROCESS_OF_ITS_OWN = """
import sys
import mood
method = mood.load_detector("brain", "fpi", engine="openvino").method
import numpy as np
scan = np.load(sys.argv[1])
np.save(sys.argv[2], method.score_volume(scan))
assert "OpenVINO" in method.engine.device()
assert not {"tensorflow", "torch", "jax"} & set(sys.modules)
"""


def test_without_any_other_backend_the_maps_are_the_same(openvino, scan, tmp_path):
    from mood.methods import load_method
    from mood.weights.store import find_weights

    np.save(tmp_path / "scan.npy", scan)
    environment = {key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"}
    command = [sys.executable, "-c", IN_A_PROCESS_OF_ITS_OWN]
    done = subprocess.run(
        [*command, tmp_path / "scan.npy", tmp_path / "map.npy"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    expected = load_method(find_weights("fpi", "brain")).score_volume(scan)
    np.testing.assert_allclose(np.load(tmp_path / "map.npy"), expected, atol=1e-4)


def doubled(images):
    doubled.sizes.append(len(images))
    if len(images) > 3:
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 byte")
    return 2 * images


def test_a_gpu_that_runs_out_of_memory_gets_half_as_many_images_and_always_as_many():
    doubled.sizes = []
    run, images = FixedBatches(doubled), np.random.default_rng(0).random((11, 4, 4, 1), dtype=np.float32)
    np.testing.assert_array_equal(run(images), 2 * images)
    assert doubled.sizes[:2] == [11, 6]
    assert set(doubled.sizes[2:]) == {3}
    np.testing.assert_array_equal(run(images[:2]), 2 * images[:2])
    assert doubled.sizes[-1] == 3


def test_several_outputs_stay_apart():
    run, images = FixedBatches(lambda x: [x, x[..., 0]]), np.ones((5, 4, 4, 1), np.float32)
    run(images[:2])
    assert [output.shape for output in run(images)] == [(5, 4, 4, 1), (5, 4, 4)]


def test_other_errors_pass():
    def broken(images):
        raise ValueError("the shapes do not fit")

    with pytest.raises(ValueError, match="shapes"):
        FixedBatches(broken)(np.ones((2, 4, 4, 1), np.float32))


def test_a_gpu_gets_larger_batches(monkeypatch):
    assert batch_images(4) == 4
    assert batch_images(0) == 1
    monkeypatch.setattr(runtime, "gpus", lambda: ["some GPU"])
    assert batch_images(4) > 4


def test_bfloat16_is_float32_or_nearly(openvino, rng):
    runtime.seed_initial_weights(0)
    network, slices = build_unet(4, 3), rng.random((2, 32, 48, 3), dtype=np.float32)
    engine = choose(precision="bfloat16")
    assert engine.described()["precision"] == "bfloat16"
    assert not engine.takes_graphs
    np.testing.assert_allclose(engine.runner(network)(slices), network.predict_on_batch(slices), atol=0.02)
