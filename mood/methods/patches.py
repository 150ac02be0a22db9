"""Training images of the method `mix`: pairs of like scans, augmented alike, altered in a few places, sliced."""

from __future__ import annotations

from collections.abc import Generator as Batches
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.random import Generator

from mood.slices import filled_slices, to_slices
from mood.synthesis.augmentation import draw_augmentation
from mood.synthesis.tasks import Task, alter, draw_place

PLACES = (2, 8)  # altered in a scan, upper end excluded
SLICES = 32  # of a scan, each time it is used
SCANS_AT_ONCE = 8  # whose slices are shuffled together
ALIKE = 8  # scans most like a host that its partner is drawn from


def describe(scan: np.ndarray) -> np.ndarray:
    """What tells scanners apart: brightness, contrast and sharpness of the tissue, (3,) float."""
    scan = np.asarray(scan[::2, ::2], np.float32)
    tissue = scan > 0
    values = scan[tissue] if tissue.any() else np.zeros(1, np.float32)
    steps = np.abs(np.diff(scan, axis=2))[tissue[:, :, 1:] & tissue[:, :, :-1]]
    sharpness = steps.mean() / max(float(values.std()), 1e-3) if steps.size else 0.0
    return np.array([values.mean(), values.std(), sharpness])


def most_alike(scans: Sequence[np.ndarray]) -> list[np.ndarray]:
    """For each scan the indices of up to `ALIKE` others that are most like it."""
    described = np.stack([describe(scan) for scan in scans])
    described = (described - described.mean(axis=0)) / np.maximum(described.std(axis=0), 1e-6)
    apart = np.linalg.norm(described[:, None] - described, axis=2)
    np.fill_diagonal(apart, np.inf)
    return list(np.argsort(apart, axis=1)[:, : min(ALIKE, max(1, len(scans) - 1))])


def altered_scan(
    host: np.ndarray, foreign: np.ndarray, tasks: Sequence[type[Task]], rng: Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A scan with a few altered places.

    Parameters
    ----------
    host, foreign : (X, Y, Z) float32 ndarray in [0, 1]
    tasks : sequence of Task types
        Drawn from for each place.

    Returns
    -------
    altered, label : (X, Y, Z) float32 ndarray in [0, 1]
    """
    altered, label = host.copy(), np.zeros_like(host)
    for _ in range(int(rng.integers(*PLACES)) if host.any() else 0):
        kind = tasks[int(rng.integers(len(tasks)))]
        place = draw_place(host, rng, kind.irregular)
        content, share = alter(altered, foreign, place, kind.draw(rng))
        altered[place.box] = content
        label[place.box] = np.maximum(label[place.box], share)
    return altered, label


def neighbourhoods(slices: np.ndarray, chosen: np.ndarray, reach: int) -> np.ndarray:
    """Slices with those around them as channels: (N, H, W) to (len(chosen), H, W, 2 * reach + 1), zeros beyond."""
    padded = np.pad(slices, ((reach, reach), (0, 0), (0, 0)))
    return np.stack([padded[chosen + k] for k in range(2 * reach + 1)], axis=-1)


def training_slices(
    pairs: Iterable[tuple[np.ndarray, np.ndarray]],
    tasks: Sequence[type[Task]],
    axis: int,
    reach: int,
    mirror: bool,
    rng: Generator,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Slices of both scans of each pair: (n, H, W, 2 * reach + 1) float32 with labels (n, H, W, 1)."""
    for pair in pairs:
        augmentation = draw_augmentation(rng, mirror)
        first, second = (augmentation.apply(np.asarray(scan, np.float32)) for scan in pair)
        for host, foreign in ((first, second), (second, first)):
            altered, label = (to_slices(part, axis) for part in altered_scan(host, foreign, tasks, rng))
            filled = filled_slices(altered)
            chosen = rng.permutation(filled)[:SLICES]
            yield neighbourhoods(altered, chosen, reach), label[chosen][..., None]


def shuffled_batches(
    pieces: Iterator[tuple[np.ndarray, np.ndarray]], size: int, rng: Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of `size` slices, shuffled over `SCANS_AT_ONCE` pieces; what fills no batch is carried on."""
    kept: list[tuple[np.ndarray, np.ndarray]] = []
    for count, piece in enumerate(pieces, start=1):
        kept.append(piece)
        if count % SCANS_AT_ONCE == 0:
            kept = yield from _emit(kept, size, rng)
    if kept:
        yield from _emit(kept, size, rng)


def _emit(
    kept: list[tuple[np.ndarray, np.ndarray]], size: int, rng: Generator
) -> Batches[tuple[np.ndarray, np.ndarray], None, list[tuple[np.ndarray, np.ndarray]]]:
    images, labels = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    order = rng.permutation(len(images))
    full = len(order) // size * size or len(order)
    for start in range(0, full, size):
        yield images[order[start : start + size]], labels[order[start : start + size]]
    rest = order[full:]
    return [(images[rest], labels[rest])]
