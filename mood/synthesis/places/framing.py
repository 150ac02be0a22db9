"""Altered brains brought to the network's grid, seen from a little elsewhere and by another scanner."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops
from numpy.random import Generator
from scipy.spatial.transform import Rotation

from mood.synthesis.places.altering import TISSUE
from mood.synthesis.places.sampling import blur_matrices, flat_index, read, smooth
from mood.synthesis.places.store import ScanStore

Tensor = Any

DEGREES = 10.0  # largest tilt
GROWTH = 0.12  # largest relative change of size
SHIFT_MM = 8.0
STRAIGHT = 0.4  # share of brains that are only resampled, as at prediction
FACTOR = 2  # fine voxels along each side of one of the network's


def draw_views(store: ScanStore, hosts: np.ndarray, grid_mm: float, rng: Generator) -> dict[str, np.ndarray]:
    """How each host is seen: from grid millimetres about the middle to its voxels, and its intensities."""
    drawn = [_view(store.spacing_mm[h].astype(float), store.middle[h].astype(float), grid_mm, rng) for h in hosts]
    return {key: np.array([view[key] for view in drawn], drawn[0][key].dtype) for key in drawn[0]}


def _view(spacing_mm: np.ndarray, middle: np.ndarray, grid_mm: float, rng: Generator) -> dict[str, np.ndarray]:
    turn, shift = np.eye(3), np.zeros(3)
    if rng.random() >= STRAIGHT:
        turn = Rotation.from_euler("xyz", rng.uniform(-DEGREES, DEGREES, 3), degrees=True).as_matrix()
        turn = turn * (1.0 + rng.uniform(-GROWTH, GROWTH)) * (1.0 + rng.uniform(-0.04, 0.04, 3))
        shift = rng.uniform(-SHIFT_MM, SHIFT_MM, 3)
    if rng.random() < 0.5:
        turn = turn @ np.diag([-1.0, 1.0, 1.0])
    changed = float(rng.random() < 0.7)
    values = {
        "turn": np.diag(1.0 / spacing_mm) @ turn * grid_mm,
        "start": middle + shift / spacing_mm,
        "gamma": np.exp(changed * rng.normal(0.0, 0.12)),
        "gain": np.exp(changed * rng.normal(0.0, 0.05)),
        "bias": changed * rng.normal(0.0, 0.05, 9),
        "noise": changed * max(0.0, rng.normal(0.0, 0.015)),
        "blur": 0.0 if rng.random() < 0.7 else rng.uniform(0.3, 0.7),
    }
    fields = {key: np.asarray(value, np.float32) for key, value in values.items()}
    return fields | {"noise_from": rng.integers(0, 2**20, 3).astype(np.int32)}


def framed(
    scans: Tensor, labels: Tensor, box: tuple[int, int, int], bank: Tensor, views: dict, shape: tuple[int, int, int]
) -> tuple[Tensor, Tensor]:
    """Scans on the fine grid and labels on the coarse one, a voxel of which is the mean of the eight it holds.

    Parameters
    ----------
    scans, labels : (B * X * Y * Z,) float32 tensors in [0, 1]
        As `altered` gives them.
    views : dict of (B, ...) tensors
        As `draw_views` gives them.
    shape : of the fine grid, even numbers

    Returns
    -------
    (B, *shape) float32 tensor and (B, *shape / 2, 1) float32 tensor, in [0, 1]
    """
    brains = views["start"].shape[0]
    at = _points(views, shape)
    volume = ops.reshape(ops.arange(brains, dtype="int32"), (-1, 1, 1, 1))
    image = read(scans, box, volume, at)
    index = flat_index([ops.cast(ops.round(x), "int32") for x in at], box, volume)
    label = coarse(ops.take(labels, index))
    return seen_otherwise(image, bank, views), ops.expand_dims(label, -1)


def _points(views: dict, shape: tuple[int, int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Where each voxel of the fine grid lies in its host, in voxels: three (B, *shape) tensors."""
    grid = [_along(n, axis) - (n - 1) / 2 for axis, n in enumerate(shape)]
    x, y, z = (
        sum(_wide(views["turn"][:, i, j]) * grid[j] for j in range(3)) + _wide(views["start"][:, i]) for i in range(3)
    )
    return x, y, z


def _wide(values: Tensor) -> Tensor:
    return ops.reshape(values, (-1, 1, 1, 1))


def coarse(fine: Tensor) -> Tensor:
    """(B, X, Y, Z) to the means of 2 x 2 x 2 voxels."""
    return ops.mean(space_to_depth(fine), axis=-1)


def space_to_depth(fine: Tensor) -> Tensor:
    """(B, X, Y, Z) to (B, X / 2, Y / 2, Z / 2, 8): nothing is lost, only the grid is coarser."""
    x, y, z = (n // FACTOR for n in fine.shape[1:])
    blocks = ops.reshape(fine, (-1, x, FACTOR, y, FACTOR, z, FACTOR))
    return ops.reshape(ops.transpose(blocks, (0, 1, 3, 5, 2, 4, 6)), (-1, x, y, z, FACTOR**3))


def seen_otherwise(image: Tensor, bank: Tensor, views: dict) -> Tensor:
    """Intensities as another scanner might give them: blurred, of another contrast, shaded and noisy; air stays 0."""
    tissue = ops.cast(image > TISSUE, "float32")
    x, y, z = (blur_matrices(views["blur"], n) for n in image.shape[1:])
    image = smooth(image, (x, y, z))
    image = _wide(views["gain"]) * ops.power(ops.maximum(image, 1e-4), _wide(views["gamma"]))
    image = image * ops.exp(_shading(views["bias"], image.shape[1:]))
    image = image + _wide(views["noise"]) * _noise(bank, views["noise_from"], image.shape[1:])
    return ops.clip(image, 0.0, 1.0) * tissue


def _shading(bias: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A polynomial of second degree over the grid, its nine coefficients a brain."""
    x, y, z = (2.0 * _along(n, axis) / max(n - 1, 1) - 1.0 for axis, n in enumerate(shape))
    terms = (x, y, z, x * x, y * y, z * z, x * y, y * z, x * z)
    return sum(_wide(bias[:, k]) * term for k, term in enumerate(terms))


def _noise(bank: Tensor, start: Tensor, shape: tuple[int, ...]) -> Tensor:
    size = bank.shape[0]
    x, y, z = (ops.mod(_wide(start[:, i]) + ops.cast(_along(n, i), "int32"), size) for i, n in enumerate(shape))
    return ops.cast(ops.take(ops.reshape(bank, (-1,)), (x * size + y) * size + z), "float32")


def _along(count: int, axis: int) -> np.ndarray:
    """0, 1, ... along one axis of (B, X, Y, Z): small, so that nothing of the size of a brain is compiled in."""
    return np.arange(count, dtype=np.float32).reshape([1] + [-1 if i == axis else 1 for i in range(3)])
