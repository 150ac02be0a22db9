"""Linear resampling axis by axis; coarsening averages, and voxels that fit are only moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SAME_SPACING = 1e-3  # relative difference under which two voxel sizes are one


@dataclass(frozen=True)
class Resampling:
    """One axis resampled: output voxel j is the sum over k of `weights[k, j]` times input `source[k, j]`."""

    source: np.ndarray
    weights: np.ndarray

    @property
    def size(self) -> int:
        return self.weights.shape[1]


def axis_resampling(size_out: int, size_in: int, start: float, step: float) -> Resampling:
    """Linear resampling of one axis; coarsening averages over the coarser voxel.

    Output voxel j lies at input coordinate `start + j * step`. Weights form a triangle as wide as the
    larger of the two voxels. Positions outside the input give 0.
    """
    position = start + step * np.arange(size_out)
    reach = max(1.0, abs(step))
    source = np.ceil(position - reach).astype(int) + np.arange(int(np.ceil(2 * reach)) + 1)[:, None]
    weights = np.maximum(0.0, 1.0 - np.abs(source - position) / reach)
    weights[(source < 0) | (source >= size_in)] = 0
    weights[:, (position < -0.5 - 1e-6) | (position > size_in - 0.5 + 1e-6)] = 0
    weights /= np.maximum(weights.sum(axis=0), 1e-12)
    used = weights.any(axis=1)
    return Resampling(np.clip(source, 0, size_in - 1)[used], weights[used].astype(np.float32))


def centred_resampling(size_out: int, size_in: int, step: float, centre: float | None = None) -> Resampling:
    """Linear resampling of one axis about `centre`, its middle when not given; voxels that fit are only moved."""
    step = 1.0 if abs(step - 1.0) < SAME_SPACING else step
    start = ((size_in - 1) / 2 if centre is None else centre) - step * (size_out - 1) / 2
    return axis_resampling(size_out, size_in, float(np.round(start)) if step == 1.0 else start, step)


def apply_along_axes(data: np.ndarray, resamplings: tuple[Resampling | None, ...]) -> np.ndarray:
    """Resample each axis of a 3-D float32 array; `None` leaves an axis alone.

    Axes that shrink most go first, so that the later ones have less to do.
    """
    todo = [(axis, plan) for axis, plan in enumerate(resamplings) if plan is not None]
    for axis, plan in sorted(todo, key=lambda item: item[1].size / data.shape[item[0]]):
        data = _apply(data, plan, axis)
    return data


def _apply(data: np.ndarray, plan: Resampling, axis: int) -> np.ndarray:
    if data.flags.f_contiguous and not data.flags.c_contiguous:
        return _apply(data.T, plan, 2 - axis).T  # NIfTI arrays come this way
    shape = tuple(plan.size if i == axis else n for i, n in enumerate(data.shape))
    out = np.zeros(shape, np.float32)
    along = tuple(-1 if i == axis else 1 for i in range(3))
    other = 1 if axis == 0 else 0
    for k in range(data.shape[other]):  # by slices, for no second copy of a large scan
        piece = (slice(None), slice(k, k + 1)) if other else (slice(k, k + 1),)
        for source, weights in zip(plan.source, plan.weights, strict=True):
            out[piece] += np.take(data[piece], source, axis) * weights.reshape(along)
    return out
