"""Places carried out: hosts and parameters in, altered scans and labels of what can be seen out."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from mood.synthesis.places.parameters import KNOTS
from mood.synthesis.places.sampling import blur_matrices, flat_index, read, smooth, unit_noise
from mood.synthesis.places.store import GREYS

Tensor = Any

SEEN_MM = 2.0  # standard deviation of the smoothing under which a change is looked at
SEEN = 0.03  # smoothed change in [0, 1] that is seen two times in five
FAINT, CLEAR = 0.1, 0.5  # visibility from which a place counts as altered at all, and fully
TRACE = (0.1, 0.4)  # smoothed change in units of `SEEN` to which a place that is seen reaches
TISSUE = 0.02  # intensity above which a voxel is tissue
REACH = 1.25  # radii within which even a ragged place ends


def altered(
    flat: Tensor, box: tuple[int, int, int], bank: Tensor, host: Tensor, spacing_mm: Tensor, places: dict, side: int
) -> tuple[Tensor, Tensor]:
    """Hosts with all their places altered, and where a change can be seen.

    Changes of places that meet are added. The label is what a reader would outline: a place of which anything can be
    seen is labelled as a whole, out to where its change ends, also where new and old happen to be alike; one of which
    nothing can be seen is not labelled; one that acts on a class of tissue is labelled only where it is seen.

    Parameters
    ----------
    flat : (N * X * Y * Z,) uint8 tensor
        The voxels of a `ScanStore`, one after the other.
    box : (X, Y, Z)
    bank : (M, M, M) float tensor
        White noise that places read pieces of.
    host : (B,) int32 tensor
        Which scans.
    spacing_mm : (B, 3) float32 tensor
    places : dict of (B, P, ...) tensors
        As `stacked_places` gives them.
    side : int
        Voxels of the cubes in which places are worked out.

    Returns
    -------
    scans, labels : (B * X * Y * Z,) float32 tensors in [0, 1]
    """
    brains, count = places["strength"].shape[:2]
    each = {key: ops.reshape(value, (-1, *value.shape[2:])) for key, value in places.items()}
    spacing = ops.repeat(spacing_mm, count, axis=0)
    hosts = ops.repeat(host, count, axis=0)
    voxels = _cube(each["centre"], side)
    old = ops.cast(ops.take(flat, flat_index(voxels, box, _wide(hosts))), "float32") / GREYS
    mm = tuple(
        ops.cast(v - _wide(each["centre"][:, i]), "float32") * _wide(spacing[:, i]) for i, v in enumerate(voxels)
    )
    grains = _pieces(bank, each["noise_start"], side)
    distance, ragged = _distances(each, mm, grains[0], spacing, side)
    content = _content(flat, box, each, mm, distance, ragged, grains[1], spacing, side)
    mask = _rise((1.0 - ragged) / _wide(each["rim"]))
    within = _inside(voxels, box)
    new = ops.clip(old + _wide(each["strength"]) * mask * within * (content - old), 0.0, 1.0)
    label = _label(each, new - old, ops.maximum(old, new), ragged, spacing, side) * within
    start = ops.reshape(ops.repeat(ops.arange(brains, dtype="int32"), count, axis=0), (-1, 1, 1, 1))
    index = ops.reshape(flat_index(voxels, box, start), (-1,))
    volume = int(np.prod(box))
    rows = ops.expand_dims(host * volume, 1) + ops.arange(volume, dtype="int32")
    scans = ops.cast(ops.take(flat, ops.reshape(rows, (-1,))), "float32") / GREYS
    scans = scans + ops.segment_sum(ops.reshape(new - old, (-1,)), index, brains * volume)
    labels = ops.segment_sum(ops.reshape(label, (-1,)), index, brains * volume)
    return ops.clip(scans, 0.0, 1.0), ops.minimum(labels, 1.0)


def _wide(values: Tensor) -> Tensor:
    """(Q,) to (Q, 1, 1, 1)."""
    return ops.reshape(values, (-1, 1, 1, 1))


def _cube(centre: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Voxel indices of cubes around centres (Q, 3): three int32 tensors (Q, side, side, side)."""
    steps = np.arange(side, dtype=np.int32) - side // 2
    x, y, z = (
        ops.broadcast_to(_wide(centre[:, i]) + steps.reshape(along), (centre.shape[0], side, side, side))
        for i, along in enumerate(((1, -1, 1, 1), (1, 1, -1, 1), (1, 1, 1, -1)))
    )
    return x, y, z


def _inside(voxels: tuple[Tensor, ...], box: tuple[int, int, int]) -> Tensor:
    """1 where a voxel lies in its box: what was brought to the border must not be altered there."""
    kept: Tensor = 1.0
    for v, n in zip(voxels, box, strict=True):
        kept = kept * ops.cast(ops.logical_and(v >= 0, v < n), "float32")
    return kept


