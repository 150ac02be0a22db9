"""A Keras network as an ONNX graph, written operation by operation like that of OpenVINO, whatever Keras runs on.

Images go in and come out as Keras has them, (N, H, W, C) or (N, X, Y, Z, C); inside, channels come first. Sizes are
open, in multiples that the network asks for. `TRANSLATIONS` has the layers; one that is not there is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mood.atomic import replacing
from mood.engines import Unsupported
from mood.engines.layer_arrays import as_array, filters_first, scale_and_shift, transposed_cut
from mood.errors import UsageError
from mood.installation import __version__, advice
from mood.runtime import installed

OPSET, IR_VERSION = 17, 8  # that ONNX Runtime has read since 2022
INPUT, OUTPUT = "input", "output"
FIX = "Run it with --engine keras instead"
ACTIVATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "elu": ("Elu", {"alpha": 1.0}),
    "softmax": ("Softmax", {"axis": 1}),
}
AXES = {4: ("N", "H", "W"), 5: ("N", "X", "Y", "Z")}  # names of sizes that are open


@dataclass
class Graph:
    """An ONNX graph in the making; operations and arrays are called after the layers they come from."""

    nodes: list[Any] = field(default_factory=list)
    arrays: list[Any] = field(default_factory=list)

    def add(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        """Add an operation; the name of its output, which is its own."""
        from onnx import helper

        unique = f"{name}:{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [unique], name=unique, **attributes))
        return unique

    def constant(self, array: np.ndarray, name: str) -> str:
        """Add an array; its name."""
        from onnx import numpy_helper

        unique = f"{name}:array{len(self.arrays)}"
        self.arrays.append(numpy_helper.from_array(np.ascontiguousarray(array), unique))
        return unique

    def per_channel(self, values: np.ndarray, layer: keras.Layer) -> str:
        """An array of one value a channel, to be joined with images or bodies."""
        axes = len(layer.output.shape)
        return self.constant(values.reshape(1, -1, *[1] * (axes - 2)).astype(np.float32), layer.name)


def require() -> None:
    """`UsageError` where ONNX is not installed."""
    if not installed("onnx") or not installed("onnxruntime"):
        raise UsageError("ONNX is not installed", fix=advice("onnx"))


def build_graph(network: keras.Model, facts: Mapping[str, str]) -> Any:
    """The network in inference mode.

    Parameters
    ----------
    network : keras.Model
        Functional, one input (N, H, W, C) or (N, X, Y, Z, C), its weights as they are now.
    facts : mapping of str to str
        What the file's metadata are to say.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    Unsupported
        When it has a layer that is not translated, or inputs of another form.
    """
    from onnx import TensorProto, checker, helper

    axes = len(network.inputs[0].shape)
    if len(network.inputs) != 1 or axes not in AXES:
        raise Unsupported("ONNX files are made of networks of images and bodies only", fix=FIX)
    graph = Graph()
    first, last = [0, axes - 1, *range(1, axes - 1)], [0, *range(2, axes), 1]
    begin = graph.add("Transpose", [INPUT], INPUT, perm=first)
    found = network._run_through_graph(begin, lambda layer: _translated(graph, layer))
    ends = list(found) if isinstance(found, (list, tuple)) else [found]
    names = [OUTPUT] if len(ends) == 1 else [f"{OUTPUT}{number}" for number in range(1, len(ends) + 1)]
    for end, name in zip(ends, names, strict=True):
        graph.nodes.append(helper.make_node("Transpose", [end], [name], name=name, perm=last))
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [*AXES[axes], tensor.shape[-1]])
        for name, tensor in zip([INPUT, *names], [network.inputs[0], *network.outputs], strict=True)
    ]
    made = helper.make_graph(graph.nodes, network.name, values[:1], values[1:], graph.arrays)
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(
        made, opset_imports=opset, ir_version=IR_VERSION, producer_name="mood", producer_version=__version__
    )
    helper.set_model_props(model, dict(facts))
    checker.check_model(model, full_check=True)
    return model


def save_graph(model: Any, path: Path) -> None:
    """Write a graph to one file, all or nothing; `OutputError` when it cannot be written."""
    with replacing(path) as temporary:
        temporary.write_bytes(model.SerializeToString())


def runner(path: Path) -> Callable[[np.ndarray], Any]:
    """What runs a file, under ONNX Runtime on the CPU: the output as ndarray, or a list of them."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(images: np.ndarray) -> Any:
        results = session.run(None, {INPUT: np.ascontiguousarray(images, np.float32)})
        return results[0] if len(results) == 1 else results

    return run


def _translated(graph: Graph, layer: keras.Layer) -> Callable[..., str]:
    kind = type(layer).__name__
    if kind not in TRANSLATIONS:
        raise Unsupported(f"ONNX files cannot hold a layer {kind} yet", fix=FIX)
    return lambda inputs, **_: TRANSLATIONS[kind](graph, layer, inputs)


