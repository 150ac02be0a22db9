"""The three-dimensional U-Net: shapes, what it costs, and the same numbers from OpenVINO."""

import numpy as np
import pytest

from mood import engines
from mood.networks.unet3d import build_unet3d, operations


@pytest.fixture(scope="module")
def network():
    network = build_unet3d(2, channels=3)
    rng = np.random.default_rng(0)
    network.set_weights([np.abs(0.3 * rng.standard_normal(w.shape, np.float32)) + 0.01 for w in network.weights])
    return network


def test_it_takes_any_multiple_of_its_side(network, rng):
    body = rng.random((1, 16, 48, 32, 3), dtype=np.float32)
    scores = network.predict_on_batch(body)
    assert scores.shape == (1, 16, 48, 32, 1)
    assert 0 <= scores.min() <= scores.max() <= 1


def test_openvino_runs_it_as_keras_does(openvino, network, rng):
    run = engines.choose("openvino").runner(network)
    for shape in ((1, 16, 32, 48), (2, 32, 16, 16)):
        body = rng.random((*shape, 3), dtype=np.float32)
        np.testing.assert_allclose(run(body), network.predict_on_batch(body), atol=1e-5)


def test_operations_are_counted_where_each_layer_runs():
    voxels = 64**3
    narrow, wide = (operations(build_unet3d(width, 8), voxels) for width in (2, 4))
    first = 2 * 27 * 8 * 2 * voxels
    assert narrow > first
    assert 3 < wide / narrow < 4  # all but the first layer grows with the square
