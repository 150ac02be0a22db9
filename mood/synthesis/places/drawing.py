"""Where places lie, how large they are and what happens in them, drawn at random; no voxel is changed here."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from mood.synthesis.places.families import FAMILIES, Spot
from mood.synthesis.places.parameters import Place, stacked_places, untouched
from mood.synthesis.places.store import ScanStore

TRIES = 60  # to hit tissue, or a spot that is free
UNTOUCHED = 0.2  # share of brains without any place
CENTRAL = 0.7  # share of places in the middle of the body, where the rim of the brain is no cue
MIDDLE = 0.7  # of each axis of the box around the body


@dataclass(frozen=True)
class Drawing:
    """How places are drawn.

    Attributes
    ----------
    families : names out of `FAMILIES`, with how often each is drawn
    most : places a brain at most
    side : voxels of the cube that a place is worked out in; bounds its radius
    """

    families: dict[str, float]
    most: int = 6
    side: int = 72

    def eased(self, hard: Collection[str], share: float) -> Drawing:
        """The same with only a share, in [0, 1], of the places of these families."""
        return replace(self, families={k: v * share if k in hard else v for k, v in self.families.items()})

    def batch(self, store: ScanStore, hosts: np.ndarray, rng: Generator) -> dict[str, np.ndarray]:
        """Places for these hosts, arrays (B, most, ...)."""
        return stacked_places([self.brain(store, int(host), rng) for host in hosts])

    def brain(self, store: ScanStore, host: int, rng: Generator) -> list[Place]:
        """The places of one brain, the unused ones last; none touches another."""
        count = 0 if rng.random() < UNTOUCHED else int(rng.integers(1, self.most + 1))
        spots: list[Spot] = []
        for _ in range(count):
            spot = self._free_spot(store, host, spots, rng)
            if spot is not None:
                spots.append(spot)
        places = [self._place(store, spot, rng) for spot in spots]
        return places + [untouched() for _ in range(self.most - len(places))]

    def _free_spot(self, store: ScanStore, host: int, taken: list[Spot], rng: Generator) -> Spot | None:
        largest = (self.side / 2 - 1) * float(store.spacing_mm[host].min())
        family = str(rng.choice(list(self.families), p=np.array(list(self.families.values())) / self._total))
        low, high = FAMILIES[family].radius_mm
        for _ in range(TRIES):
            radius = min(float(rng.uniform(low, high)), largest)
            centre = tissue_voxel(store, host, rng)
            spot = Spot(family, host, centre, radius, largest, store.spacing_mm[host].astype(float))
            if all(spot.apart_from(other) for other in taken):
                return spot
        return None

    def _place(self, store: ScanStore, spot: Spot, rng: Generator) -> Place:
        own = {"strength": 1.0, "centre": spot.centre, "source": spot.host, "origin": spot.centre.astype(float)}
        own |= {"frame": np.diag(1.0 / spot.spacing_mm), "noise_start": rng.integers(0, 2**20, 6)}
        return untouched() | own | FAMILIES[spot.family].draw(store, spot, rng)

    @property
    def _total(self) -> float:
        return sum(self.families.values())


def tissue_voxel(store: ScanStore, host: int, rng: Generator) -> np.ndarray:
    """A voxel of tissue at random, mostly in the middle of the body; the middle of the box when none is found."""
    half = np.minimum(store.middle[host], np.array(store.box) - 1 - store.middle[host])
    reach = half * (MIDDLE if rng.random() < CENTRAL else 1.0)
    for _ in range(TRIES):
        voxel = np.rint(store.middle[host] + rng.uniform(-1, 1, 3) * reach).astype(int)
        if store.voxels[(host, *voxel)] > 0:
            return voxel
    return np.rint(store.middle[host]).astype(int)
