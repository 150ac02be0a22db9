"""FPI's task on the device: slices of one scan with a square of the same place of another one mixed in.

Tan et al. 2020 (arXiv 2011.04197), section 2, as `mood.synthesis.fpi` has it on arrays, with one difference: the
foreign slice is read where registration says the same place is. It is brought there by whole voxels, along the host's
axes, so that host and foreign tissue are read between voxels in the same way and blur tells nothing of a patch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops
from numpy.random import Generator

from mood import runtime
from mood.synthesis.fpi import draw_patch
from mood.synthesis.places.altered_brains import on_device
from mood.synthesis.places.families import same_place
from mood.synthesis.places.sampling import read
from mood.synthesis.places.store import GREYS, ScanStore

Tensor = Any

CENTRAL = 0.9  # share of the body along the slice axis that slices are drawn from
SAME = 0.5 / GREYS  # intensities closer than this are equal


@dataclass(frozen=True)
class SliceFrame:
    """What a slice is: `shape` pixels out of the middle of `full`, whose side patches are measured in.

    Attributes
    ----------
    pixel_mm : side of a pixel; what lies between pixels is not looked at
    """

    shape: tuple[int, int]
    full: tuple[int, int]
    pixel_mm: float


def draw_slices(
    store: ScanStore, hosts: np.ndarray, frame: SliceFrame, alpha: tuple[float, float], rng: Generator
) -> dict[str, np.ndarray]:
    """Axial slices of these hosts, one each: where they lie in host and foreign scan, the patch and its share.

    Returns
    -------
    dict of (S, ...) arrays
        `host`, `source`; `host_start`, `source_start` (S, 3), the voxel of the first pixel; `step` (S, 2, 3), from
        pixel to pixel; `window` (S, 2, 2) and `alpha` (S,).
    """
    drawn = [_slice(store, int(host), frame, alpha, rng) for host in hosts]
    return {key: np.array([one[key] for one in drawn], drawn[0][key].dtype) for key in drawn[0]}


def _slice(
    store: ScanStore, host: int, frame: SliceFrame, alpha: tuple[float, float], rng: Generator
) -> dict[str, np.ndarray]:
    spacing, middle = store.spacing_mm[host].astype(float), store.middle[host].astype(float)
    half = np.minimum(middle, np.array(store.box) - 1 - middle)
    centre = middle + np.array([0.0, 0.0, rng.uniform(-CENTRAL, CENTRAL) * half[2]])
    step = np.zeros((2, 3))
    step[0, 0], step[1, 1] = frame.pixel_mm / spacing[:2]
    if rng.random() < 0.5:
        step[0, 0] *= -1
    start = centre - (np.array(frame.shape) - 1) / 2 @ step
    source = _alike(store, host, rng)
    offset = np.rint(same_place(store, host, source, centre)["origin"] - centre)
    patch = draw_patch(frame.full, rng, alpha=alpha)
    cut = [(full - own) // 2 for full, own in zip(frame.full, frame.shape, strict=True)]
    window = [[edge - c for edge in edges] for edges, c in zip((patch.rows, patch.columns), cut, strict=True)]
    numbers = {
        "host_start": start, "source_start": start + offset, "step": step,
        "window": np.array(window), "alpha": np.array(patch.alpha),
    }  # fmt: skip
    whole = {"host": np.array(host, np.int32), "source": np.array(source, np.int32)}
    return {key: value.astype(np.float32) for key, value in numbers.items()} | whole


def _alike(store: ScanStore, host: int, rng: Generator) -> int:
    """Another scan, of the same voxel size where there is one: it is read in steps of the host's voxels."""
    others = np.delete(np.arange(len(store)), host) if len(store) > 1 else np.array([host])
    alike = others[np.isclose(store.spacing_mm[others], store.spacing_mm[host], rtol=0.01).all(axis=1)]
    return int(rng.choice(alike if len(alike) else others))


class ForeignSlices:
    """Mixes slices of a store, which stays on the device: (parameters) -> images and labels (S, H, W, 1), tensors."""

    def __init__(self, store: ScanStore, shape: tuple[int, int]) -> None:
        self.box, self.shape = store.box, shape
        self.scans = ops.convert_to_tensor(store.voxels.reshape(-1))
        self._mixed = runtime.compiled(self._images)

    def __call__(self, parameters: dict[str, np.ndarray]) -> tuple[Tensor, Tensor]:
        return self._mixed(self.scans, on_device(parameters))

    def _images(self, scans: Tensor, parameters: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        return mixed_slices(scans, self.box, parameters, self.shape)


def mixed_slices(
    flat: Tensor, box: tuple[int, int, int], slices: dict[str, Tensor], shape: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Slices with their patch mixed in, and the foreign share of each pixel, both (S, H, W, 1) in [0, 1]."""
    host = _plane(flat, box, slices["host"], slices["host_start"], slices["step"], shape)
    foreign = _plane(flat, box, slices["source"], slices["source_start"], slices["step"], shape)
    inside: Tensor = 1.0
    for axis, count in enumerate(shape):
        pixel = np.arange(count, dtype=np.float32).reshape((1, -1, 1) if axis == 0 else (1, 1, -1))
        low, high = (ops.reshape(slices["window"][:, axis, i], (-1, 1, 1)) for i in range(2))
        inside = inside * ops.cast(ops.logical_and(pixel >= low, pixel < high), "float32")
    share = inside * (1.0 - ops.reshape(slices["alpha"], (-1, 1, 1)))
    differs = ops.cast(ops.abs(foreign - host) > SAME, "float32")
    mixed = host + share * (foreign - host)
    return ops.expand_dims(mixed, -1), ops.expand_dims(share * differs, -1)


def _plane(flat: Tensor, box: tuple, scan: Tensor, start: Tensor, step: Tensor, shape: tuple[int, int]) -> Tensor:
    rows = np.arange(shape[0], dtype=np.float32).reshape(1, -1, 1)
    columns = np.arange(shape[1], dtype=np.float32).reshape(1, 1, -1)
    x, y, z = (_flat(start[:, i]) + rows * _flat(step[:, 0, i]) + columns * _flat(step[:, 1, i]) for i in range(3))
    return read(flat, box, _flat(scan), (x, y, z)) / GREYS


def _flat(values: Tensor) -> Tensor:
    return ops.reshape(values, (-1, 1, 1))
