"""Intruders: what ASC-Net's input images hold and its reference images do not.

An intruder is an irregular blob with a soft edge, brighter or darker than the tissue around it. It is
none of the benchmark outliers (`mood.synthesis.outliers`), which measure methods and never train one:
those alter spheres by an offset, noise or displaced content.

    intruder = draw_intruder(image, rng)
    planted, label = plant_intruder(image, intruder)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RADIUS_SHARE = (0.05, 0.15)  # of the shorter side
BRIGHT, DARK = (0.9, 1.0), (0.25, 0.45)  # target intensity; of the image's typical tissue when dark
WAVES = 4  # of the outline
SOFT_EDGE = 0.15  # share of the radius over which the blob fades


@dataclass(frozen=True)
class Intruder:
    """One blob, fully decided.

    Attributes
    ----------
    centre : row and column
    radius : mean distance of the outline from the centre, pixels
    waves : (WAVES, 2) cosine and sine amplitudes of the outline, shares of the radius
    level : the intensity inside
    """

    centre: tuple[int, int]
    radius: float
    waves: np.ndarray
    level: float

    def mask(self, shape: tuple[int, int]) -> np.ndarray:
        """How far each pixel lies inside, 0 outside to 1, (H, W) float."""
        rows, columns = np.ogrid[: shape[0], : shape[1]]
        y, x = rows - self.centre[0], columns - self.centre[1]
        angle, outline = np.arctan2(y, x), np.ones(shape)
        for n, (cosine, sine) in enumerate(self.waves, start=2):
            outline += cosine * np.cos(n * angle) + sine * np.sin(n * angle)
        inside = outline - np.hypot(y, x) / self.radius
        return np.clip(inside / SOFT_EDGE + 0.5, 0.0, 1.0)


def draw_intruder(image: np.ndarray, rng: np.random.Generator) -> Intruder:
    """Place, outline and intensity at random; the centre lies on tissue, half of all are bright.

    Parameters
    ----------
    image : (H, W) float ndarray in [0, 1]
        Not empty.
    rng : numpy.random.Generator
    """
    tissue = np.flatnonzero(image > 0)
    row, column = np.unravel_index(tissue[rng.integers(tissue.size)], image.shape)
    radius = max(1.5, rng.uniform(*RADIUS_SHARE) * min(image.shape))
    waves = rng.uniform(-0.15, 0.15, (WAVES, 2)) / np.arange(1, WAVES + 1)[:, None]
    bright = rng.random() < 0.5
    level = rng.uniform(*BRIGHT) if bright else rng.uniform(*DARK) * np.median(image.flat[tissue])
    return Intruder((int(row), int(column)), float(radius), waves, float(level))


def plant_intruder(image: np.ndarray, intruder: Intruder) -> tuple[np.ndarray, np.ndarray]:
    """An image with the intruder in its tissue; the background stays.

    Returns
    -------
    planted : (H, W) float32 ndarray in [0, 1]
    label : (H, W) bool ndarray
        Where at least half of the intensity is the intruder's.
    """
    mask = intruder.mask(image.shape) * (image > 0)
    planted = image + mask * (intruder.level - image)
    return planted.astype(np.float32), mask >= 0.5


def with_intruders(images: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Each image with one or two intruders; empty images stay.

    Parameters
    ----------
    images : (N, H, W) float ndarray in [0, 1]

    Returns
    -------
    planted : (N, H, W) float32 ndarray in [0, 1]
    label : (N, H, W) bool ndarray
    """
    planted, label = images.astype(np.float32), np.zeros(images.shape, bool)
    for i in np.flatnonzero(planted.any(axis=(1, 2))):
        for _ in range(rng.integers(1, 3)):
            intruder = draw_intruder(images[i], rng)
            planted[i], added = plant_intruder(planted[i], intruder)
            label[i] |= added
    return planted, label
