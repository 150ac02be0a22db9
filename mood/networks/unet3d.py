"""A U-Net for whole bodies in three dimensions: what a slice cannot show, it sees.

Çiçek et al. 2016 (arXiv 1606.06650), with batch normalisation before each ReLU and one convolution instead of two on
the way up. Its input is coarse with the fine detail in channels, so that most of the work is done on few voxels.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from mood.networks.unet import RARITY

LEVELS = 5
SIDE_MULTIPLE = 2 ** (LEVELS - 1)
WIDEST = 6  # in units of the first level's width; more would make the weights large and the network no faster


def build_unet3d(width: int, channels: int, momentum: float = 0.99) -> keras.Model:
    """(N, X, Y, Z, channels) -> (N, X, Y, Z, 1) in [0, 1]; X, Y and Z multiples of 16.

    Parameters
    ----------
    width : int
        Filters of the first level; doubled a level, up to six times.
    channels : int
        Of the input.
    momentum : float
        Of the running statistics.
    """
    inputs = keras.Input((None, None, None, channels), name="scan")
    widths = [width * min(2**level, WIDEST) for level in range(LEVELS)]
    x, skips = inputs, []
    for level, filters in enumerate(widths):
        if level:
            x = layers.MaxPooling3D(2, name=f"down{level}")(x)
        x = _unit(x, filters, momentum, f"enc{level}a")
        x = _unit(x, filters, momentum, f"enc{level}b")
        skips.append(x)
    for level in reversed(range(LEVELS - 1)):
        x = _unit(x, widths[level], momentum, f"dec{level}a", kernel=1)
        x = layers.UpSampling3D(2, name=f"up{level}")(x)
        x = layers.Concatenate(name=f"skip{level}")([x, skips[level]])
        x = _unit(x, widths[level], momentum, f"dec{level}b")
    rare = keras.initializers.Constant(RARITY)
    outputs = layers.Conv3D(1, 1, activation="sigmoid", bias_initializer=rare, dtype="float32", name="altered")(x)
    return keras.Model(inputs, outputs, name="unet3d")


def _unit(x: keras.KerasTensor, filters: int, momentum: float, name: str, kernel: int = 3) -> keras.KerasTensor:
    x = layers.Conv3D(
        filters, kernel, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)
    x = layers.BatchNormalization(momentum=momentum, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def operations(network: keras.Model, voxels: int) -> float:
    """Floating-point operations of the convolutions in one pass over an input of this many voxels."""
    total = 0.0
    for layer in network.layers:
        if isinstance(layer, layers.Conv3D):
            level = int("".join(c for c in layer.name if c.isdigit()) or 0)
            coarser = level + (layer.name.startswith("dec") and layer.name.endswith("a_conv"))
            total += 2.0 * float(np.prod(layer.kernel.shape)) * voxels / 8**coarser
    return total
