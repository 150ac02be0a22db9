"""LinkNet in three dimensions: two trained ones that find a head's brain and cut it out.

Chaurasia and Culurciello 2017 (arXiv 1707.03718), with instance normalisation instead of batch normalisation. The
arrays are those of deepbet 1.0.2 (Fisch et al., Computers in Biology and Medicine 179, 2024; MIT, its licence lies
beside them), kernels as float16 (`scripts/convert_strip.py`). The networks are never trained here.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import layers

from mood.errors import WeightsError

ARRAYS = Path(__file__).parent / "pretrained" / "deepbet.weights.h5"
SHA256 = "1c470187cbb2b37b238e4b59c6d830c3491af4267d1af4ea88dca802fd26be25"
NETWORKS = ("box", "mask")  # which part of a scan holds the brain, and what of that is brain
WIDTH, LEVELS = 16, 4
SIDE_MULTIPLE = 32


def build_linknet3d() -> keras.Model:
    """(N, X, Y, Z, 1) -> (N, X, Y, Z, 2), shares of background and brain; X, Y and Z multiples of 32; untrained."""
    inputs = keras.Input((None, None, None, 1), name="scan")
    x = _unit(inputs, WIDTH, "init", kernel=7, stride=2)
    x = layers.MaxPooling3D(3, 2, name="init_pool")(layers.ZeroPadding3D(1, name="init_pool_pad")(x))
    skips = [x]
    for level in range(LEVELS):
        x = _block(x, WIDTH * 2**level, f"down{level}_block1", stride=2 if level else 1)
        x = _block(x, WIDTH * 2**level, f"down{level}_block2")
        skips.append(x)
    for number, level in enumerate(reversed(range(LEVELS))):
        before = skips[level]
        x = _up(x, before.shape[-1], f"up{number}", stride=2 if level else 1)
        x = layers.Add(name=f"up{number}_add")([x, before])
    x = _transposed(x, 8, "out_transposed", bias=True)
    x = _unit(x, 8, "out", bias=True)
    return keras.Model(
        inputs, layers.Conv3DTranspose(2, 2, 2, activation="softmax", name="shares")(x), name="linknet3d"
    )


def _unit(
    x: keras.KerasTensor,
    filters: int,
    name: str,
    *,
    kernel: int = 3,
    stride: int = 1,
    relu: bool = True,
    bias: bool = False,
) -> keras.KerasTensor:
    """Convolution, normalisation, rectifier; padded alike on either side, which 'same' does not do with a stride."""
    if kernel > 1 and stride > 1:
        x = layers.ZeroPadding3D(kernel // 2, name=f"{name}_pad")(x)
    padding = "same" if stride == 1 else "valid"
    x = layers.Conv3D(filters, kernel, stride, padding, use_bias=bias, name=name)(x)
    x = _normalised(x, name)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _normalised(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.GroupNormalization(-1, epsilon=1e-5, center=False, scale=False, name=f"{name}_norm")(x)


def _block(inputs: keras.KerasTensor, filters: int, name: str, stride: int = 1) -> keras.KerasTensor:
    x = _unit(inputs, filters, f"{name}_conv1", stride=stride)
    x = _unit(x, filters, f"{name}_conv2", relu=False)
    if stride > 1:
        inputs = _unit(inputs, filters, f"{name}_shortcut", kernel=1, stride=stride, relu=False)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, inputs]))


def _up(x: keras.KerasTensor, filters: int, name: str, stride: int) -> keras.KerasTensor:
    narrow = x.shape[-1] // 4
    x = _unit(x, narrow, f"{name}_conv1", kernel=1)
    x = _transposed(x, narrow, f"{name}_transposed", stride=stride)
    return _unit(x, filters, f"{name}_conv2", kernel=1)


def _transposed(
    x: keras.KerasTensor, filters: int, name: str, stride: int = 2, bias: bool = False
) -> keras.KerasTensor:
    """`stride` times as many voxels along each axis; what is beyond them on either side is cut off."""
    x = layers.Conv3DTranspose(filters, 3, stride, use_bias=bias, name=name)(x)
    x = layers.Cropping3D(((1, 2 - stride),) * 3, name=f"{name}_crop")(x)
    x = _normalised(x, name)
    return layers.ReLU(name=f"{name}_relu")(x)


def pretrained_linknet3d(name: str, arrays: Path = ARRAYS) -> keras.Model:
    """One of `NETWORKS` with the weights of this package; `WeightsError` when they are not what they were."""
    fix = "Install mood again"
    if not arrays.is_file():
        raise WeightsError("the file of the skull-stripping networks is missing", where=arrays, fix=fix)
    if hashlib.sha256(arrays.read_bytes()).hexdigest() != SHA256:
        what = "the file of the skull-stripping networks is damaged: its SHA-256 differs"
        raise WeightsError(what, where=arrays, fix=fix)
    network = build_linknet3d()
    with h5py.File(arrays, "r") as file:
        for layer in file[name]:
            group = file[name][layer]
            kept = [group[part][()].astype(np.float32) for part in ("kernel", "bias") if part in group]
            network.get_layer(layer).set_weights(kept)
    return network
