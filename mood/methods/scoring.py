"""Score maps smoothed or levelled, and one score a scan from a map (Tan et al. 2020, section 3)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

POLYNOMIAL_ORDER = 3
TOP_SHARE = 0.25
TOP_MM3 = 1000.0
OWN_SHARE = 0.2  # of a scan's tissue, that lies above what is taken for its own level


def smoothed(score_map: np.ndarray, smoothing_mm: float, spacing_mm: tuple[float, ...]) -> np.ndarray:
    """A map blurred by a Gaussian with this standard deviation; nothing lies beyond its edges.

    Parameters
    ----------
    score_map : (X, Y, Z) float32 ndarray in [0, 1]

    Returns
    -------
    (X, Y, Z) float32 ndarray in [0, 1]
    """
    blurred = ndimage.gaussian_filter(score_map, [smoothing_mm / mm for mm in spacing_mm], mode="constant")
    return np.clip(blurred, 0.0, 1.0, out=blurred)


def above_own_level(rarity: np.ndarray, tissue: np.ndarray) -> np.ndarray:
    """Rarity less what a whole scan has of it: another scanner, or another age, raises all of a map by a little.

    A fifth of healthy tissue lies above 0.7 decades. Where a fifth of this scan's lies above more, the difference is
    taken off everywhere; what is abnormal in less than a fifth of the body so keeps its distance from the rest. A scan
    of a lower level stays as it is.

    Parameters
    ----------
    rarity : float32 ndarray
        In decades: -log10 of the share of healthy voxels that are higher.
    tissue : bool ndarray of the same shape

    Returns
    -------
    float32 ndarray of the same shape
        From 0 up.
    """
    own = float(np.quantile(rarity[tissue], 1 - OWN_SHARE)) if tissue.any() else 0.0
    return np.maximum(rarity - np.float32(max(own + np.log10(OWN_SHARE), 0.0)), np.float32(0))


def sample_score(score_map: np.ndarray, slice_axis: int) -> float:
    """How abnormal a scan is as a whole: the mean over its most abnormal quarter of slices.

    The mean of each slice, smoothed along the slices (Savitzky-Golay, order 3, a window of a tenth of
    the slices), sorted; the mean of the top quartile. Too few slices for the filter are not smoothed.

    Parameters
    ----------
    score_map : (X, Y, Z) float32 ndarray in [0, 1]
    slice_axis : int
        The axis the method slices along.

    Returns
    -------
    float in [0, 1]
    """
    others = tuple(axis for axis in range(3) if axis != slice_axis)
    means = score_map.mean(axis=others, dtype=np.float64)
    window = int(len(means) * 0.1) // 2 * 2 + 1
    if window > POLYNOMIAL_ORDER:
        from scipy.signal import savgol_filter  # brings scipy.stats, half of what a command's start would take

        means = savgol_filter(means, window, POLYNOMIAL_ORDER)
    top = np.sort(means)[int(len(means) * (1 - TOP_SHARE)) :]
    return float(np.clip(top.mean(), 0.0, 1.0))


def top_mean(score_map: np.ndarray, spacing_mm: tuple[float, ...]) -> float:
    """How abnormal a scan is at its worst: the mean of the map's highest cubic centimetre.

    Parameters
    ----------
    score_map : (X, Y, Z) float32 ndarray in [0, 1]

    Returns
    -------
    float in [0, 1]
    """
    voxels = min(score_map.size, max(1, round(TOP_MM3 / float(np.prod(spacing_mm)))))
    return float(np.partition(score_map.ravel(), -voxels)[-voxels:].mean())
