"""Networks with eight-bit arithmetic, by post-training quantisation with NNCF; OpenVINO runs them.

The first and the last convolutions stay in float32: faint differences in the image, and between estimates near 0,
are what the methods live on. NNCF is needed to make such a graph, not to run it.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from mood.errors import UsageError


def quantise(network: keras.Model, images: Sequence[np.ndarray]) -> Any:
    """The network as an OpenVINO graph in int8.

    Parameters
    ----------
    network : keras.Model
        One input (N, H, W, C).
    images : sequence of (H, W, C) float32 ndarray
        What it typically sees; the ranges of its activations are measured on them.

    Returns
    -------
    openvino.Model

    Raises
    ------
    UsageError
        When OpenVINO or NNCF is not installed.
    """
    if not all(importlib.util.find_spec(name) for name in ("openvino", "nncf")):
        raise UsageError("OpenVINO or NNCF is not installed", fix="Run: pip install 'mood[int8]'")
    os.environ.setdefault("NNCF_CI", "1")  # else it reports its use over the network
    import nncf

    from mood.networks.openvino_graph import build_graph

    graph = build_graph(network)
    return nncf.quantize(
        graph,
        nncf.Dataset([image[None] for image in images]),
        subset_size=len(images),
        preset=nncf.QuantizationPreset.MIXED,  # ranges of ReLU's output start at 0, those of normalisations do not
        ignored_scope=nncf.IgnoredScope(names=outermost_convolutions(graph)),
    )


def outermost_convolutions(graph: Any) -> list[str]:
    """Names of the convolutions of an OpenVINO graph that come after none, or before none."""
    operations = graph.get_ordered_ops()
    after, before = set(), set()  # names of operations that come after, or before, a convolution
    for operation in operations:
        sources = [operation.input_value(i).get_node() for i in range(operation.get_input_size())]
        if any(_is_convolution(source) or source.get_name() in after for source in sources):
            after.add(operation.get_name())
    for operation in reversed(operations):
        targets = [target.get_node() for output in operation.outputs() for target in output.get_target_inputs()]
        if any(_is_convolution(target) or target.get_name() in before for target in targets):
            before.add(operation.get_name())
    return [
        operation.get_friendly_name()
        for operation in operations
        if _is_convolution(operation) and not {operation.get_name()} <= after & before
    ]


def _is_convolution(operation: Any) -> bool:
    return operation.get_type_name() in ("Convolution", "ConvolutionBackpropData")
