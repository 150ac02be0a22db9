"""A small U-Net for slices: cheap per step, sharp where the wide residual network is smooth.

Ronneberger et al. 2015 (arXiv 1505.04597), with batch normalisation, one convolution instead of two on the
way up, and widths that stop growing at eight times the first.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops

from mood.engines import devices

LEVELS = 5
FIRST = "enc0a_conv"  # the layer that sees the input
SIDE_MULTIPLE = 2 ** (LEVELS - 1)
WIDEST = 8  # in units of the first level's width
RARITY = -3.5  # logit of the share of altered voxels that an untrained network expects
DICE_WEIGHT = 0.1  # of the overlap in the loss; more of it makes a network see something in every slice


def build_unet(width: int, channels: int, momentum: float = 0.99, members: int = 1) -> keras.Model:
    """(N, H, W, channels) -> (N, H, W, 1) in [0, 1]; H and W multiples of 16.

    Parameters
    ----------
    width : int
        Filters of the first level; doubled a level, up to eight times.
    channels : int
        Of the input.
    momentum : float
        Of the running statistics.
    members : int
        U-Nets side by side, whose estimates are averaged.
    """
    inputs = keras.Input((None, None, channels), name="slices")
    estimates = [_member(inputs, width, momentum, prefix(i)) for i in range(members)]
    outputs = layers.Average(name="mean", dtype="float32")(estimates) if members > 1 else estimates[0]
    return keras.Model(inputs, outputs, name="unet")


def copy_member(source: keras.Model, i: int, target: keras.Model, j: int, channels: Sequence[int]) -> None:
    """Make the `j`-th U-Net of `target` see in `channels` of its input what the `i`-th of `source` sees in all of its.

    Both from `build_unet`, of one width; other channels of the input leave that U-Net cold.
    """
    own = [layer.name for layer in target.layers if layer.weights and _index(layer.name) == j]
    for name in own:
        arrays = source.get_layer(prefix(i) + name.removeprefix(prefix(j))).get_weights()
        if name.endswith(FIRST):
            rows, columns, _, filters = arrays[0].shape
            wider = np.zeros((rows, columns, target.inputs[0].shape[-1], filters), np.float32)
            wider[:, :, list(channels)] = arrays[0]
            arrays = [wider]
        target.get_layer(name).set_weights(arrays)


def prefix(i: int) -> str:
    """Of the layers of the `i`-th member."""
    return f"unet{i}_" if i else ""


def _index(layer_name: str) -> int:
    """The member that a layer belongs to."""
    return int(layer_name[4:].partition("_")[0]) if layer_name.startswith("unet") else 0


def _member(inputs: keras.KerasTensor, width: int, momentum: float, prefix: str) -> keras.KerasTensor:
    widths = [width * min(2**level, WIDEST) for level in range(LEVELS)]
    x, skips = inputs, []
    for level, filters in enumerate(widths):
        if level:
            x = layers.MaxPooling2D(2, name=f"{prefix}down{level}")(x)
        x = _unit(x, filters, momentum, f"{prefix}enc{level}a")
        x = _unit(x, filters, momentum, f"{prefix}enc{level}b")
        skips.append(x)
    for level in reversed(range(LEVELS - 1)):
        x = _unit(x, widths[level], momentum, f"{prefix}dec{level}a", kernel=1)
        x = layers.UpSampling2D(2, name=f"{prefix}up{level}")(x)
        x = layers.Concatenate(name=f"{prefix}skip{level}")([x, skips[level]])
        x = _unit(x, widths[level], momentum, f"{prefix}dec{level}b")
    rare = keras.initializers.Constant(RARITY)
    name = f"{prefix}foreign"
    return layers.Conv2D(1, 1, activation="sigmoid", bias_initializer=rare, dtype="float32", name=name)(x)


def _unit(x: keras.KerasTensor, filters: int, momentum: float, name: str, kernel: int = 3) -> keras.KerasTensor:
    x = layers.Conv2D(
        filters, kernel, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)
    x = layers.BatchNormalization(momentum=momentum, synchronized=devices.count() > 1, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def overlap_loss(
    label: keras.KerasTensor, estimate: keras.KerasTensor, dice_weight: float = DICE_WEIGHT
) -> keras.KerasTensor:
    """Cross-entropy plus a share of what is missing to a full overlap (soft Dice) of the batch.

    Cross-entropy alone is slow to find what fills a fiftieth of the pixels.

    Parameters
    ----------
    label, estimate : (N, ..., 1) tensors in [0, 1]
    dice_weight : float
        Of the overlap beside a cross-entropy of 1.
    """
    shared = 2 * devices.total(ops.sum(label * estimate)) + 1
    both = devices.total(ops.sum(label * label) + ops.sum(estimate * estimate)) + 1
    entropy = ops.mean(keras.losses.binary_crossentropy(label, estimate))
    return devices.own_part(entropy + dice_weight * (1 - shared / both))
