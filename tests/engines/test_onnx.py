"""ONNX files under ONNX Runtime against Keras; tests/methods/test_export.py has the maps of every method."""

import keras
import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx

from mood import runtime
from mood.engines import Unsupported
from mood.engines.onnx import build_graph, runner, save_graph
from mood.networks.efficientnet import build_feature_network
from tests.engines.test_keras import NETWORKS, all_layers, as_list
from tests.engines.test_registry import unheard_of

TRIED = {
    "unets": NETWORKS["unets"],
    "features": build_feature_network,
    "all layers": all_layers,
}


def with_any_statistics(network: keras.Model) -> keras.Model:
    """Biases and running statistics that no initialiser gives, so that none may be left out."""
    rng = np.random.default_rng(0)
    for variable in network.variables:
        if len(variable.shape) == 1 and variable.dtype == "float32":
            middle = 1.0 if "variance" in variable.path or "gamma" in variable.path else 0.0
            variable.assign(middle + rng.uniform(-0.4, 0.4, variable.shape))
    return network


@pytest.mark.parametrize("name", TRIED)
def test_a_file_gives_what_keras_gives_for_any_size(tmp_path, rng, name):
    runtime.seed_initial_weights(0)
    network = with_any_statistics(TRIED[name]())
    save_graph(build_graph(network, {"mood.method": name}), tmp_path / "network.onnx")
    run, channels = runner(tmp_path / "network.onnx"), network.inputs[0].shape[-1]
    for sides in ((32, 64, 16), (64, 32, 32)):
        shape = (2, *sides[: len(network.inputs[0].shape) - 2], channels)
        images = rng.random(shape, dtype=np.float32)
        outputs = as_list(run(images))
        expected = [keras.ops.convert_to_numpy(one) for one in as_list(network(images, training=False))]
        assert len(outputs) == len(expected)
        for output, wanted in zip(outputs, expected, strict=True):
            assert np.ptp(wanted) > 0
            np.testing.assert_allclose(output, wanted, atol=1e-4 * max(1.0, np.abs(wanted).max()))


def test_the_file_says_what_it_is(tmp_path):
    save_graph(build_graph(NETWORKS["unet"](), {"mood.method": "mix"}), tmp_path / "network.onnx")
    model = onnx.load(tmp_path / "network.onnx")
    assert {one.key: one.value for one in model.metadata_props} == {"mood.method": "mix"}
    (given,), (made,) = model.graph.input, model.graph.output
    sizes = [size.dim_param or size.dim_value for size in given.type.tensor_type.shape.dim]
    assert sizes == ["N", "H", "W", 1]
    assert made.name == "output"


@pytest.mark.parametrize("name", ["layer", "activation", "volumes"])
def test_what_cannot_be_written_is_refused(name):
    with pytest.raises(Unsupported, match="ONNX files cannot hold"):
        build_graph(unheard_of()[name], {})
