import numpy as np
import pytest

from mood.networks.engine import forward, graph_forward
from mood.networks.int8 import outermost_convolutions, quantise
from mood.networks.openvino_graph import build_graph
from mood.networks.unet import build_unet
from mood.runtime import seed_initial_weights

pytest.importorskip("nncf")


def test_an_int8_network_nearly_gives_the_same_map_for_any_size():
    seed_initial_weights(0)
    network = build_unet(4, 3)
    rng = np.random.default_rng(0)
    graph = graph_forward(quantise(network, list(rng.random((6, 32, 32, 3), dtype=np.float32))))
    for shape in ((2, 32, 32, 3), (1, 48, 16, 3)):
        images = rng.random(shape, dtype=np.float32)
        found, expected = graph(images), forward(network, "keras")(images)
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() < 0.02
        assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.98


def test_the_outermost_convolutions_of_each_member_stay_as_they_are():
    network = build_unet(2, 3, members=2)
    graph = build_graph(network)
    by_name = {operation.get_friendly_name(): operation for operation in graph.get_ordered_ops()}

    def kernels(depth):
        return sorted(tuple(by_name[n].input_value(1).get_node().shape) for n in outermost_convolutions(graph, depth))

    assert kernels(1) == 2 * [(1, 2, 1, 1)] + 2 * [(2, 3, 3, 3)]
    assert kernels(2) == 2 * [(1, 2, 1, 1)] + 2 * [(2, 2, 3, 3)] + 2 * [(2, 3, 3, 3)] + 2 * [(2, 4, 3, 3)]
    quantised = quantise(network, [np.zeros((32, 32, 3), np.float32)] * 2)
    eight_bit = [o for o in quantised.get_ordered_ops() if o.get_type_name() == "Constant" and "i8" in str(o.output(0))]
    convolutions = sum(o.get_type_name() == "Convolution" for o in graph.get_ordered_ops())
    assert len(eight_bit) == convolutions - 8
