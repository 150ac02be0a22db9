"""What runs a trained network: Keras on its backend, or OpenVINO, which starts sooner and takes less memory.

    run = forward(network)       # a Keras model with inputs (N, H, W, C), any height and width
    maps = run(slices)           # arrays in, arrays out

With `KERAS_BACKEND=openvino`, which `runtime.choose_engine` sets, no other backend is even imported. Under any
other one a network can be handed to OpenVINO too, so that both can be compared in one process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from mood import runtime

Forward = Callable[[np.ndarray], Any]

OPENVINO_OPTIONS = {
    "INFERENCE_PRECISION_HINT": "f32",  # the default may be bfloat16: wrong by 0.01, no faster without AMX
    "PERFORMANCE_HINT": "LATENCY",
    "ENABLE_CPU_PINNING": False,  # a thread that is bound to a core waits for whatever else runs there
}


def forward(network: keras.Model, engine: str | None = None) -> Forward:
    """The network in inference mode as a function of arrays.

    Parameters
    ----------
    network : keras.Model
        One input (N, H, W, C). Later changes of its weights may go unseen.
    engine : {'keras', 'openvino'}, optional
        The one that `runtime.choose_engine` chose when not given.

    Returns
    -------
    callable
        (N, H, W, C) float32 ndarray to the output as ndarray, or to a list of them.
    """
    if (engine or runtime.engine()) == "openvino":
        return _openvino_forward(network)
    bare = keras.Model(network.inputs, network.outputs)  # compiling `network` itself would change its optimizer
    bare.compile(jit_compile=runtime.jit_compile())
    return bare.predict_on_batch


def _openvino_forward(network: keras.Model) -> Forward:
    from mood.networks.openvino_graph import build_graph

    return graph_forward(build_graph(network))


def graph_forward(graph: Any) -> Forward:
    """An OpenVINO graph as `forward` gives it.

    Parameters
    ----------
    graph : openvino.Model or pathlib.Path
        Or the path of one on disk.
    """
    import openvino as ov

    compiled = ov.Core().compile_model(graph, "CPU", OPENVINO_OPTIONS)
    request, outputs = compiled.create_infer_request(), len(compiled.outputs)

    def run(slices: np.ndarray) -> Any:
        results = request.infer({0: np.ascontiguousarray(slices, np.float32)})
        arrays = [results[i].copy() for i in range(outputs)]  # the next call writes over them
        return arrays[0] if outputs == 1 else arrays

    return run
