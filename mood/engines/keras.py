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

GPU_BATCHES = 16  # times what a CPU likes
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
    return FixedBatches(bare.predict_on_batch) if runtime.gpus() else bare.predict_on_batch


def batch_images(images: int) -> int:
    """How many images to give a network at once where `images` fill the caches of a CPU."""
    return max(1, images * (GPU_BATCHES if runtime.gpus() else 1))


class FixedBatches:
    """A network on a GPU: always as many images at once as in the first call, half as many when memory runs out.

    Kernels are compiled for each shape anew, so that a smaller batch is filled up instead.
    """

    def __init__(self, run: Forward) -> None:
        self.run, self.size = run, 0

    def __call__(self, images: np.ndarray) -> Any:
        self.size = self.size or len(images)
        while True:
            try:
                return self._in_pieces(images)
            except Exception as error:
                if self.size == 1 or not _out_of_memory(error):
                    raise
                self.size = -(-self.size // 2)

    def _in_pieces(self, images: np.ndarray) -> Any:
        results = []
        for start in range(0, len(images), self.size):
            piece = images[start : start + self.size]
            missing = np.zeros((self.size - len(piece), *images.shape[1:]), images.dtype)
            results.append(self.run(np.concatenate([piece, missing])))
        if isinstance(results[0], (list, tuple)):
            return [np.concatenate(parts)[: len(images)] for parts in zip(*results, strict=True)]
        return np.concatenate(results)[: len(images)]


def _out_of_memory(error: Exception) -> bool:
    """As TensorFlow, JAX and PyTorch say it."""
    text = f"{type(error).__name__} {error}".lower()
    return any(sign in text for sign in ("resourceexhausted", "resource_exhausted", "out of memory", "outofmemory"))


def _openvino_forward(network: keras.Model) -> Forward:
    from mood.engines.openvino import build_graph

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
