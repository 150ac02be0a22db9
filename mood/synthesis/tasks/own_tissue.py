"""Tasks that alter a scan's own tissue: moved from elsewhere, brightened or darkened, roughened, warped.

They resemble kinds of the benchmark (`mood.synthesis.outlier_kinds`): a network trained with one of them is to
be measured on the kind that it resembles without it, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from mood.synthesis.tasks.base import Place, Task


@dataclass(frozen=True)
class Relocation(Task):
    """Tissue from another place of the same scan, possibly mirrored (as in CutPaste and NSA)."""

    name = "relocation"
    resembles = ("uniform_shift", "reflection")
    irregular = True
    shift: tuple[float, float, float]  # shares of each axis
    mirrored: tuple[bool, bool, bool]

    @classmethod
    def draw(cls, rng: Generator) -> Relocation:
        shift = rng.uniform(0.015, 0.1, 3) * rng.choice([-1.0, 1.0], 3)
        axis = int(rng.integers(6))  # half of all are mirrored, across one axis
        if axis < 3 and rng.random() < 0.5:
            shift = np.zeros(3)
        x, y, z = (float(s) for s in shift)
        return cls((x, y, z), (axis == 0, axis == 1, axis == 2))

    def content(self, host: np.ndarray, foreign: np.ndarray, place: Place) -> np.ndarray:
        indices = []
        for part, size, share, mirrored in zip(place.box, host.shape, self.shift, self.mirrored, strict=True):
            index = np.arange(part.start, part.stop) + round(share * size)
            indices.append(np.clip(index[::-1] if mirrored else index, 0, size - 1))
        return host[np.ix_(*indices)]


@dataclass(frozen=True)
class Intensity(Task):
    """Brighter or darker tissue, with more or less contrast."""

    name = "intensity"
    resembles = ("uniform_addition",)
    irregular = True
    offset: float  # of the intensity range
    contrast: float  # around the place's mean

    @classmethod
    def draw(cls, rng: Generator) -> Intensity:
        offset = rng.uniform(0.08, 0.5) * rng.choice([-1.0, 1.0])
        return cls(float(offset), float(rng.uniform(0.3, 1.2)))

    def content(self, host: np.ndarray, foreign: np.ndarray, place: Place) -> np.ndarray:
        before = host[place.box]
        tissue = before[before > 0]
        mean = float(tissue.mean()) if tissue.size else 0.0
        offset = self.offset if 0.05 <= mean + self.offset <= 0.95 else -self.offset
        return np.where(before > 0, (before - mean) * self.contrast + mean + offset, before)


@dataclass(frozen=True)
class Texture(Task):
    """Rougher or smoother tissue: noise of some grain, or blur."""

    name = "texture"
    resembles = ("noise_addition",)
    irregular = True
    noise: float  # standard deviation, of the intensity range; 0 blurs instead
    grain: float  # voxels
    seed: int

    @classmethod
    def draw(cls, rng: Generator) -> Texture:
        noise = float(rng.uniform(0.03, 0.2)) if rng.random() < 0.75 else 0.0
        return cls(noise, float(rng.uniform(0.0, 0.8) if noise else rng.uniform(0.8, 2.0)), int(rng.integers(2**31)))

    def content(self, host: np.ndarray, foreign: np.ndarray, place: Place) -> np.ndarray:
        before = host[place.box]
        if not self.noise:
            return np.where(before > 0, ndimage.gaussian_filter(before, self.grain), before)
        noise = ndimage.gaussian_filter(np.random.default_rng(self.seed).standard_normal(before.shape), self.grain)
        return np.where(before > 0, before + self.noise * noise / max(float(noise.std()), 1e-6), before)


@dataclass(frozen=True)
class Warp(Task):
    """Tissue pushed outwards or pulled inwards, or displaced smoothly."""

    name = "warp"
    resembles = ("sink_source",)
    irregular = True
    magnification: float  # at the centre
    twist: tuple[float, float, float]  # displacement at the centre, shares of the box

    @classmethod
    def draw(cls, rng: Generator) -> Warp:
        magnification = float(rng.uniform(1.5, 3.5) ** rng.choice([-1.0, 1.0]))
        x, y, z = (float(s) for s in rng.normal(0.0, 0.06, 3))
        return cls(magnification, (x, y, z))

    def content(self, host: np.ndarray, foreign: np.ndarray, place: Place) -> np.ndarray:
        shape = np.array(place.mask.shape)
        middle = (shape - 1) / 2
        offsets = [axis - m for axis, m in zip(np.ogrid[tuple(slice(n) for n in shape)], middle, strict=True)]
        radii = np.maximum(middle - 1, 1)
        distance = np.sqrt(sum((o / r) ** 2 for o, r in zip(offsets, radii, strict=True)))
        fade = np.clip(1 - distance, 0, 1) ** 2
        stretch = 1 + (1 / self.magnification - 1) * fade
        moved = [o * stretch + m + t * n * fade for o, m, t, n in zip(offsets, middle, self.twist, shape, strict=True)]
        return ndimage.map_coordinates(host[place.box], moved, order=1, mode="nearest")
