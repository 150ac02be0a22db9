"""A Keras network rebuilt in OpenVINO's own operations, whatever backend Keras runs on.

Keras and OpenVINO can convert networks themselves, but their graphs keep a transposition around each
convolution or tile where they should interpolate, and cost up to half as much again. Layers that are not in
`TRANSLATIONS` are refused, so that Keras runs them; a new one is a function of a few lines. Inside, images are
(N, C, H, W), bodies (N, C, X, Y, Z).
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import openvino as ov
from openvino import opset13 as ops

from mood.engines import EXACT, HALF, QUANTISED, Forward, Unsupported
from mood.engines.layer_arrays import as_array, filters_first, scale_and_shift, transposed_cut
from mood.engines.threads import is_limited, thread_count

FIX = "Choose --engine keras"
Node = Any  # an output of an OpenVINO operation
OPTIONS = {
    "PERFORMANCE_HINT": "LATENCY",
    "ENABLE_CPU_PINNING": False,  # a thread that is bound to a core waits for whatever else runs there
}
# Said always: the default may be bfloat16, which is wrong by 0.01 and no faster without AMX.
HINTS = {EXACT: "f32", HALF: "bf16", QUANTISED: "f32"}
PLAIN_ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": ops.relu,
    "sigmoid": ops.sigmoid,
    "tanh": ops.tanh,
    "elu": lambda x: ops.elu(x, 1.0),
    "softmax": lambda x: ops.softmax(x, 1),
}


def build_graph(network: keras.Model) -> ov.Model:
    """The network in inference mode, for any height and width, and depth where it has one.

    Parameters
    ----------
    network : keras.Model
        Functional, one input (N, H, W, C) or (N, X, Y, Z, C), its weights as they are now.

    Raises
    ------
    Unsupported
        When it has a layer that is not translated, or inputs of another form.
    """
    axes = len(network.inputs[0].shape)
    if len(network.inputs) != 1 or axes not in (4, 5):
        raise Unsupported("OpenVINO is told how to run networks of images and bodies only", fix=FIX)
    slices = ops.parameter([-1] * (axes - 1) + [network.inputs[0].shape[-1]], ov.Type.f32)
    channels_first, channels_last = (0, axes - 1, *range(1, axes - 1)), (0, *range(2, axes), 1)
    # What Keras itself calls a network's layers with; its public description of a network imports TensorFlow.
    nodes = network._run_through_graph(ops.transpose(slices, channels_first), _translated)
    outputs = nodes if isinstance(nodes, (list, tuple)) else [nodes]
    return ov.Model([ops.result(ops.transpose(output, channels_last)) for output in outputs], [slices])


def graph_forward(graph: ov.Model | Path, precision: str = EXACT) -> Forward:
    """What runs a graph, in memory or on disk."""
    options = OPTIONS | {"INFERENCE_PRECISION_HINT": HINTS[precision]}
    if is_limited():
        options["INFERENCE_NUM_THREADS"] = thread_count()
    compiled = _core().compile_model(graph, "CPU", options)
    request, outputs = compiled.create_infer_request(), len(compiled.outputs)

    def run(images: np.ndarray) -> Any:
        results = request.infer({0: np.ascontiguousarray(images, np.float32)})
        arrays = [results[i].copy() for i in range(outputs)]  # the next call writes over them
        return arrays[0] if outputs == 1 else arrays

    return run


@functools.cache
def _core() -> ov.Core:
    """OpenVINO, once and for the rest of the process.

    Each core gives signals of its thread a stack of their own and, where several end in another order than the reverse
    of their beginning, leaves one that is unmapped: the next signal is then a segmentation fault.
    """
    return ov.Core()


def exported_forward(network: keras.Model) -> Forward:
    """What runs any network where Keras itself runs on OpenVINO, for shapes of images that it meets.

    Keras' own prediction would do the same with OpenVINO's default options, in bfloat16 on some processors.
    """

    @functools.cache
    def compiled(shape: tuple[int, ...]) -> Forward:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/graph.xml"
            signature = [keras.InputSpec(shape=shape, dtype="float32")]
            network.export(path, format="openvino", verbose=False, input_signature=signature)
            return graph_forward(_core().read_model(path))

    return lambda images: compiled(images.shape)(images)


def _translated(layer: keras.Layer) -> Callable[..., Node]:
    kind = type(layer).__name__
    if kind not in TRANSLATIONS:
        raise Unsupported(f"OpenVINO is not told how to run a layer {kind}", fix=FIX)
    return lambda inputs, **_: TRANSLATIONS[kind](layer, inputs)


def _activated(layer: keras.Layer, x: Node) -> Node:
    name = layer.activation.__name__
    if name not in PLAIN_ACTIVATIONS:
        raise Unsupported(f"OpenVINO is not told how to run the activation {name}", fix=FIX)
    return PLAIN_ACTIVATIONS[name](x)


def _per_channel(values: np.ndarray, x: Node) -> Node:
    """One value a channel, to be joined with `x`, which has any number of axes."""
    axes = len(x.get_output_partial_shape(0)) if isinstance(x, ov.Node) else len(x.get_partial_shape())
    return ops.constant(values.reshape(1, -1, *[1] * (axes - 2)).astype(np.float32))


def _with_bias(layer: keras.Layer, x: Node) -> Node:
    return _activated(layer, ops.add(x, _per_channel(as_array(layer.bias), x)) if layer.use_bias else x)


def _convolution(layer: keras.Layer, x: Node) -> Node:
    kernel = ops.constant(filters_first(layer.kernel))
    padding, none = "same_upper" if layer.padding == "same" else "valid", [0] * len(layer.strides)
    x = ops.convolution(x, kernel, list(layer.strides), none, none, list(layer.dilation_rate), padding)
    return _with_bias(layer, x)


def _convolution_by_channel(layer: keras.Layer, x: Node) -> Node:
    kernel = as_array(layer.kernel)  # (H, W, channels, multiplier)
    rows, columns, channels, multiplier = kernel.shape
    grouped = ops.constant(kernel.transpose(2, 3, 0, 1).reshape(channels, multiplier, 1, rows, columns).copy())
    padding = "same_upper" if layer.padding == "same" else "valid"
    x = ops.group_convolution(x, grouped, list(layer.strides), [0, 0], [0, 0], list(layer.dilation_rate), padding)
    return _with_bias(layer, x)


def _rectified(layer: keras.Layer, x: Node) -> Node:
    return ops.relu(x) if layer.max_value is None else ops.clamp(x, 0.0, float(layer.max_value))


def _transposed_convolution(layer: keras.Layer, x: Node) -> Node:
    kernel = ops.constant(filters_first(layer.kernel))
    cut = transposed_cut(layer)
    if cut is None:
        raise Unsupported("OpenVINO is not told how to run a stride beyond the kernel", fix=FIX)
    x = ops.convolution_backprop_data(x, kernel, list(layer.strides), None, *cut, [1] * len(layer.strides))
    return _with_bias(layer, x)


def _normalisation(layer: keras.Layer, x: Node) -> Node:
    scale, shift = scale_and_shift(layer)
    return ops.add(ops.multiply(x, _per_channel(scale, x)), _per_channel(shift, x))


def _upsampling(layer: keras.Layer, x: Node) -> Node:
    axes, scales = list(range(2, 2 + len(layer.size))), ops.constant(np.array(layer.size, np.float32))
    mode = "nearest" if getattr(layer, "interpolation", "nearest") == "nearest" else "linear_onnx"
    corners = "asymmetric" if mode == "nearest" else "half_pixel"
    return ops.interpolate(
        x, scales, mode, "scales", coordinate_transformation_mode=corners, nearest_mode="floor", axes=axes
    )


def _pooling(layer: keras.Layer, x: Node) -> Node:
    strides, size = list(layer.strides), list(layer.pool_size)
    padding, none = "same_upper" if layer.padding == "same" else "valid", [0] * len(size)
    if isinstance(layer, (keras.layers.MaxPooling2D, keras.layers.MaxPooling3D)):
        return ops.max_pool(x, strides, [1] * len(size), none, none, size, "floor", padding).output(0)
    return ops.avg_pool(x, strides, none, none, size, True, "floor", padding)


def _padded(layer: keras.Layer, x: Node) -> Node:
    begin, end = zip((0, 0), (0, 0), *layer.padding, strict=True)
    return ops.pad(x, list(begin), list(end), "constant", ops.constant(np.float32(0)))


def _cropped(layer: keras.Layer, x: Node) -> Node:
    begin, end = zip(*layer.cropping, strict=True)
    axes = list(range(2, 2 + len(begin)))
    stop = [-n or np.iinfo(np.int64).max for n in end]
    return ops.slice(x, list(begin), stop, [1] * len(axes), axes)


def _normalised_by_channel(layer: keras.Layer, x: Node) -> Node:
    """Of the group normalisations the one whose groups are single channels: instance normalisation."""
    channels = layer.input_spec.axes[layer.axis]
    if layer.groups != channels or layer.scale or layer.center:
        raise Unsupported("OpenVINO is not told how to run a normalisation of groups of channels", fix=FIX)
    axes = len(x.get_output_partial_shape(0)) if isinstance(x, ov.Node) else len(x.get_partial_shape())
    return ops.mvn(x, list(range(2, axes)), True, layer.epsilon, "inside_sqrt")


TRANSLATIONS: dict[str, Callable[..., Node]] = {
    **dict.fromkeys(("Conv2D", "Conv3D"), _convolution),
    "DepthwiseConv2D": _convolution_by_channel,
    **dict.fromkeys(("Conv2DTranspose", "Conv3DTranspose"), _transposed_convolution),
    "BatchNormalization": _normalisation,
    "GroupNormalization": _normalised_by_channel,
    "ZeroPadding3D": _padded,
    "Cropping3D": _cropped,
    "Activation": _activated,
    "ReLU": _rectified,
    "LeakyReLU": lambda layer, x: ops.prelu(x, ops.constant(np.float32(layer.negative_slope))),
    **dict.fromkeys(("UpSampling2D", "UpSampling3D"), _upsampling),
    **dict.fromkeys(("AveragePooling2D", "AveragePooling3D", "MaxPooling2D", "MaxPooling3D"), _pooling),
    "Add": lambda layer, inputs: functools.reduce(ops.add, inputs),
    "Average": lambda layer, inputs: ops.divide(functools.reduce(ops.add, inputs), np.float32(len(inputs))),
    "Concatenate": lambda layer, inputs: ops.concat(list(inputs), 1),
    **dict.fromkeys(("Dropout", "SpatialDropout2D", "GaussianNoise", "Identity"), lambda layer, x: x),
}
