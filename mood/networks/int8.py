"""Networks with eight-bit arithmetic, by post-training quantisation with NNCF; OpenVINO runs them.

The first two convolutions and the last two stay in float32: faint differences in the image, and between estimates
near 0, are what the methods live on. NNCF is needed to make such a graph, not to run it.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from mood.errors import UsageError

DEPTH = 2  # convolutions from the image, and from the output, that stay in float32


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


def outermost_convolutions(graph: Any, depth: int = DEPTH) -> list[str]:
    """Names of the convolutions of an OpenVINO graph with fewer than `depth` of them before or behind."""
    operations = graph.get_ordered_ops()
    before = _chained(operations, _sources)
    behind = _chained(operations[::-1], _targets)
    names = [operation.get_friendly_name() for operation in operations if _is_convolution(operation)]
    return [name for name in names if min(before[name], behind[name]) < depth]


def _chained(operations: Sequence[Any], neighbours: Callable[[Any], list[Any]]) -> dict[str, int]:
    """For each operation the convolutions on the longest way from it, by name."""
    counts: dict[str, int] = {}
    for operation in operations:
        ways = [counts[other.get_friendly_name()] + _is_convolution(other) for other in neighbours(operation)]
        counts[operation.get_friendly_name()] = max(ways, default=0)
    return counts


def _sources(operation: Any) -> list[Any]:
    return [operation.input_value(i).get_node() for i in range(operation.get_input_size())]


def _targets(operation: Any) -> list[Any]:
    return [target.get_node() for output in operation.outputs() for target in output.get_target_inputs()]


def _is_convolution(operation: Any) -> bool:
    return operation.get_type_name() in ("Convolution", "ConvolutionBackpropData")
