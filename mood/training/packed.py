"""Training scans in little space, to be taken to a machine with a GPU: 64 greys, differences, bzip2.

    save_pack(path, [PackedScan(...), ...])        where the scans are
    store = load_packs([path, ...], rng)           where the network is trained

A scan of 0.87 x 0.87 x 1 mm takes 0.8 MB. What 64 greys leave out is filled with noise of the same width when a
scan is read, so that no step shows in a histogram and altered places are not told by grey levels in between.
"""

from __future__ import annotations

import bz2
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.random import Generator

from mood.engines.threads import thread_count
from mood.regions import BRAIN
from mood.synthesis.places.scanners import with_other_scanners
from mood.synthesis.places.store import ScanStore, stacked

DROPPED_BITS = 2  # of eight
GREYS = 256 >> DROPPED_BITS
CHECK_SCANS = 4  # kept from training to measure on
FINE_MM = 1.4  # longest voxel side of the scans that other scanners are made of
SITE_POWER = 0.35  # how far small sites are favoured: 0 not at all, 1 until all sites are drawn alike


@dataclass(frozen=True, eq=False)
class PackedScan:
    """A training scan before or after packing.

    Attributes
    ----------
    name : str
    data : (X, Y, Z) uint8 ndarray
        Standardised intensities in 255 steps, 0 in air.
    spacing_mm : three floats
    to_template : (3, 4) float ndarray
        From voxels to a space that all scans share.
    site : str
    """

    name: str
    data: np.ndarray
    spacing_mm: tuple[float, float, float]
    to_template: np.ndarray
    site: str


def compressed(data: np.ndarray) -> bytes:
    """Bytes of (X, Y, Z) uint8 intensities, to 64 greys."""
    greys = np.where(data > 0, np.maximum(data >> DROPPED_BITS, 1), 0).astype(np.uint8)
    for axis in (0, 1):  # along both: of all simple predictions the one that leaves least to store
        greys = np.diff(greys, axis=axis, prepend=np.uint8(0))
    return bz2.compress((greys & (GREYS - 1)).tobytes())


def restored(packed: bytes, shape: tuple[int, ...], rng: Generator) -> np.ndarray:
    """Intensities (X, Y, Z) uint8 from `compressed` bytes; the dropped bits are drawn anew."""
    greys = np.frombuffer(bz2.decompress(packed), np.uint8).reshape(shape)
    for axis in (1, 0):
        greys = np.cumsum(greys, axis=axis, dtype=np.uint8)
    greys &= GREYS - 1
    filling = rng.integers(0, 1 << DROPPED_BITS, shape, np.uint8)
    return np.where(greys > 0, (greys << DROPPED_BITS) + filling, 0).astype(np.uint8)


def save_pack(path: Path, scans: Sequence[PackedScan]) -> None:
    """Write scans to one .npz file."""
    arrays = {f"data{i}": np.frombuffer(compressed(scan.data), np.uint8) for i, scan in enumerate(scans)}
    np.savez(
        path,
        names=np.array([scan.name for scan in scans]),
        sites=np.array([scan.site for scan in scans]),
        shapes=np.array([scan.data.shape for scan in scans]),
        spacing_mm=np.array([scan.spacing_mm for scan in scans]),
        to_template=np.array([scan.to_template for scan in scans]),
        **arrays,  # type: ignore[arg-type]  # a name that is not "allow_pickle"
    )


def read_pack(path: Path, rng: Generator) -> list[PackedScan]:
    """The scans that `save_pack` wrote."""
    with np.load(path) as pack, ThreadPoolExecutor(thread_count()) as pool:
        packed = [pack[f"data{i}"].tobytes() for i in range(len(pack["names"]))]
        shapes = [tuple(int(n) for n in shape) for shape in pack["shapes"]]
        restored_scans = pool.map(restored, packed, shapes, rng.spawn(len(packed)))
        about = zip(pack["spacing_mm"], pack["to_template"], pack["sites"], strict=True)
        names = [str(name) for name in pack["names"]]
        return [
            PackedScan(name, data, tuple(spacing), affine, str(site))
            for name, data, (spacing, affine, site) in zip(names, restored_scans, about, strict=True)
        ]


def load_packs(paths: Sequence[Path], rng: Generator) -> ScanStore:
    """All scans of some packs in one store."""
    scans = [scan for path in sorted(paths) for scan in read_pack(path, rng)]
    return stacked(
        [scan.data for scan in scans],
        [scan.spacing_mm for scan in scans],
        [scan.to_template for scan in scans],
        [scan.site for scan in scans],
    )


@dataclass(frozen=True, eq=False)
class TrainingScans:
    """Scans of several packs, and what each is for.

    Attributes
    ----------
    store : ScanStore
        Those read first, then those that other scanners show.
    training, apart : int ndarrays
        Indices of the scans to train on and of those to measure on.
    others : int
        How many of those to train on are other scanners' pictures of the rest.
    """

    store: ScanStore
    training: np.ndarray
    apart: np.ndarray
    others: int

    def roomy(self, count: int, box: tuple[int, int, int]) -> TrainingScans:
        """The same in a larger array."""
        x, y, z = (int(n) for n in np.maximum(box, self.store.box))
        return replace(self, store=self.store.roomy(max(count, len(self.store)), (x, y, z)))

    def drawn(self, count: int, rng: Generator) -> np.ndarray:
        """Hosts to train on: no site is all there is, and finer scans, which show more, are drawn more often."""
        _, inverse, counts = np.unique(self.store.sites[self.training], return_inverse=True, return_counts=True)
        weights = counts[inverse] ** -SITE_POWER / self.store.spacing_mm[self.training].mean(axis=1)
        return rng.choice(self.training, count, p=weights / weights.sum())

    def facts(self) -> dict[str, int]:
        """What a card says of them."""
        return {"training_scans": len(self.training) - self.others, "others": self.others}


def training_scans(paths: Sequence[Path], scanners: int, rng: Generator) -> TrainingScans:
    """The scans of some packs, a few of them kept apart; fine ones once more as so many made-up scanners show them."""
    store = load_packs(paths, rng)
    apart = np.linspace(0, len(store) - 1, CHECK_SCANS + 2)[1:-1].round().astype(int)
    real = np.setdiff1d(np.arange(len(store)), apart)
    fine = [i for i in real if store.spacing_mm[i].max() <= FINE_MM] if scanners else []
    longer = with_other_scanners(store, fine, scanners, BRAIN, rng)
    return TrainingScans(longer, np.setdiff1d(np.arange(len(longer)), apart), apart, len(fine))
