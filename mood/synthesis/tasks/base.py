"""What every self-supervised task shares: where it alters a scan, how it is carried out, what its label says.

    place = draw_place(host, rng, irregular=True)         # which voxels
    task = Blob.draw(rng)                                 # with what parameters
    altered, label = alter(host, foreign, place, task)    # host outside the place, label = foreign share

A task decides its parameters in `draw` and computes the new content in the pure `content`; `alter` is the
same for all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.random import Generator
from scipy import ndimage

RADIUS_SHARE = (0.025, 0.12)  # of the longest side, drawn evenly on a logarithmic scale
ELONGATION = (0.7, 1.4)  # of each axis
ROUGHNESS = 0.6  # of the outline, as a share of the radius
ROUND_SHARE = 0.3  # of irregular places that are plain ellipsoids
SHARP_SHARE = 0.5  # of irregular places whose edge is one voxel wide
SOFTEST_EDGE = 0.5  # share of the radius over which the mask fades
LEAST_CHANGE = 0.01  # of the intensity range, mean over the place: below it nothing is to be seen
MARGIN = 2  # voxels of untouched content around a place


@dataclass(frozen=True)
class Place:
    """A box of a scan and how far each of its voxels is altered.

    Attributes
    ----------
    box : three slices
    mask : (A, B, C) float32 ndarray
        0 untouched to 1 replaced.
    """

    box: tuple[slice, slice, slice]
    mask: np.ndarray


class Task(ABC):
    """What happens to the content of a place."""

    name: ClassVar[str]
    resembles: ClassVar[tuple[str, ...]] = ()  # kinds of the benchmark that it is something like
    irregular: ClassVar[bool]  # the place: an irregular blob, or a cuboid as in the papers

    @classmethod
    @abstractmethod
    def draw(cls, rng: Generator) -> Task:
        """Parameters at random."""

    @abstractmethod
    def content(self, host: np.ndarray, foreign: np.ndarray, place: Place) -> np.ndarray:
        """New intensities of the place's box, (A, B, C) float; nothing is changed in place.

        Parameters
        ----------
        host, foreign : (X, Y, Z) float32 ndarray in [0, 1]
            Two healthy scans on one grid.
        """

    @property
    def share(self) -> float:
        """What the label says where the mask is 1: how foreign the new content is, in [0, 1]."""
        return 1.0


def draw_place(
    host: np.ndarray, rng: Generator, irregular: bool, spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> Place:
    """A place centred on tissue, on average as wide in millimetres along each axis.

    Parameters
    ----------
    host : (X, Y, Z) float32 ndarray in [0, 1]
        Not empty.
    irregular : bool
        A blob with a rough outline and a soft or sharp edge; otherwise a cuboid.
    spacing_mm : three floats
        Voxel size.
    """
    tissue = np.flatnonzero(host > 0)
    centre = np.array(np.unravel_index(tissue[rng.integers(tissue.size)], host.shape))
    radius_mm = np.exp(rng.uniform(*np.log(RADIUS_SHARE))) * np.max(np.multiply(host.shape, spacing_mm))
    radii = np.maximum(radius_mm * rng.uniform(*ELONGATION, 3) / spacing_mm, 1.5)
    reach = np.ceil(radii * (1 + ROUGHNESS)).astype(int) + MARGIN
    low, high = np.maximum(centre - reach, 0), np.minimum(centre + reach + 1, host.shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    offsets = np.ogrid[box]
    scaled = [(axis - c) / r for axis, c, r in zip(offsets, centre, radii, strict=True)]
    radius = float(np.exp(np.log(radii).mean()))
    return Place(box, _blob(scaled, radius, rng) if irregular else _cuboid(scaled))  # type: ignore[arg-type]


def _cuboid(scaled: list[np.ndarray]) -> np.ndarray:
    """1 within 0.8 radii of the centre along each axis: about the volume of the ellipsoid."""
    inside = np.maximum(np.maximum(np.abs(scaled[0]), np.abs(scaled[1])), np.abs(scaled[2]))
    return (inside < 0.8).astype(np.float32)


def _blob(scaled: list[np.ndarray], radius: float, rng: Generator) -> np.ndarray:
    distance = np.sqrt(scaled[0] ** 2 + scaled[1] ** 2 + scaled[2] ** 2)
    outline = np.ones(distance.shape)
    if rng.random() >= ROUND_SHARE:
        noise = ndimage.gaussian_filter(rng.standard_normal(distance.shape), radius * rng.uniform(0.3, 0.7))
        outline += rng.uniform(0.3, 1.0) * ROUGHNESS * noise / max(np.abs(noise).max(), 1e-6)
    edge = 1 / radius if rng.random() < SHARP_SHARE else rng.uniform(1 / radius, max(SOFTEST_EDGE, 1 / radius))
    return np.clip((outline - distance) / edge + 0.5, 0, 1).astype(np.float32)


def alter(host: np.ndarray, foreign: np.ndarray, place: Place, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """The place's box with the task carried out, and its label.

    Returns
    -------
    altered : (A, B, C) float32 ndarray in [0, 1]
        Equal to the host where the mask is 0.
    label : (A, B, C) float32 ndarray in [0, 1]
        The foreign share; 0 where both are background, and everywhere when nothing is to be seen.
    """
    before = host[place.box]
    content = np.clip(task.content(host, foreign, place), 0.0, 1.0)
    altered = np.where(place.mask > 0, before + place.mask * (content - before), before).astype(np.float32)
    covered = place.mask * ((before > 0) | (altered > 0))
    if np.sum(np.abs(altered - before)) < LEAST_CHANGE * max(float(covered.sum()), 1.0):
        return altered, np.zeros_like(altered)
    return altered, (covered * task.share).astype(np.float32)
