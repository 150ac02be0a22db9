"""What happens inside the sphere of a benchmark outlier: the paper's five changes, each drawn and applied apart.

`draw` chooses a change's parameters at random, `apply` computes the sphere's new intensities from them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.random import Generator
from scipy import ndimage

PERCENTILE_VOXELS = 2_000_000  # enough for a percentile; all voxels of 512^3 take seconds


@dataclass(frozen=True)
class Sphere:
    """A ball on the scan's voxel grid; an ellipsoid in voxels where voxels are not cubes.

    Attributes
    ----------
    centre : voxel indices
    radii : voxels along each axis
    """

    centre: tuple[int, int, int]
    radii: tuple[float, float, float]

    def voxels(self, shape: tuple[int, ...]) -> np.ndarray:
        """Indices of the voxels inside the sphere and the scan, (3, N) int."""
        low = [max(0, int(np.ceil(c - r))) for c, r in zip(self.centre, self.radii, strict=True)]
        high = [min(n, int(c + r) + 1) for c, r, n in zip(self.centre, self.radii, shape, strict=True)]
        box = np.ogrid[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        scaled = [(x - c) / r for x, c, r in zip(box, self.centre, self.radii, strict=True)]
        inside = scaled[0] ** 2 + scaled[1] ** 2 + scaled[2] ** 2 < 1.0
        return np.stack(np.nonzero(inside)) + np.array(low)[:, None]

    def distance(self, voxels: np.ndarray) -> np.ndarray:
        """Distance from the centre as a share of the radius, 0 to 1, (N,) float."""
        centre, radii = np.array(self.centre)[:, None], np.array(self.radii)[:, None]
        return np.sqrt((((voxels - centre) / radii) ** 2).sum(axis=0))


class Change(ABC):
    """What happens to the content of a sphere."""

    radius_share: ClassVar[tuple[float, float]]  # smallest and largest radius as a share of the side
    visible_share: ClassVar[float] = 1.0  # of the radius, within which the change can be seen and is labelled

    @classmethod
    @abstractmethod
    def draw(cls, scan: np.ndarray, sphere: Sphere, side: np.ndarray, rng: Generator) -> Change:
        """Parameters at random; `side` is the length of the side in voxels of each axis, (3,) float."""

    @abstractmethod
    def apply(self, scan: np.ndarray, sphere: Sphere, voxels: np.ndarray) -> np.ndarray:
        """New intensities of the sphere's `voxels`, (3, N) int -> (N,) float."""


@dataclass(frozen=True)
class UniformAddition(Change):
    """The same offset everywhere: plus or minus 20 to 30 % of the intensity range."""

    radius_share = (0.05, 0.10)
    offset: float

    @classmethod
    def draw(cls, scan: np.ndarray, sphere: Sphere, side: np.ndarray, rng: Generator) -> UniformAddition:
        offset = _sign(rng) * rng.uniform(0.2, 0.3) * intensity_range(scan)
        content = scan[tuple(sphere.voxels(scan.shape))]
        moved = content[content > 0].mean() + offset
        return cls(float(offset if 0.0 <= moved <= 1.0 else -offset))

    def apply(self, scan: np.ndarray, sphere: Sphere, voxels: np.ndarray) -> np.ndarray:
        content = scan[tuple(voxels)]
        return np.where(content > 0, content + self.offset, content)


@dataclass(frozen=True)
class NoiseAddition(Change):
    """Every voxel its own offset: plus or minus 5 to 30 % of the intensity range."""

    radius_share = (0.05, 0.10)
    smallest: float
    largest: float
    seed: int

    @classmethod
    def draw(cls, scan: np.ndarray, sphere: Sphere, side: np.ndarray, rng: Generator) -> NoiseAddition:
        extent = intensity_range(scan)
        return cls(0.05 * extent, 0.30 * extent, int(rng.integers(2**31)))

    def apply(self, scan: np.ndarray, sphere: Sphere, voxels: np.ndarray) -> np.ndarray:
        content, rng = scan[tuple(voxels)], np.random.default_rng(self.seed)
        noise = _sign(rng, content.size) * rng.uniform(self.smallest, self.largest, content.size)
        return np.where(content > 0, content + noise, content)


@dataclass(frozen=True)
class SinkSource(Change):
    """Content pushed away from the centre (magnification above 1) or pulled to it (below 1).

    The magnification holds at the centre and fades smoothly to 1 at the surface.
    """

    radius_share = (0.08, 0.13)
    magnification: float

    @classmethod
    def draw(cls, scan: np.ndarray, sphere: Sphere, side: np.ndarray, rng: Generator) -> SinkSource:
        return cls(float(rng.uniform(2.0, 3.0) ** _sign(rng)))

    def apply(self, scan: np.ndarray, sphere: Sphere, voxels: np.ndarray) -> np.ndarray:
        # Radii map r -> r (1 + k (1 - r)^2), which rises monotonically for -1 < k < 3: nothing folds.
        stretch = 1.0 + (1.0 / self.magnification - 1.0) * (1.0 - sphere.distance(voxels)) ** 2
        centre = np.array(sphere.centre)[:, None]
        return ndimage.map_coordinates(scan, centre + (voxels - centre) * stretch, order=1, mode="nearest")


@dataclass(frozen=True)
class UniformShift(Change):
    """Content replaced by what lies 2 to 5 % of the side away along each axis."""

    radius_share = (0.08, 0.13)
    shift: tuple[int, int, int]  # voxels, whole so that no interpolation blurs the content

    @classmethod
    def draw(cls, scan: np.ndarray, sphere: Sphere, side: np.ndarray, rng: Generator) -> UniformShift:
        length = np.maximum(1, np.rint(rng.uniform(0.02, 0.05, 3) * side))
        x, y, z = (int(v) for v in length * _sign(rng, 3))
        return cls((x, y, z))

    def apply(self, scan: np.ndarray, sphere: Sphere, voxels: np.ndarray) -> np.ndarray:
        last = np.array(scan.shape)[:, None] - 1
        return scan[tuple(np.clip(voxels + np.array(self.shift)[:, None], 0, last))]


@dataclass(frozen=True)
class Reflection(Change):
    """Content mirrored about the plane through the centre across the first axis."""

    radius_share = (0.08, 0.13)

    @classmethod
    def draw(cls, scan: np.ndarray, sphere: Sphere, side: np.ndarray, rng: Generator) -> Reflection:
        return cls()

    def apply(self, scan: np.ndarray, sphere: Sphere, voxels: np.ndarray) -> np.ndarray:
        mirrored = 2 * sphere.centre[0] - voxels[0]
        in_frame = (mirrored >= 0) & (mirrored < scan.shape[0])
        return scan[np.where(in_frame, mirrored, voxels[0]), voxels[1], voxels[2]]


KINDS: dict[str, type[Change]] = {
    "uniform_addition": UniformAddition,
    "noise_addition": NoiseAddition,
    "sink_source": SinkSource,
    "uniform_shift": UniformShift,
    "reflection": Reflection,
}


def intensity_range(scan: np.ndarray) -> float:
    """From the scan's minimum to the 99th percentile of its tissue; 1 where these are the same."""
    step = max(1, round((scan.size / PERCENTILE_VOXELS) ** (1 / 3)))
    coarse = scan[::step, ::step, ::step]
    tissue = coarse[coarse > 0]
    return float(np.percentile(tissue, 99) - scan.min() if tissue.size else 0.0) or 1.0


def _sign(rng: np.random.Generator, count: int | None = None) -> np.ndarray:
    return 2.0 * rng.integers(0, 2, count) - 1.0
