"""A small convolutional autoencoder for slices: the baseline that rebuilds what it knows."""

from __future__ import annotations

import keras
from keras import layers

LEVELS = (1, 2, 4, 4)  # filters in units of the width; each level halves the sides
SIDE_MULTIPLE = 2 ** len(LEVELS)


def build_autoencoder(width: int, code: int) -> keras.Model:
    """An encoder that halves the sides four times, a narrow code, and the way back.

    Without skip connections: all that is rebuilt has passed through the code.

    Parameters
    ----------
    width : int
        Filters of the first level.
    code : int
        Channels of the code, which is a sixteenth of the sides.

    Returns
    -------
    keras.Model
        (N, H, W, 1) to (N, H, W, 1), H and W multiples of 16.
    """
    x = inputs = keras.Input((None, None, 1), name="slices")
    for level, multiple in enumerate(LEVELS):
        x = _convolution(x, width * multiple, f"enc{level}", strides=2)
    x = layers.Conv2D(code, 1, name="code")(x)
    for level, multiple in reversed(list(enumerate(LEVELS))):
        x = _convolution(x, width * multiple, f"dec{level}")
        x = layers.UpSampling2D(2, name=f"dec{level}_up")(x)
    # Linear: a sigmoid learns the air first, saturates there and never comes back to the tissue.
    outputs = layers.Conv2D(1, 3, padding="same", dtype="float32", name="rebuilt")(x)
    return keras.Model(inputs, outputs, name="autoencoder")


def _convolution(x: keras.KerasTensor, filters: int, name: str, strides: int = 1) -> keras.KerasTensor:
    return layers.Conv2D(filters, 3, strides, padding="same", activation="elu", name=name)(x)