def _activated(graph: Graph, layer: keras.Layer, x: str) -> str:
    name = layer.activation.__name__
    if name == "linear":
        return x
    if name not in ACTIVATIONS:
        raise Unsupported(f"ONNX files cannot hold the activation {name} yet", fix=FIX)
    kind, attributes = ACTIVATIONS[name]
    return graph.add(kind, [x], layer.name, **attributes)


def _padding(layer: keras.Layer) -> str:
    return "SAME_UPPER" if layer.padding == "same" else "VALID"


def _convolution(graph: Graph, layer: keras.Layer, x: str, kernel: np.ndarray | None = None, groups: int = 1) -> str:
    weights = [graph.constant(filters_first(layer.kernel) if kernel is None else kernel, layer.name)]
    if layer.use_bias:
        weights.append(graph.constant(as_array(layer.bias), layer.name))
    strides, dilations = list(layer.strides), list(layer.dilation_rate)
    options = {"strides": strides, "dilations": dilations, "auto_pad": _padding(layer), "group": groups}
    return _activated(graph, layer, graph.add("Conv", [x, *weights], layer.name, **options))


def _convolution_by_channel(graph: Graph, layer: keras.Layer, x: str) -> str:
    kernel = as_array(layer.kernel)  # (H, W, channels, multiplier)
    rows, columns, channels, multiplier = kernel.shape
    grouped = kernel.transpose(2, 3, 0, 1).reshape(channels * multiplier, 1, rows, columns)
    return _convolution(graph, layer, x, grouped, channels)


def _transposed_convolution(graph: Graph, layer: keras.Layer, x: str) -> str:
    cut = transposed_cut(layer)
    if cut is None:
        raise Unsupported("ONNX files cannot hold a stride beyond the kernel yet", fix=FIX)
    weights = [graph.constant(filters_first(layer.kernel), layer.name)]
    if layer.use_bias:
        weights.append(graph.constant(as_array(layer.bias), layer.name))
    made = graph.add("ConvTranspose", [x, *weights], layer.name, strides=list(layer.strides), pads=[*cut[0], *cut[1]])
    return _activated(graph, layer, made)


def _normalisation(graph: Graph, layer: keras.Layer, x: str) -> str:
    scale, shift = (graph.per_channel(values, layer) for values in scale_and_shift(layer))
    return graph.add("Add", [graph.add("Mul", [x, scale], layer.name), shift], layer.name)


def _rectified(graph: Graph, layer: keras.Layer, x: str) -> str:
    if layer.max_value is None:
        return graph.add("Relu", [x], layer.name)
    ends = [graph.constant(np.array(value, np.float32), layer.name) for value in (0.0, layer.max_value)]
    return graph.add("Clip", [x, *ends], layer.name)


def _upsampling(graph: Graph, layer: keras.Layer, x: str) -> str:
    scales = graph.constant(np.array([1, 1, *layer.size], np.float32), layer.name)
    if getattr(layer, "interpolation", "nearest") == "nearest":
        options = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    else:
        options = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    return graph.add("Resize", [x, "", scales], layer.name, **options)


def _pooling(graph: Graph, layer: keras.Layer, x: str) -> str:
    largest = isinstance(layer, (keras.layers.MaxPooling2D, keras.layers.MaxPooling3D))
    options = {"kernel_shape": list(layer.pool_size), "strides": list(layer.strides), "auto_pad": _padding(layer)}
    return graph.add("MaxPool" if largest else "AveragePool", [x], layer.name, **options)


def _of_several(kind: str, **attributes: Any) -> Callable[[Graph, keras.Layer, list[str]], str]:
    return lambda graph, layer, inputs: graph.add(kind, list(inputs), layer.name, **attributes)


TRANSLATIONS: dict[str, Callable[[Graph, keras.Layer, Any], str]] = {
    **dict.fromkeys(("Conv2D", "Conv3D"), _convolution),
    "DepthwiseConv2D": _convolution_by_channel,
    **dict.fromkeys(("Conv2DTranspose", "Conv3DTranspose"), _transposed_convolution),
    "BatchNormalization": _normalisation,
    "Activation": _activated,
    "ReLU": _rectified,
    "LeakyReLU": lambda graph, layer, x: graph.add("LeakyRelu", [x], layer.name, alpha=float(layer.negative_slope)),
    **dict.fromkeys(("UpSampling2D", "UpSampling3D"), _upsampling),
    **dict.fromkeys(("AveragePooling2D", "AveragePooling3D", "MaxPooling2D", "MaxPooling3D"), _pooling),
    "Add": _of_several("Sum"),
    "Average": _of_several("Mean"),
    "Concatenate": _of_several("Concat", axis=1),
    **dict.fromkeys(("Dropout", "SpatialDropout2D", "GaussianNoise", "Identity"), lambda graph, layer, x: x),
}
