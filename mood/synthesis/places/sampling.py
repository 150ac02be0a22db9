"""Reading volumes between their voxels and smoothing boxes, in operations of whatever backend Keras runs on."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from keras import ops

Tensor = Any


def flat_index(voxels: Tensor, box: tuple[int, int, int], volume: Tensor) -> Tensor:
    """Index into volumes that lie one after the other; what is outside a box is brought to its border.

    Parameters
    ----------
    voxels : three (...) int tensors
    volume : (...) int tensor, which volume each voxel is of
    """
    x, y, z = (ops.clip(v, 0, n - 1) for v, n in zip(voxels, box, strict=True))
    return ((volume * box[0] + x) * box[1] + y) * box[2] + z


def read(flat: Tensor, box: tuple[int, int, int], volume: Tensor, at: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Volumes at any points, linear between voxels, float32 of the shape of the points.

    Parameters
    ----------
    flat : (N * X * Y * Z,) tensor
    box : (X, Y, Z)
    volume : (...) int32 tensor
    at : three (...) float tensors, in voxels
    """
    lower = [ops.floor(x) for x in at]
    share = [x - low for x, low in zip(at, lower, strict=True)]
    first = [ops.cast(low, "int32") for low in lower]
    total: Tensor = 0.0
    for corner in itertools.product((0, 1), repeat=3):
        weight = 1.0
        for step, part in zip(corner, share, strict=True):
            weight = weight * (part if step else 1.0 - part)
        index = flat_index([f + step for f, step in zip(first, corner, strict=True)], box, volume)
        total = total + weight * ops.cast(ops.take(flat, index), "float32")
    return total


def nearest(flat: Tensor, box: tuple[int, int, int], volume: Tensor, at: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Volumes at the voxels nearest to any points."""
    return ops.take(flat, flat_index([ops.cast(ops.round(x), "int32") for x in at], box, volume))


def blur_matrices(sigma: Tensor, side: int) -> Tensor:
    """Gaussian smoothing along one axis of `side` voxels as matrices whose rows sum to 1.

    Parameters
    ----------
    sigma : (Q,) tensor, voxels; 0 smooths nothing

    Returns
    -------
    (Q, side, side) tensor
    """
    positions = np.arange(side, dtype=np.float32)
    squared = (positions[:, None] - positions[None]) ** 2
    exponent = -0.5 * squared[None] / ops.square(ops.maximum(sigma, 1e-2))[:, None, None]
    weights = ops.exp(exponent)
    return weights / ops.sum(weights, axis=-1, keepdims=True)


def smooth(boxes: Tensor, matrices: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """(Q, X, Y, Z) boxes, each by its own three matrices of `blur_matrices`."""
    x, y, z = matrices
    boxes = ops.einsum("qij,qjkl->qikl", x, boxes)
    boxes = ops.einsum("qij,qkjl->qkil", y, boxes)
    return ops.einsum("qij,qklj->qkli", z, boxes)


def unit_noise(noise: Tensor, matrices: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """White noise (Q, X, Y, Z) smoothed and brought back to a standard deviation of 1."""
    power = 1.0
    for matrix in matrices:
        power = power * ops.sum(ops.square(matrix[:, matrix.shape[1] // 2]), axis=-1)
    return smooth(noise, matrices) / ops.sqrt(power)[:, None, None, None]
