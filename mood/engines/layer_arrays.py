"""The arrays of Keras layers as engines with channels first want them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


def as_array(variable: Any) -> np.ndarray:
    """A variable's values, float32."""
    return np.ascontiguousarray(keras.ops.convert_to_numpy(variable), np.float32)


def filters_first(kernel: Any) -> np.ndarray:
    """(..., in, out) to (out, in, ...)."""
    return np.ascontiguousarray(np.moveaxis(as_array(kernel), (-1, -2), (0, 1)))


def scale_and_shift(layer: keras.Layer) -> tuple[np.ndarray, np.ndarray]:
    """What a batch normalisation multiplies each channel by in inference mode, and what it adds then."""
    mean, variance = as_array(layer.moving_mean), as_array(layer.moving_variance)
    scale = (as_array(layer.gamma) if layer.scale else 1.0) / np.sqrt(variance + layer.epsilon)
    return scale, (as_array(layer.beta) if layer.center else 0.0) - mean * scale


def transposed_cut(layer: keras.Layer) -> tuple[list[int], list[int]] | None:
    """How much of a transposed convolution's full result is cut off at the begin and end of each axis.

    None where its stride goes beyond its kernel, which leaves gaps.
    """
    excess = [size - stride for size, stride in zip(layer.kernel_size, layer.strides, strict=True)]
    if min(excess) < 0:
        return None
    cut = excess if layer.padding == "same" else [0] * len(excess)
    return [n // 2 for n in cut], [n - n // 2 for n in cut]
