"""ASC-Net's networks: a main module that cuts an image in two and rebuilds it, and a discriminator.

Dey and Hong, MICCAI 2021 (arXiv 2103.03664), extended in arXiv 2112.09135. The main module is a U-Net
with one encoder and two decoders:

    Ifc   ID1, the foreground cut: the part of the image that a discriminator takes for a reference image
    Iwc   ID2, the other cut: what is left, and with it the anomalies
    Iro   ID3, sigmoid(w1 Ifc + w2 Iwc + b): the rebuilt image, whose few grey levels are thresholded
    pair  Ifc and Iwc as two channels, for the disjointness loss

At width 32, the paper's, the main module has 10,823,013 parameters. Its sides may be any multiple of 16;
the discriminator ends in a dense layer and so is built for one height and width (2,383,329 parameters at
160 x 160 with a top level of 256 filters, 4,770,785 with 512). The paper's two layers that concatenate
the same pair of cuts are one here. The asymmetry of its dropout is kept: decoder 1, and not decoder 2,
goes without it before its last level. One start is changed: the three numbers that rebuild Iro begin at
sigmoid(8 Ifc + 8 Iwc - 4), which shows either cut almost as it is. Drawn at random, as published, their
signs decide by chance whether Iro can become the image, and small learning rates never turn them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import keras
from keras import layers, ops

LEVELS = (1, 2, 4, 8, 16)  # filters of the encoder's levels in units of the width
LOSSES = ("adversarial", "reconstruction", "disjointness")  # of the main module, each with weight 1
SIDE_MULTIPLE = 16
DROPOUT = 0.3
WEIGHT_DECAY = 2e-4
REAL, FAKE = -1.0, 1.0  # what the discriminator answers
REBUILD_WEIGHT = 8.0  # of each cut at the start; a cut of 0 rebuilds 0.02 and one of 1 alone 0.98
SWITCHED_OFF = 1e-16  # a sigmoid at or below this is one that underflowed to 0


def build_main_module(width: int = 32, momentum: float = 0.99) -> keras.Model:
    """The network that cuts an image in two and rebuilds it.

    Parameters
    ----------
    width : int
        Filters of the first level; 32 as published.
    momentum : float
        Of the batch normalisations' running statistics; short trainings need less than the published 0.99.

    Returns
    -------
    keras.Model
        (N, H, W, 1) in [0, 1], H and W multiples of 16, to [Ifc, Iwc, Iro, pair]: three (N, H, W, 1) and
        one (N, H, W, 2), all in [0, 1].
    """
    inputs = keras.Input((None, None, 1), name="images")
    x, skips = inputs, []
    for level, multiple in enumerate(LEVELS):
        x = _double(x, width * multiple, f"enc{level}", momentum)
        if level < len(LEVELS) - 1:
            skips.append(x)
            x = _shrink(x, f"enc{level}")
    cuts = [
        layers.Conv2D(1, 1, activation="sigmoid", dtype="float32", name=name)(_decoder(x, skips, width, k, momentum))
        for k, name in ((1, "Ifc"), (2, "Iwc"))
    ]
    pair = layers.Concatenate(name="pair")(cuts)
    rebuilt = layers.Conv2D(
        1,
        1,
        activation="sigmoid",
        dtype="float32",
        kernel_initializer=keras.initializers.Constant(REBUILD_WEIGHT),
        bias_initializer=keras.initializers.Constant(-REBUILD_WEIGHT / 2),
        name="Iro",
    )(pair)
    return keras.Model(inputs, [*cuts, rebuilt, pair], name="main_module")


def build_discriminator(
    height: int, width_pixels: int, width: int = 32, top: int = 16, momentum: float = 0.99, trained: bool = True
) -> keras.Model:
    """The network that tells reference images from cuts.

    Parameters
    ----------
    height, width_pixels : int
        Size of the images, fixed by the dense layer at the end.
    width : int
        Filters of the first level; 32 as published.
    top : int
        Filters of the last level in units of the width. The original makes it 8 in its first script and
        16 in those that train; here one setting decides it everywhere.
    trained : bool
        False for the frozen copy inside the complete model: no weight decay, its weights come from the
        one that is trained.

    Returns
    -------
    keras.Model
        (N, H, W, 1) to (N, 1) in [-1, 1]: -1 a reference image, 1 a cut of something else.
    """
    decay = WEIGHT_DECAY if trained else 0.0
    inputs = x = keras.Input((height, width_pixels, 1), name="images")
    for level, multiple in enumerate((*LEVELS[:-1], top)):
        x = _double(x, width * multiple, f"disc{level}", momentum, decay)
        if level < len(LEVELS) - 1:
            x = _shrink(x, f"disc{level}")
    x = layers.Flatten(name="flatten")(x)
    answer = layers.Dense(1, activation="tanh", dtype="float32", name="answer")(x)
    model = keras.Model(inputs, answer, name="discriminator" if trained else "frozen_discriminator")
    model.trainable = trained
    return model


def build_complete(main: keras.Model, frozen: keras.Model) -> keras.Model:
    """What the main module is trained through: images to D(Ifc), Iro and the pair, by the names of their losses.

    Parameters
    ----------
    main, frozen : keras.Model
        The main module, and a discriminator built with `trained=False`.
    """
    inputs = keras.Input((*frozen.input_shape[1:3], 1), name="images")
    foreground, _, rebuilt, pair = main(inputs)
    outputs = [frozen(foreground), rebuilt, pair]
    named = [layers.Identity(name=name)(output) for name, output in zip(LOSSES, outputs, strict=True)]
    return keras.Model(inputs, dict(zip(LOSSES, named, strict=True)), name="complete")


def overlap(first: keras.KerasTensor, second: keras.KerasTensor) -> keras.KerasTensor:
    """Dice coefficient of two soft masks over the whole batch, smoothed by 1: 0 when they are disjoint."""
    return (2.0 * ops.sum(first * second) + 1.0) / (ops.sum(first) + ops.sum(second) + 1.0)


def _overlap_after(change: Callable) -> Callable:
    def loss(_: keras.KerasTensor, pair: keras.KerasTensor) -> keras.KerasTensor:
        return overlap(change(pair[..., 0]), change(pair[..., 1]))

    return loss


# Stage 1: a pixel that is switched off altogether counts as on, so that doing so earns nothing.
first_stage_disjointness = _overlap_after(lambda cut: ops.where(cut <= SWITCHED_OFF, 1.0, cut))
# Stage 2 as published: every pixel becomes 1, so the loss is constant and has no gradient.
published_second_stage_disjointness = _overlap_after(lambda cut: ops.where(cut > SWITCHED_OFF, 1.0, cut))
# Stage 2 here: the soft overlap itself, which keeps the cuts apart as the paper describes.
soft_disjointness = _overlap_after(lambda cut: cut)


def _decoder(x: keras.KerasTensor, skips: list, width: int, k: int, momentum: float) -> keras.KerasTensor:
    for level in reversed(range(len(skips))):
        name, filters = f"dec{k}_{level}", width * LEVELS[level]
        x = layers.Conv2DTranspose(filters, 2, strides=2, name=f"{name}_up")(x)
        x = layers.Concatenate(name=f"{name}_skip")([x, skips[level]])
        if (k, level) != (1, 0):
            x = _dropout(name)(x)
        x = _double(x, filters, name, momentum)
    return x


def _double(
    x: keras.KerasTensor, filters: int, name: str, momentum: float, decay: float = WEIGHT_DECAY
) -> keras.KerasTensor:
    """Twice 3 x 3 convolution, ReLU and then batch normalisation, in the published order."""
    for i in (1, 2):
        regularizer = keras.regularizers.L2(decay) if decay else None
        x = layers.Conv2D(
            filters, 3, padding="same", activation="relu", kernel_regularizer=regularizer, name=f"{name}_conv{i}"
        )(x)
        x = layers.BatchNormalization(momentum=momentum, name=f"{name}_bn{i}")(x)
    return x


def _shrink(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return _dropout(name)(layers.MaxPooling2D(name=f"{name}_pool")(x))


def _dropout(name: str) -> layers.Dropout:
    """With a seed of its own name: where none is given, Keras draws one, and PyTorch's cannot be set later."""
    seed = zlib.crc32(name.encode()) % 2**31  # more does not fit where Keras runs on OpenVINO
    return layers.Dropout(DROPOUT, seed=seed, name=f"{name}_drop")