def _turned(matrix: Tensor, vector: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """(Q, 3, 3) matrices times vectors given as three (Q, ...) tensors."""
    x, y, z = (sum(_wide(matrix[:, i, j]) * vector[j] for j in range(3)) for i in range(3))
    return x, y, z


def _pieces(bank: Tensor, start: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Two cubes of noise a place, read from the bank with its end joined to its beginning."""
    size = bank.shape[0]
    flat = ops.reshape(bank, (-1,))
    pieces = []
    for first in (0, 3):
        voxels = [ops.mod(v, size) for v in _cube(start[:, first : first + 3], side)]
        index = (voxels[0] * size + voxels[1]) * size + voxels[2]
        pieces.append(ops.cast(ops.take(flat, index), "float32"))
    return pieces[0], pieces[1]


def _matrices(sigma_mm: Tensor, spacing: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor]:
    x, y, z = (blur_matrices(sigma_mm / spacing[:, i], side) for i in range(3))
    return x, y, z


def _distances(each: dict, mm: tuple, noise: Tensor, spacing: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Distance from the centre in radii, and the same with a ragged surface."""
    unit = [ops.abs(u) for u in _turned(each["to_unit"], mm)]
    largest = ops.maximum(ops.maximum(ops.maximum(unit[0], unit[1]), unit[2]), 1e-6)
    power = _wide(each["roundness"])
    total = sum(ops.power(ops.maximum(u / largest, 1e-6), power) for u in unit)
    distance = largest * ops.power(total, 1.0 / power)
    grain = unit_noise(noise, _matrices(each["grain_mm"], spacing, side))
    ragged = distance + _wide(each["raggedness"]) * grain
    return distance, ops.maximum(ragged, (distance - 1.0) / (REACH - 1.0))


def _rise(x: Tensor) -> Tensor:
    """0 up to 0, 1 from 1 on, smooth between."""
    x = ops.clip(x, 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def _content(
    flat: Tensor, box: tuple, each: dict, mm: tuple, distance: Tensor, ragged: Tensor, noise: Tensor,
    spacing: Tensor, side: int,
) -> Tensor:  # fmt: skip
    fading = ops.square(1.0 - ops.power(ops.clip(distance, 1e-6, 1.0), _wide(each["fade"])))
    moved = _turned(each["displace"], mm)
    seen = [m + fading * (d + _wide(each["push_mm"][:, i])) for i, (m, d) in enumerate(zip(mm, moved, strict=True))]
    x, y, z = (v + _wide(each["origin"][:, i]) for i, v in enumerate(_turned(each["frame"], tuple(seen))))
    source = read(flat, box, _wide(each["source"]), (x, y, z)) / GREYS
    content = _wide(each["gain"]) * source
    of_class = ops.exp(-0.5 * ops.square((source - _wide(each["tissue"])) / _wide(each["tissue_width"])))
    towards = _wide(each["offset"]) + _wide(each["pull"]) * (_wide(each["level"]) - content)
    content = content + _profile(each["profile"], ragged) * of_class * towards
    grain = unit_noise(noise, _matrices(each["noise_mm"], spacing, side))
    content = content + _wide(each["noise"]) * grain
    blurred = smooth(content, _matrices(each["blur_mm"], spacing, side))
    content = content + _wide(each["blur"]) * (blurred - content)
    return ops.where(source > TISSUE, content, source)  # air stays air, also where the source brings it


def _profile(knots: Tensor, distance: Tensor) -> Tensor:
    """A curve through `knots` (Q, KNOTS) from the centre to the surface."""
    place = ops.clip(distance, 0.0, 1.0) * (KNOTS - 1)
    return sum(_wide(knots[:, k]) * ops.maximum(1.0 - ops.abs(place - k), 0.0) for k in range(KNOTS))


def _label(each: dict, change: Tensor, tissue: Tensor, ragged: Tensor, spacing: Tensor, side: int) -> Tensor:
    size = smooth(ops.abs(change), _matrices(ops.full_like(each["strength"], SEEN_MM), spacing, side)) / SEEN
    where = ops.cast(ops.logical_and(tissue > TISSUE, ragged < 1.0), "float32")
    closed = _wide(ops.cast(each["tissue_width"] > 1.0, "float32"))
    return where * (closed * _filled(size, where, ragged) + (1.0 - closed) * _ramp(_seen(size), FAINT, CLEAR))


def _seen(size: Tensor) -> Tensor:
    """How likely a change of this size is seen."""
    return 1.0 - ops.exp(-0.5 * ops.square(size))


def _ramp(x: Tensor, low: float, high: float) -> Tensor:
    return ops.clip((x - low) / (high - low), 0.0, 1.0)


def _filled(size: Tensor, where: Tensor, ragged: Tensor) -> Tensor:
    """The label of a closed place: out to the last shell about its centre that has changed, if any of it is seen."""
    place = ops.clip(ragged, 0.0, 1.0) * (KNOTS - 1)
    shells = [where * ops.maximum(1.0 - ops.abs(place - k), 0.0) for k in range(KNOTS)]
    outer: Tensor = 0.0
    curve = []
    for shell in reversed(shells):
        mean = ops.sum(shell * size, axis=(1, 2, 3)) / (ops.sum(shell, axis=(1, 2, 3)) + 1.0)
        outer = ops.maximum(outer, mean)
        curve.append(outer)
    clear = _wide(_ramp(_seen(outer), FAINT, CLEAR))
    return clear * _ramp(_profile(ops.stack(curve[::-1], axis=1), ragged), *TRACE)
