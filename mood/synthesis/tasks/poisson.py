"""Poisson image interpolation (PII, Tan et al. 2021, arXiv 2107.02622): foreign detail without a seam.

In a cuboid the stronger of the two subjects' weighted gradients is kept at each voxel, and the image is
integrated from them so that it meets the host at the cuboid's faces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.fft import dstn, idstn

from mood.synthesis.tasks.base import Place, Task


@dataclass(frozen=True)
class PoissonPatch(Task):
    """PII: the label is the weight of the foreign gradients."""

    name = "pii"
    irregular = False
    foreign_weight: float

    @classmethod
    def draw(cls, rng: Generator) -> PoissonPatch:
        return cls(float(rng.uniform(0.3, 1.0)))

    @property
    def share(self) -> float:
        return self.foreign_weight

    def content(self, host: np.ndarray, foreign: np.ndarray, place: Place) -> np.ndarray:
        before = host[place.box].astype(np.float64)
        covered = np.argwhere(place.mask > 0)
        if len(covered) == 0:
            return before
        low, high = np.maximum(covered.min(axis=0) - 1, 0), covered.max(axis=0) + 2
        inner = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        blended = before.copy()
        blended[inner] = blend_gradients(before[inner], foreign[place.box][inner], self.foreign_weight)
        return np.where(before > 0, blended, before)  # no halo in the air around the host


def blend_gradients(host: np.ndarray, foreign: np.ndarray, weight: float) -> np.ndarray:
    """The image that equals the host on its faces and has the stronger of the weighted gradients inside.

    Parameters
    ----------
    host, foreign : (A, B, C) float ndarray
    weight : float in [0, 1]
        Of the foreign gradients; the host's have 1 - weight.

    Returns
    -------
    (A, B, C) float64 ndarray
    """
    if min(host.shape) < 3:
        return host
    inside = (slice(1, -1),) * 3
    faces = np.array(host, np.float64)
    faces[inside] = 0.0
    source = _divergence(host, foreign, weight) - _laplacian(faces)
    blended = faces
    blended[inside] = _solve(source)
    return blended


def _divergence(host: np.ndarray, foreign: np.ndarray, weight: float) -> np.ndarray:
    """Of the kept gradients, at the inner voxels."""
    total = np.zeros([n - 2 for n in host.shape])
    for axis in range(3):
        ours, theirs = (1 - weight) * np.diff(host, axis=axis), weight * np.diff(foreign, axis=axis)
        kept = np.where(np.abs(theirs) > np.abs(ours), theirs, ours)
        across = tuple(slice(None) if k == axis else slice(1, -1) for k in range(3))
        total += np.diff(kept, axis=axis)[across]
    return total


def _laplacian(image: np.ndarray) -> np.ndarray:
    """At the inner voxels, six neighbours."""
    total = np.zeros([n - 2 for n in image.shape])
    for axis in range(3):
        across = tuple(slice(None) if k == axis else slice(1, -1) for k in range(3))
        total += np.diff(image, 2, axis=axis)[across]
    return total


def _solve(source: np.ndarray) -> np.ndarray:
    """The image that is 0 around the box and has this Laplacian in it; sines are its eigenvectors."""
    waves = [2 * np.cos(np.pi * np.arange(1, n + 1) / (n + 1)) - 2 for n in source.shape]
    eigenvalues = waves[0][:, None, None] + waves[1][:, None] + waves[2]
    return idstn(dstn(source, type=1) / eigenvalues, type=1)
