"""FPI's networks: wide residual encoder-decoders without skip connections.

Tan et al. 2020 (arXiv 2011.04197), after Zagoruyko and Komodakis, Wide Residual Networks (2016).
A stem convolution, one stage of pre-activation blocks a resolution on the way down, one block a
resolution on the way up. The logit is the sum of the last block: nothing follows it but the
sigmoid (one class) or softmax. Weights come in the published order. The weight decay that the authors
declare never reached their training step, so there is none here.

    dec          brain    depth 16 = 10 n + 6, side a multiple of 16
    decdeeper    abdomen  depth 19 = 12 n + 7, side a multiple of 32     (n blocks an encoder stage)
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from mood.engines import devices

# (filters in units of 16, times the width where flagged, stride) of each stage
ENCODERS = {
    "dec": ((1, 1), (2, 2), (4, 2), (4, 2), (4, 2)),
    "decdeeper": ((1, 1), (2, 2), (4, 2), (4, 2), (4, 2), (4, 2)),
}
DECODERS = {"dec": (2, 1), "decdeeper": (2, 2, 1)}  # then 16 filters, then the classes
CUT_STAGE = 3  # after this encoder stage the features are at a quarter of the side
CUT_STRIDE = 4


@dataclass(frozen=True)
class Block:
    """One residual block: what it is called, its filters, and how it changes the side."""

    name: str
    filters: int
    stride: int
    up: bool = False


def blocks(architecture: str, width: int, classes: int, blocks_per_stage: int = 1) -> list[Block]:
    """The residual blocks of a network, in order."""
    plan = []
    for stage, (multiple, stride) in enumerate(ENCODERS[architecture], start=1):
        for n in range(blocks_per_stage):
            name = f"enc{stage}" + (f"_{n + 1}" if blocks_per_stage > 1 else "")
            plan.append(Block(name, 16 * width * multiple, stride if n == 0 else 1))
    filters = [16 * width * multiple for multiple in DECODERS[architecture]] + [16, classes]
    plan += [Block(f"dec{i}", count, 2, up=True) for i, count in enumerate(filters, start=1)]
    return plan


def side_multiple(architecture: str) -> int:
    """Height and width of the input must be multiples of this."""
    return int(np.prod([stride for _, stride in ENCODERS[architecture]]))


def build_wide_resnet(
    architecture: str = "dec",
    width: int = 4,
    classes: int = 1,
    blocks_per_stage: int = 1,
    folded: bool = False,
) -> keras.Model:
    """One of FPI's two networks, for slices of any side that is a multiple of 16 (`dec`) or 32.

    Parameters
    ----------
    architecture : {'dec', 'decdeeper'}
    width : int
        Filters of the first stage in units of 16; 4 as published.
    classes : int
        1 gives a sigmoid, more a softmax.
    blocks_per_stage : int
        Blocks in each encoder stage; 1 as published (depth 16 and 19).
    folded : bool
        Leave out the second batch normalisation of each block, for weights from `folded_weights`.

    Returns
    -------
    keras.Model
        (N, H, W, 1) in [0, 1] to (N, H, W, classes) in [0, 1].
    """
    inputs = keras.Input((None, None, 1), name="slices")
    x = _conv(16, 3, "stem")(inputs)
    for block in blocks(architecture, width, classes, blocks_per_stage):
        x = _residual_block(x, block, folded)
    outputs = layers.Activation("sigmoid" if classes == 1 else "softmax", dtype="float32", name="score")(x)
    return keras.Model(inputs, outputs, name=architecture)


def _residual_block(x: keras.KerasTensor, block: Block, folded: bool) -> keras.KerasTensor:
    name, down = block.name, 1 if block.up else block.stride
    p = layers.BatchNormalization(synchronized=devices.count() > 1, name=f"{name}_bn1")(x)
    p = layers.Activation("relu", name=f"{name}_relu1")(p)
    y = _conv(block.filters, 3, f"{name}_conv1", down, bias=folded)(p)
    if folded:  # ReLU commutes with nearest upsampling and is cheaper before it
        y = _upsample(layers.Activation("relu", name=f"{name}_relu2")(y), block, "up")
    else:
        y = layers.BatchNormalization(synchronized=devices.count() > 1, name=f"{name}_bn2")(_upsample(y, block, "up"))
        y = layers.Activation("relu", name=f"{name}_relu2")(y)
    y = _conv(block.filters, 3, f"{name}_conv2")(y)
    if x.shape[-1] != block.filters:
        x = _upsample(_conv(block.filters, 1, f"{name}_shortcut", down)(p), block, "shortcut_up")
    elif block.up:
        x = _upsample(x, block, "shortcut_up")
    elif block.stride > 1:
        x = layers.AveragePooling2D(block.stride, name=f"{name}_pool")(x)
    return layers.Add(name=f"{name}_sum")([y, x])


def _conv(filters: int, size: int, name: str, stride: int = 1, bias: bool = False) -> layers.Conv2D:
    return layers.Conv2D(
        filters,
        size,
        strides=stride,
        padding="same",
        use_bias=bias,
        kernel_initializer="he_normal",
        name=name,
    )


def _upsample(x: keras.KerasTensor, block: Block, suffix: str) -> keras.KerasTensor:
    return layers.UpSampling2D(block.stride, name=f"{block.name}_{suffix}")(x) if block.up else x


def fold(network: keras.Model) -> keras.Model:
    """The same function with every block's second batch normalisation folded into its first convolution.

    Differs from `network` in inference by float32 rounding only, and is a fifth faster.
    """
    names = {layer.name for layer in network.layers}
    folded = build_wide_resnet(
        network.name,
        width=network.get_layer("enc1_conv1" if "enc1_conv1" in names else "enc1_1_conv1").filters // 16,
        classes=network.output_shape[-1],
        blocks_per_stage=sum(name.startswith("enc1") and name.endswith("conv1") for name in names),
        folded=True,
    )
    for layer in folded.layers:
        weights = network.get_layer(layer.name).get_weights()
        if layer.name.endswith("_conv1"):
            norm = network.get_layer(layer.name.replace("_conv1", "_bn2"))
            weights = _folded_weights(weights[0], norm)
        layer.set_weights(weights)
    return folded


def _folded_weights(kernel: np.ndarray, norm: layers.BatchNormalization) -> list[np.ndarray]:
    gamma, beta, mean, variance = norm.get_weights()
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return [kernel * scale, beta - mean * scale]


def split(network: keras.Model) -> tuple[keras.Model, keras.Model]:
    """The network up to a quarter of the side (most of the work, a small receptive field), and the rest."""
    last = [layer.name for layer in network.layers if layer.name.startswith(f"enc{CUT_STAGE}")][-1]
    features = network.get_layer(last).output
    return keras.Model(network.input, features), keras.Model(features, network.output)


def cut_receptive_field(blocks_per_stage: int = 1) -> tuple[int, int]:
    """(before, after): feature j of `split`'s first part sees input pixels 4j - before .. 4j + after.

    With 'same' padding a stride-2 convolution on an even side sees pixels 2j .. 2j + 2.
    """
    before = after = 0
    for stage in range(CUT_STAGE, 0, -1):
        before, after = before + 2 * blocks_per_stage - 1, after + 2 * blocks_per_stage - 1
        if stage > 1:
            before, after = 2 * before, 2 * after + 2
        else:
            before, after = before + 1, after + 1
    return before + 1, after + 1
