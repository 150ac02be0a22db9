"""Three benchmark outliers that resemble disease: smooth where the paper's five have a sharp rim.

A dark lesion (an old infarct, a cyst), a ring (an abscess, a tumour that enhances around its dead core) and a
mass that pushes its surroundings aside. Nothing changes abruptly at the surface, so that a method cannot find
them by an edge. They measure a method and never train one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from mood.synthesis.outlier_kinds import Change, SinkSource, Sphere, intensity_range

DARK_SHARE = (0.25, 0.50)  # what is left of the local mean in the dark
BRIGHT_OFFSET = (0.25, 0.40)  # of the intensity range above the local mean
MASS_OFFSET = (0.15, 0.30)  # of the intensity range, up or down
MASS_MAGNIFICATION = (1.5, 2.5)


@dataclass(frozen=True)
class DarkLesion(Change):
    """Tissue that darkens softly from the surface to 25 to 50 % of the local mean at the centre."""

    radius_share = (0.05, 0.10)
    visible_share = 0.8
    level: float  # intensity at the centre

    @classmethod
    def draw(cls, scan: np.ndarray, sphere: Sphere, side: np.ndarray, rng: Generator) -> DarkLesion:
        return cls(float(rng.uniform(*DARK_SHARE) * tissue_mean(scan, sphere)))

    def apply(self, scan: np.ndarray, sphere: Sphere, voxels: np.ndarray) -> np.ndarray:
        content, weight = scan[tuple(voxels)], fade(sphere.distance(voxels), 0.2, 1.0)
        darkened = (1.0 - weight) * content + weight * self.level
        return np.where(content > 0, np.minimum(content, darkened), content)  # what is darker stays


@dataclass(frozen=True)
class RingLesion(Change):
    """A bright ring around a dark core, both smooth.

    The core fades out between 0.25 and 0.55 of the radius, the ring between 0.65 and the surface.
    """

    radius_share = (0.05, 0.10)
    visible_share = 0.9
    core: float  # intensities
    ring: float

    @classmethod
    def draw(cls, scan: np.ndarray, sphere: Sphere, side: np.ndarray, rng: Generator) -> RingLesion:
        mean = tissue_mean(scan, sphere)
        core = rng.uniform(*DARK_SHARE) * mean
        return cls(float(core), float(min(1.0, mean + rng.uniform(*BRIGHT_OFFSET) * intensity_range(scan))))

    def apply(self, scan: np.ndarray, sphere: Sphere, voxels: np.ndarray) -> np.ndarray:
        content, distance = scan[tuple(voxels)], sphere.distance(voxels)
        core = fade(distance, 0.25, 0.55)
        ring = (1.0 - core) * fade(distance, 0.65, 1.0)
        mixed = (1.0 - core - ring) * content + core * self.core + ring * self.ring
        return np.where(content > 0, mixed, content)


@dataclass(frozen=True)
class MassEffect(Change):
    """Content displaced outwards from the centre, and the centre smoothly brighter or darker."""

    radius_share = (0.08, 0.13)
    visible_share = 0.9
    magnification: float
    offset: float  # at the centre; fades out at 0.7 of the radius

    @classmethod
    def draw(cls, scan: np.ndarray, sphere: Sphere, side: np.ndarray, rng: Generator) -> MassEffect:
        magnification = float(rng.uniform(*MASS_MAGNIFICATION))
        offset = float(rng.choice([-1.0, 1.0]) * rng.uniform(*MASS_OFFSET) * intensity_range(scan))
        moved = tissue_mean(scan, sphere) + offset
        return cls(magnification, offset if 0.0 <= moved <= 1.0 else -offset)

    def apply(self, scan: np.ndarray, sphere: Sphere, voxels: np.ndarray) -> np.ndarray:
        displaced = SinkSource(self.magnification).apply(scan, sphere, voxels)
        return np.where(displaced > 0, displaced + self.offset * fade(sphere.distance(voxels), 0.0, 0.7), displaced)


HARDER_KINDS: dict[str, type[Change]] = {
    "dark_lesion": DarkLesion,
    "ring_lesion": RingLesion,
    "mass_effect": MassEffect,
}


def fade(distance: np.ndarray, start: float, end: float) -> np.ndarray:
    """1 up to `start`, 0 from `end` on, and a smooth half cosine between them."""
    return 0.5 + 0.5 * np.cos(np.pi * np.clip((distance - start) / (end - start), 0.0, 1.0))


def tissue_mean(scan: np.ndarray, sphere: Sphere) -> float:
    """Mean of what is above 0 in the sphere, whose centre always is."""
    content = scan[tuple(sphere.voxels(scan.shape))]
    return float(content[content > 0].mean())
