"""From a score map to one score a scan (Tan et al. 2020, section 3)."""

from __future__ import annotations

import numpy as np
from scipy.signal import savgol_filter

POLYNOMIAL_ORDER = 3
TOP_SHARE = 0.25


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
        means = savgol_filter(means, window, POLYNOMIAL_ORDER)
    top = np.sort(means)[int(len(means) * (1 - TOP_SHARE)) :]
    return float(np.clip(top.mean(), 0.0, 1.0))
