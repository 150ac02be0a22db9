"""Foreign Patch Interpolation: the self-supervised task of FPI, on plain arrays.

Tan et al. 2020 (arXiv 2011.04197), section 2. In each slice of a pair of healthy scans one square
patch is mixed: A' = alpha A + (1 - alpha) B and B' = (1 - alpha) A + alpha B. The network sees A' or
B' and estimates, voxel by voxel, the share that is foreign: 1 - alpha in the patch, 0 elsewhere.
Whatever the draw, A' + B' = A + B.

    rng = np.random.default_rng(0)
    patch = draw_patch(a.shape, rng)                      # where, how large, how much
    mixed_a, mixed_b = interpolate_patch(a, b, patch)     # both are training images
    label = patch_label(a, b, patch)                      # one label for both
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Patch:
    """A square of one slice and the interpolation factor inside it.

    Attributes
    ----------
    rows, columns : (int, int)
        First pixel and one past the last along each axis, clipped to the slice.
    alpha : float in [0, 1]
        Share of the host slice in the patch.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]
    alpha: float

    @property
    def window(self) -> tuple[slice, slice]:
        """The patch as an index into a slice."""
        return slice(*self.rows), slice(*self.columns)


def draw_patch(
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    core: float = 0.5,
    half_width: tuple[float, float] = (0.05, 0.2),
    classes: int = 1,
    alpha: tuple[float, float] = (0.05, 0.95),
) -> Patch:
    """Draw where the patch lies, how large it is, and how much of the host it keeps.

    Parameters
    ----------
    shape : (H, W)
        Of the slice, in pixels.
    rng : numpy.random.Generator
        Where the draws come from.
    core : float
        Central share of each axis where the centre falls: 0.5 for the brain, 0.8 for the abdomen.
    half_width : (float, float)
        Range of the half-width as shares of H, upper end excluded.
    classes : int
        1 draws alpha uniformly from `alpha`; K > 1 from {0, 1/(K-1), ..., (K-2)/(K-1)}.
    alpha : (float, float)
        Range for `classes` = 1.

    Returns
    -------
    Patch
        For `interpolate_patch` and `patch_label`.

    Examples
    --------
    >>> patch = draw_patch((64, 48), np.random.default_rng(0), classes=5)
    >>> patch.alpha in (0.0, 0.25, 0.5, 0.75)
    True
    """
    centre = [rng.integers(*_core_range(side, core)) for side in shape]
    low = max(1, round(half_width[0] * shape[0]))
    half = int(rng.integers(low, max(low + 1, round(half_width[1] * shape[0]))))
    rows, columns = ((max(0, int(c) - half), min(side, int(c) + half)) for c, side in zip(centre, shape, strict=True))
    factor = float(rng.uniform(*alpha)) if classes == 1 else int(rng.integers(classes - 1)) / (classes - 1)
    return Patch(rows, columns, factor)


def _core_range(side: int, core: float) -> tuple[int, int]:
    low = int((1 - core) * side / 2)
    return low, max(low + 1, int((1 - core) * side / 2 + core * side))


def interpolate_patch(host: np.ndarray, foreign: np.ndarray, patch: Patch) -> tuple[np.ndarray, np.ndarray]:
    """Both mixed images.

    Parameters
    ----------
    host, foreign : (H, W) or (H, W, C) float ndarray
        The same slice of two subjects.
    patch : Patch
        Where, and how much.

    Returns
    -------
    tuple of ndarray
        `host` with a share 1 - alpha of `foreign` in the patch, and `foreign` with that share of `host`.
    """
    mixed_host, mixed_foreign = host.copy(), foreign.copy()
    a, b = host[patch.window], foreign[patch.window]
    mixed_host[patch.window] = patch.alpha * a + (1 - patch.alpha) * b
    mixed_foreign[patch.window] = (1 - patch.alpha) * a + patch.alpha * b
    return mixed_host, mixed_foreign


def patch_label(host: np.ndarray, foreign: np.ndarray, patch: Patch, difference_step: float = 0.0) -> np.ndarray:
    """The foreign share: 1 - alpha where the two slices differ inside the patch, 0 elsewhere.

    Parameters
    ----------
    host, foreign : (H, W) float ndarray
        The same slice of two subjects, as they were before.
    patch : Patch
        Where, and how much.
    difference_step : float
        0 compares exactly (brain); otherwise voxels differ when they fall in different steps of this
        size (1e-3 for the abdomen).

    Returns
    -------
    (H, W) float32 ndarray
        In [0, 1]; the same for both mixed images.
    """
    a, b = host[patch.window], foreign[patch.window]
    if difference_step > 0:
        a, b = np.floor(a / difference_step), np.floor(b / difference_step)
    label = np.zeros(host.shape, np.float32)
    label[patch.window] = (a != b) * np.float32(1 - patch.alpha)
    return label


def label_to_classes(label: np.ndarray, classes: int) -> np.ndarray:
    """A label of quarters (or K-1ths) as class numbers.

    Parameters
    ----------
    label : (...) float ndarray
        As `patch_label` makes it, of patches drawn with the same `classes`.
    classes : int
        How many there are, K.

    Returns
    -------
    (...) uint8 ndarray
        0 where nothing is foreign, up to K - 1.

    Examples
    --------
    >>> label_to_classes(np.array([0.0, 0.25, 1.0]), classes=5)
    array([0, 1, 4], dtype=uint8)
    """
    return np.rint(label * (classes - 1)).astype(np.uint8)


def mix_pair(
    host: np.ndarray,
    foreign: np.ndarray,
    rng: np.random.Generator,
    *,
    core: float = 0.5,
    classes: int = 1,
    difference_step: float = 0.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One fresh patch in each slice of a pair of subjects.

    Parameters
    ----------
    host, foreign : (N, H, W) float32 ndarray
        Slice i of one is mixed with slice i of the other.
    rng : numpy.random.Generator
        Where the draws come from.
    core, classes : float, int
        As for `draw_patch`.
    difference_step : float
        As for `patch_label`.

    Returns
    -------
    tuple of (N, H, W) float32 ndarray
        The host mixed with the foreign slices, the foreign ones mixed with the host, and their label.
    """
    mixed_host, mixed_foreign = np.empty_like(host), np.empty_like(foreign)
    label = np.empty(host.shape, np.float32)
    for i, (a, b) in enumerate(zip(host, foreign, strict=True)):
        patch = draw_patch(a.shape, rng, core=core, classes=classes)
        mixed_host[i], mixed_foreign[i] = interpolate_patch(a, b, patch)
        label[i] = patch_label(a, b, patch, difference_step)
    return mixed_host, mixed_foreign, label
