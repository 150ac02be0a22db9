"""Intensities that mean the same in every scan: in [0, 1], and, where MR is compared across scanners, standardised."""

from __future__ import annotations

import numpy as np

from mood.regions import Region

PERCENTILES = (10, 20, 30, 40, 50, 60, 70, 80, 90, 99)  # of the tissue; those of `Region.standard_quantiles`
STANDARD_STEP = 2  # along each axis, when percentiles of the tissue are looked up


def to_unit_range(data: np.ndarray, region: Region) -> np.ndarray:
    """Intensities as float32 in [0, 1]; what already lies there is returned as it is.

    MR: background 0, the 99.9th percentile of the content 1. CT in Hounsfield units: the region's
    window; CT that starts at 0 counts as stored with an offset of 1024 when it exceeds 1000, and as
    an 8-bit image otherwise.

    Parameters
    ----------
    data : (X, Y, Z) float32 ndarray, finite
    """
    if in_unit_range(data):
        return data
    if not region.has_units:
        return _unit_range_mr(data)
    low, high = region.window_hu
    if data.min() >= 0:
        low, high = (low + 1024.0, high + 1024.0) if data.max() > 1000 else (0.0, 255.0)
    return _window(data, low, high)


def _unit_range_mr(data: np.ndarray) -> np.ndarray:
    background = _most_common_value(data)
    content = data[data != background]
    low, high = np.percentile(content, [0.1, 99.9]) if content.size else (0.0, 1.0)
    low = 0.0 if data.min() >= 0 else min(low, background)
    scaled = _window(data, float(low), float(high) if high > low else float(data.max()))
    scaled[data == background] = 0.0
    return scaled


def _most_common_value(data: np.ndarray) -> float:
    """The value of the background: that of most corner voxels."""
    corners = data[:: max(data.shape[0] - 1, 1), :: max(data.shape[1] - 1, 1), :: max(data.shape[2] - 1, 1)]
    values, counts = np.unique(corners, return_counts=True)
    return float(values[counts.argmax()])


def _window(data: np.ndarray, low: float, high: float) -> np.ndarray:
    scaled = data - np.float32(low)
    scaled /= np.float32(max(high - low, 1e-12))
    return np.clip(scaled, 0.0, 1.0, out=scaled)


def in_unit_range(data: np.ndarray) -> bool:
    """Whether every value already lies in [0, 1]."""
    return bool(data.min() >= 0.0 and data.max() <= 1.0)


def can_be_standardised(region: Region) -> bool:
    """Whether `standardised` changes scans of a region: MR whose standard was measured."""
    return not region.has_units and region.standard_quantiles is not None


def standardised(scan: np.ndarray, region: Region) -> np.ndarray:
    """MR with the percentiles of its tissue brought to the region's standard; CT, which has units, as it is.

    Piecewise linear between the landmarks (Nyul and Udupa, Magn. Reson. Med. 42, 1999), so that one scanner's
    grey is another's; background stays 0.

    Parameters
    ----------
    scan : (X, Y, Z) float32 ndarray in [0, 1]

    Returns
    -------
    (X, Y, Z) float32 ndarray in [0, 1]
    """
    coarse = scan[::STANDARD_STEP, ::STANDARD_STEP, ::STANDARD_STEP]
    tissue = coarse[coarse > 0]
    if region.standard_quantiles is None or not can_be_standardised(region) or tissue.size == 0:
        return scan
    landmarks = np.maximum.accumulate([0.0, *np.percentile(tissue, PERCENTILES), 1.0])
    standard = [0.0, *region.standard_quantiles, 1.0]
    return np.interp(scan, landmarks, standard).astype(np.float32)
