"""Training images of the method `mix`: native scans altered in a few places, resampled, augmented and sliced."""

from __future__ import annotations

from collections.abc import Generator as Batches
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from mood.intensities import standardised
from mood.methods.mix.prefetch import mapped
from mood.methods.slices import filled_slices, fit_shape, to_slices
from mood.regions import Region
from mood.synthesis.augmentation import draw_augmentation
from mood.synthesis.labelled_scan import LabelledScan
from mood.synthesis.native import NativeScan
from mood.synthesis.tasks import Task, alter, draw_place

PLACES = (2, 8)  # altered in a scan, upper end excluded
SLICES = 32  # of a scan, each time it is used
SCANS_AT_ONCE = 8  # whose slices are shuffled together
VIEWS = ("plain", "standardised", "mirrored")  # as it is; MR standardised; that mirrored left to right
ALIKE = 8  # scans most like a host that its partner is drawn from
DESCRIBED_STEP = 2  # voxels, in plane
SPACING_WEIGHT = 20.0  # voxels that differ by a twentieth are as unlike as scans a standard deviation apart


@dataclass(frozen=True)
class Frame:
    """How a network sees a scan.

    Attributes
    ----------
    region : Region
    shape : three ints
        Voxels around the middle of the content.
    spacing_mm : three floats
    axis : int
        Sliced along.
    context : int
        Neighbouring slices on either side.
    views : tuple of str
        What it sees of each slice, from `VIEWS`, beside one another.
    """

    region: Region
    shape: tuple[int, ...]
    spacing_mm: tuple[float, float, float]
    axis: int
    context: int
    views: tuple[str, ...]

    @property
    def channels(self) -> int:
        """Of the images."""
        return (2 * self.context + 1) * len(self.views)

    def see(self, scan: np.ndarray) -> np.ndarray:
        """What the network may see of a scan: (X, Y, Z) float32 to slices (views, N, H, W)."""
        standard = standardised(scan, self.region)
        of = {"plain": scan, "standardised": standard, "mirrored": standard[::-1]}
        return np.stack([to_slices(of[name], self.axis) for name in self.views])

    def images(self, views: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Slices with their neighbours as channels, view by view.

        Parameters
        ----------
        views : (views, N, H, W) float32 ndarray
        chosen : (n,) int ndarray
            Indices among the N.

        Returns
        -------
        (n, H, W, channels) float32 ndarray, zeros beyond the ends
        """
        padded = np.pad(views, ((0, 0), (self.context, self.context), (0, 0), (0, 0)))
        return np.stack([slices[chosen + k] for slices in padded for k in range(2 * self.context + 1)], axis=-1)


def describe(scan: NativeScan) -> np.ndarray:
    """What tells scanners apart: brightness, contrast and sharpness of the tissue, and the voxels, (6,) float."""
    data = scan.data[::DESCRIBED_STEP, ::DESCRIBED_STEP]
    tissue = data > 0
    values = data[tissue] if tissue.any() else np.zeros(1, np.float32)
    steps = np.abs(np.diff(data, axis=2))[tissue[:, :, 1:] & tissue[:, :, :-1]]
    sharpness = steps.mean() / max(float(values.std()), 1e-3) if steps.size else 0.0
    return np.array([values.mean(), values.std(), sharpness, *np.log(scan.spacing_mm)])


def most_alike(scans: Sequence[NativeScan]) -> list[np.ndarray]:
    """For each scan the indices of up to `ALIKE` others that are most like it."""
    described = np.stack([describe(scan) for scan in scans])
    spread = np.maximum(described.std(axis=0), 1e-6)
    spread[3:] = 1 / SPACING_WEIGHT
    described = (described - described.mean(axis=0)) / spread
    apart = np.linalg.norm(described[:, None] - described, axis=2)
    np.fill_diagonal(apart, np.inf)
    return list(np.argsort(apart, axis=1)[:, : min(ALIKE, max(1, len(scans) - 1))])


def altered_scan(host: NativeScan, foreign: np.ndarray, tasks: Sequence[type[Task]], rng: Generator) -> LabelledScan:
    """A scan with a few altered places, and its label.

    Parameters
    ----------
    host : NativeScan
    foreign : (X, Y, Z) float32 ndarray in [0, 1]
        Another scan, of the host's shape.
    tasks : sequence of Task types
        Drawn from for each place.
    """
    labelled = LabelledScan.unaltered(host)
    data = labelled.scan.data
    for _ in range(int(rng.integers(*PLACES)) if data.any() else 0):
        kind = tasks[int(rng.integers(len(tasks)))]
        place = draw_place(data, rng, kind.irregular, host.spacing_mm)
        labelled.put(place.box, *alter(data, foreign, place, kind.draw(rng)))
    return labelled


def training_slices(
    pairs: Iterable[tuple[NativeScan, NativeScan]], tasks: Sequence[type[Task]], frame: Frame, rng: Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Slices of the first scan of each pair, altered: (n, H, W, channels) float32 with labels (n, H, W, 1)."""

    def piece(job: tuple[tuple[NativeScan, NativeScan], Generator]) -> tuple[np.ndarray, np.ndarray]:
        (host, foreign), own_rng = job
        altered = altered_scan(host, fit_shape(foreign.data, host.data.shape), tasks, own_rng)
        seen = altered.onto(frame.shape, frame.spacing_mm)
        seen = draw_augmentation(own_rng, frame.region.symmetric).apply(seen)
        chosen = own_rng.permutation(filled_slices(to_slices(seen.scan.data, frame.axis)))[:SLICES]
        return frame.images(frame.see(seen.scan.data), chosen), to_slices(seen.label, frame.axis)[chosen][..., None]

    return mapped(piece, ((pair, rng.spawn(1)[0]) for pair in pairs), ahead=SCANS_AT_ONCE)


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
