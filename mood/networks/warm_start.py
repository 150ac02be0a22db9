"""A U-Net of twice the width that begins as two trained ones, each seeing what it saw in new channels.

Neither half takes anything from the other before training lets it. What the two say is averaged in logits.
"""

from __future__ import annotations

import keras
import numpy as np

from mood.networks.unet import FIRST, prefix

LAST = "foreign"  # the layer that estimates


def begin_as(target: keras.Model, source: keras.Model, members: tuple[int, int], seen: np.ndarray) -> None:
    """Give `target` the weights of two U-Nets of `source`.

    Parameters
    ----------
    target, source : keras.Model
        From `mood.networks.unet.build_unet`, the first twice as wide as each member of the second.
    members : two ints
        Which U-Nets of `source`.
    seen : (channels of source, channels of target) float ndarray
        The input of `source` as a weighted sum of that of `target`.
    """
    for layer in (layer for layer in target.layers if layer.weights):
        one, other = (source.get_layer(prefix(i) + layer.name).get_weights() for i in members)
        shapes = (array.shape for array in layer.get_weights())
        layer.set_weights([_joined(layer.name, *arrays, seen) for arrays in zip(one, other, shapes, strict=True)])


def _joined(name: str, one: np.ndarray, other: np.ndarray, shape: tuple[int, ...], seen: np.ndarray) -> np.ndarray:
    """An array of `shape` that does what `one` and `other` did, side by side."""
    if name == LAST:
        return np.concatenate([one, other], axis=2) / 2 if one.ndim > 1 else (one + other) / 2
    if one.ndim == 1:
        return np.concatenate([one, other])
    if name == FIRST:
        return np.concatenate([np.einsum("hwcf,cd->hwdf", kernel, seen) for kernel in (one, other)], axis=-1)
    inputs, filters = one.shape[2:]
    joined = np.zeros(shape, np.float32)
    parts = 2 if inputs > filters and name.startswith("dec") and name.endswith("b_conv") else 1
    step = inputs // parts
    for k, kernel in enumerate((one, other)):
        for part in range(parts):  # what comes from below, then what comes across: each from both
            at = slice((2 * part + k) * step, (2 * part + k + 1) * step)
            joined[:, :, at, k * filters : (k + 1) * filters] = kernel[:, :, part * step : (part + 1) * step]
    return joined
