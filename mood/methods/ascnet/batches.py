"""What ASC-Net is shown: healthy slices, and slices that may hold anything, drawn from scans at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mood.methods.ascnet.intruders import with_intruders
from mood.methods.slices import filled_slices, to_slices
from mood.networks.ascnet import SIDE_MULTIPLE

SCANS_PER_BATCH = 4  # reading one slice of a large scan costs as much as reading all of them


class ScanSlices:
    """Filled slices of scans on one grid, padded to what the network takes.

    Parameters
    ----------
    scans : sequence of (X, Y, Z) float ndarray in [0, 1]
        May live on disk.
    slice_axis : int
    side : (int, int)
        Height and width of what is drawn; larger slices are cut around their centre.
    """

    def __init__(self, scans: Sequence[np.ndarray], slice_axis: int, side: tuple[int, int]) -> None:
        self.scans, self.slice_axis, self.side = scans, slice_axis, side

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """(count, H, W, 1) float32 in [0, 1], with repetition."""
        chosen = rng.integers(len(self.scans), size=min(count, SCANS_PER_BATCH))
        shares = [count // len(chosen) + (i < count % len(chosen)) for i in range(len(chosen))]
        pieces = [self._draw_from(self.scans[i], share, rng) for i, share in zip(chosen, shares, strict=True)]
        return np.concatenate(pieces)[..., None]

    def _draw_from(self, scan: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
        slices = to_slices(np.asarray(scan), self.slice_axis)
        filled = filled_slices(slices)
        if not filled.size:
            return np.zeros((count, *self.side), np.float32)
        return fit_side(slices[rng.choice(filled, count)].astype(np.float32), self.side)


class InputSlices:
    """Healthy slices with intruders, half of them replaced by unlabelled slices where there are some."""

    def __init__(self, healthy: ScanSlices, unlabelled: ScanSlices | None = None) -> None:
        self.healthy, self.unlabelled = healthy, unlabelled

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """(count, H, W, 1) float32 in [0, 1], with repetition."""
        others = count // 2 if self.unlabelled is not None else 0
        planted, _ = with_intruders(self.healthy.draw(count - others, rng)[..., 0], rng)
        pieces = [planted[..., None]]
        if self.unlabelled is not None and others:
            pieces.append(self.unlabelled.draw(others, rng))
        return np.concatenate(pieces)


def hold_out(scans: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Scans to train on, and every eighth for the histogram; both hold all where there are fewer than four."""
    if len(scans) < 4:
        return list(scans), list(scans)
    kept = [scan for i, scan in enumerate(scans) if i % 8 != 3]
    return kept, [scan for i, scan in enumerate(scans) if i % 8 == 3]


def common_side(scans: Sequence[np.ndarray], slice_axis: int) -> tuple[int, int]:
    """Height and width, multiples of 16, that the slices of most scans fit."""
    sides = [scan.shape[:slice_axis] + scan.shape[slice_axis + 1 :] for scan in scans]
    height, width = (int(np.median([side[k] for side in sides])) for k in range(2))
    return -(-height // SIDE_MULTIPLE) * SIDE_MULTIPLE, -(-width // SIDE_MULTIPLE) * SIDE_MULTIPLE


def fit_side(slices: np.ndarray, side: tuple[int, int]) -> np.ndarray:
    """Slices cut around the centre and padded with zeros to `side`: (N, H, W) to (N, *side)."""
    start = [max(0, (have - want) // 2) for have, want in zip(slices.shape[1:], side, strict=True)]
    cut = slices[:, start[0] : start[0] + side[0], start[1] : start[1] + side[1]]
    missing = [want - have for want, have in zip(side, cut.shape[1:], strict=True)]
    return np.pad(cut, ((0, 0), (0, missing[0]), (0, missing[1]))) if any(missing) else cut
