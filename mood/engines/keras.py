"""Networks run by Keras on its backend."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from mood import runtime
from mood.engines import Forward
from mood.engines.memory import is_out_of_memory, joined

GPU_BATCHES = 16  # times what a CPU likes


def forward(network: keras.Model) -> Forward:
    """The network in inference mode as a function of arrays.

    Parameters
    ----------
    network : keras.Model
        One input (N, H, W, C). Later changes of its weights may go unseen.

    Returns
    -------
    callable
        (N, H, W, C) float32 ndarray to the output as ndarray, or to a list of them.
    """
    bare = keras.Model(network.inputs, network.outputs)  # compiling `network` itself would change its optimizer
    if keras.backend.backend() not in runtime.TRAINING_BACKENDS:
        from mood.engines.openvino import exported_forward

        return exported_forward(bare)
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
                if self.size == 1 or not is_out_of_memory(error):
                    raise
                self.size = -(-self.size // 2)

    def _in_pieces(self, images: np.ndarray) -> Any:
        results = []
        for start in range(0, len(images), self.size):
            piece = images[start : start + self.size]
            missing = np.zeros((self.size - len(piece), *images.shape[1:]), images.dtype)
            results.append(self.run(np.concatenate([piece, missing])))
        whole = joined(results)
        return [part[: len(images)] for part in whole] if isinstance(whole, list) else whole[: len(images)]
