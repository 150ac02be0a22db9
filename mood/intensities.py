"""Intensities that mean the same in every scan: in [0, 1], and, where MR is compared across scanners, standardised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mood.background import Background, edge_voxels, find_background, find_padding, robust_top
from mood.ct_units import ct_window
from mood.regions import Region

PERCENTILES = (10, 20, 30, 40, 50, 60, 70, 80, 90, 99)  # of the tissue; those of `Region.standard_quantiles`
STANDARD_STEP = 2  # along each axis, when percentiles of the tissue are looked up
BRIGHT_ENOUGH = 0.9  # MR within [0, 1] whose tissue reaches this far is scaled already
TWO_SIDED = 0.05  # of the tissue on either side of the background: its value says nothing of the tissue's
FAR = 1.0  # times the tissue's own range: a background so far off says nothing of the tissue's either
NO_BACKGROUND = Background(None)
AIR_GAP = 0.05  # of the tissue's range: how far its darkest is kept from a background that says nothing


@dataclass(frozen=True, eq=False)
class Understanding:
    """What a scan's intensities were taken for: what becomes 0 and what 1.

    Attributes
    ----------
    taken_for : str
        In words, for log and record.
    low, high : float
        What becomes 0 and 1; `high` is the lesser one where dark and bright are exchanged.
    background : Background
        What becomes 0 besides.
    doubt : str
        Why this may be wrong; empty when there is no reason.
    as_it_is : bool
        Whether nothing is to be done.
    """

    taken_for: str
    low: float = 0.0
    high: float = 1.0
    background: Background = NO_BACKGROUND
    doubt: str = ""
    as_it_is: bool = False

    def apply(self, data: np.ndarray) -> np.ndarray:
        """Intensities in [0, 1], float32; `data` itself when they are so already."""
        if self.as_it_is:
            return data
        scaled = _window(data, self.low, self.high)
        if self.background.value is not None:
            scaled[data == np.float32(self.background.value)] = 0.0
        if self.background.dust is not None:
            scaled[self.background.dust] = 0.0
        return scaled


def understand(data: np.ndarray, region: Region) -> Understanding:
    """What a scan's intensities are: MR has a background and a robust top, CT some form of Hounsfield units.

    Parameters
    ----------
    data : (X, Y, Z) float32 ndarray, finite
    """
    return _understand_ct(data, region) if region.has_units else _understand_mr(data)


def to_unit_range(data: np.ndarray, region: Region) -> np.ndarray:
    """Intensities as float32 in [0, 1], as `understand` takes them; what is so already is returned as it is.

    Parameters
    ----------
    data : (X, Y, Z) float32 ndarray, finite
    """
    return understand(data, region).apply(data)


def _understand_ct(data: np.ndarray, region: Region) -> Understanding:
    padding = find_padding(data)
    seen = data if padding is None else padding.replaced(data)
    window = ct_window(seen, region.window_hu)
    fits = padding is None and (window.low, window.high) == (0.0, 1.0) and in_unit_range(data)
    surround = Background(None, None if padding is None else padding.mask)
    width = window.high - window.low or 1.0
    around = (float(np.median(edge_voxels(seen))) - window.low) / width
    bright = "it is brightest around the body, where air is: dark may be bright" if around > BRIGHT_ENOUGH else ""
    return Understanding(window.taken_for, window.low, window.high, surround, window.doubt or bright, fits)


def _understand_mr(data: np.ndarray) -> Understanding:
    background = find_background(data)
    seen = data if background.dust is None else data[~background.dust]
    value = background.value if background.value is not None else min(0.0, float(seen.min(initial=0.0)))
    tissue = seen[seen != np.float32(value)]
    if not tissue.size:
        return Understanding("MR without tissue", value, value + 1.0, background)
    darkest, brightest = map(float, np.percentile(tissue, [1.0, 99.0]))
    low, high = -robust_top(-tissue, -brightest), robust_top(tissue, darkest)
    if not high > low:  # tissue of one value
        low, high = min(low, value), max(float(seen.max()), value)
    if background.dust is None and value == 0.0 and in_unit_range(data) and high >= BRIGHT_ENOUGH:
        return Understanding("MR in [0, 1]", background=background, as_it_is=True)
    below = np.count_nonzero(tissue < value) / tissue.size
    spread = brightest - darkest
    if below >= 1 - TWO_SIDED and value - brightest < FAR * spread:
        doubt = "tissue is darker than its background throughout: taken as dark for bright"
        return Understanding(f"inverted MR from {value:g} to {low:g}", value, low, background, doubt)
    if below > TWO_SIDED or darkest - value > FAR * spread:
        floor = low - AIR_GAP * (high - low)
        return Understanding(f"MR from {floor:g} to {high:g}, background {value:g}", floor, high, background)
    return Understanding(f"MR from {value:g} to {high:g}", value, high, background)


def _window(data: np.ndarray, low: float, high: float) -> np.ndarray:
    scaled = data - np.float32(low)
    scaled /= np.float32(high - low) or np.float32(1.0)
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
