"""Reading Iro, the image that ASC-Net rebuilds: histogram, peaks, valleys, threshold, score.

Trained, Iro has few grey levels (Dey and Hong 2021, section 2). Its histogram over held-out inputs is
compared with that over held-out reference images: a peak that the reference has as well is normal, one
that the inputs hold at least three times as much of is anomalous. So anomalies may be brighter or darker than
what is normal, or lie between two normal levels. The threshold is the valley between two peaks of
different kinds; the score rises linearly from 0 at a normal peak through 0.5 at the valley to 1 at an
anomalous peak. Anomalies of many grey levels, as real tumours are, make no peak but a tail beyond what is
normal: there the threshold is where the inputs begin to hold three times as much. The original leaves all of
this to a person who looks at the histogram, and scales the images to the extremes of each batch before;
here the levels are kept with the weights.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from mood.typed import Share

BINS = 128
SMOOTHING = 1.5  # bins
FLOOR = 2e-4  # share of all pixels; emptier bins count as empty
PROMINENCE = 0.15  # of log10: a peak is at least 1.4 times as high as the deeper of its two valleys
EXCESS = (
    3.0  # times as many pixels of a level in the inputs as in the reference: slices of other heights differ twofold
)
LEAST_TAIL = 2e-3  # share of all pixels
LEAST_SPREAD = 0.02  # an Iro whose grey levels differ by less has collapsed
LEAST_RANGE = 1e-3  # of a histogram: narrower bins are no float32 numbers
STABLE_SHIFT = 0.06  # of the range: how far a peak may move between two checks

GreyLevel = Annotated[float, Meta(ge=-1, le=2)]


@dataclass(frozen=True)
class Histogram:
    """Shares of pixels by grey level of Iro, smoothed, over held-out inputs and reference images."""

    low: float
    high: float
    inputs: np.ndarray  # (BINS,) float, sums to 1
    reference: np.ndarray

    @property
    def centres(self) -> np.ndarray:
        step = (self.high - self.low) / BINS
        return self.low + step * (np.arange(BINS) + 0.5)

    @property
    def normal(self) -> float:
        """The commonest grey level of the reference."""
        return float(self.centres[self.reference.argmax()])


@dataclass(frozen=True)
class Levels:
    """Grey levels of Iro and what they mean: piecewise linear knots. Stored beside the weights.

    Attributes
    ----------
    positions : grey levels, rising; the outermost may lie up to 1 beyond [0, 1]
    scores : of each, 0 normal, 1 anomalous, 0.5 a threshold
    split : whether they come from distinct normal and anomalous peaks
    """

    positions: Annotated[tuple[GreyLevel, ...], Meta(min_length=1, max_length=BINS)]
    scores: Annotated[tuple[Share, ...], Meta(min_length=1, max_length=BINS)]
    split: bool

    def __post_init__(self) -> None:
        if len(self.positions) != len(self.scores) or any(a > b for a, b in itertools.pairwise(self.positions)):
            raise ValueError("positions: they do not rise, or are not as many as the scores")

    @property
    def peaks(self) -> tuple[float, ...]:
        return tuple(p for p, s in zip(self.positions, self.scores, strict=True) if s in (0.0, 1.0))

    @property
    def anomalous(self) -> tuple[float, ...]:
        return tuple(p for p, s in zip(self.positions, self.scores, strict=True) if s == 1.0)

    @property
    def kinds(self) -> tuple[float, ...]:
        return tuple(s for s in self.scores if s in (0.0, 1.0))

    @property
    def thresholds(self) -> tuple[float, ...]:
        return tuple(p for p, s in zip(self.positions, self.scores, strict=True) if s == 0.5)

    def score(self, rebuilt: np.ndarray) -> np.ndarray:
        """How anomalous each pixel of Iro is: [0, 1] float32 of the same shape."""
        return np.interp(rebuilt, self.positions, self.scores).astype(np.float32)

    def mask(self, rebuilt: np.ndarray) -> np.ndarray:
        """The hard segmentation: beyond the valley, seen from the normal peak."""
        return self.score(rebuilt) > 0.5


def measure(inputs: np.ndarray, reference: np.ndarray) -> Histogram:
    """The histogram of Iro over held-out inputs and reference images.

    Parameters
    ----------
    inputs, reference : float ndarrays in [0, 1] of any shape
        Iro of both sets.
    """
    low = float(min(inputs.min(), reference.min()))
    high = float(max(inputs.max(), reference.max(), low + LEAST_RANGE))
    shares = []
    for values in (inputs, reference):
        counts, _ = np.histogram(values, BINS, (low, high))
        shares.append(gaussian_filter1d(counts / counts.sum(), SMOOTHING, mode="constant"))
    return Histogram(low, high, *shares)


def collapsed(histogram: Histogram) -> bool:
    """Whether Iro is one grey level, whatever is shown to the network."""
    return histogram.high - histogram.low < LEAST_SPREAD


def find_levels(histogram: Histogram) -> Levels:
    """Peaks and valleys of the inputs' histogram, on a logarithmic scale since anomalies are rare.

    Without both a normal and an anomalous peak, a bright tail that the reference lacks is what is anomalous; without
    such a tail, how far a level lies from the commonest one is its score.
    """
    heights = np.log10(np.maximum(histogram.inputs, FLOOR) / FLOOR)
    peaks = find_peaks(np.pad(heights, 1), prominence=PROMINENCE)[0] - 1
    kinds = [float(_excess(histogram, peak) >= EXCESS) for peak in peaks]
    if len(set(kinds)) < 2 or collapsed(histogram):
        normal_peaks = [int(peak) for peak, kind in zip(peaks, kinds, strict=True) if not kind]
        return tail_levels(histogram, normal_peaks) or distance_levels(histogram.normal)
    positions, scores = [], []
    for i, (peak, kind) in enumerate(zip(peaks, kinds, strict=True)):
        if i and kind != kinds[i - 1]:
            positions.append(histogram.centres[valley(heights, peaks[i - 1], peak)])
            scores.append(0.5)
        positions.append(histogram.centres[peak])
        scores.append(kind)
    return Levels(tuple(float(p) for p in positions), tuple(scores), True)


def tail_levels(histogram: Histogram, normal_peaks: list[int]) -> Levels | None:
    """Levels where what is anomalous is the bright end of the inputs' histogram; None without such an end.

    The threshold is the grey level above which every level that the inputs hold is three times as frequent there as in
    the reference.

    Parameters
    ----------
    normal_peaks : bins, rising
    """
    seen = np.flatnonzero(histogram.inputs >= FLOOR)
    usual = seen[histogram.inputs[seen] < EXCESS * histogram.reference[seen]]
    start = int(usual[-1]) + 1 if usual.size else 0
    below = [peak for peak in normal_peaks if peak < start]
    tail = histogram.inputs[start:]
    if collapsed(histogram) or not below or tail.sum() < LEAST_TAIL:
        return None
    middle = start + max(1, int(np.searchsorted(np.cumsum(tail), tail.sum() / 2)))
    bins = (below[-1], start, min(middle, BINS - 1))
    return Levels(tuple(float(histogram.centres[bin]) for bin in bins), (0.0, 0.5, 1.0), True)


def _excess(histogram: Histogram, peak: int) -> float:
    around = slice(max(peak - 2, 0), peak + 3)
    return float(histogram.inputs[around].sum() / max(histogram.reference[around].sum(), FLOOR))


def valley(heights: np.ndarray, left: int, right: int) -> int:
    """The middle of the lowest bins between two peaks."""
    between = heights[left : right + 1]
    lowest = np.flatnonzero(between <= between.min() + 1e-9)
    return int(left + lowest[len(lowest) // 2])


def distance_levels(normal: float) -> Levels:
    """Levels of an Iro that has not split: 0 at the normal grey level, rising slowly on both sides."""
    reach = max(normal, 1.0 - normal)
    knots = [(normal - reach, 1.0), (normal, 0.0), (normal + reach, 1.0)]
    return Levels(tuple(p for p, _ in knots), tuple(s for _, s in knots), False)


def levels_at(threshold: float, normal: float) -> Levels:
    """Levels for a threshold given by hand: anomalies lie on the other side of it than `normal`.

    Parameters
    ----------
    threshold : float in (0, 1)
    normal : float in [0, 1]
        The commonest grey level of Iro on reference images.
    """
    other = min(max(2 * threshold - normal, 0.0), 1.0)
    if abs(other - threshold) < 1e-3 or other == normal:
        other = threshold + np.sign(threshold - normal or 1.0) * 1e-3
    knots = sorted([(normal, 0.0), (threshold, 0.5), (float(other), 1.0)])
    return Levels(tuple(p for p, _ in knots), tuple(s for _, s in knots), True)


def agree(before: Levels, after: Levels, extent: float) -> bool:
    """Whether two checks in a row found the same anomalous peaks.

    Normal ones may move: the grey levels of healthy tissue stay in motion long after the anomalous ones
    have parted from them.

    Parameters
    ----------
    extent : float
        Range of Iro's grey levels, which the tolerated shift is a share of.
    """
    if not (before.split and after.split) or len(before.anomalous) != len(after.anomalous):
        return False
    moved = np.abs(np.subtract(before.anomalous, after.anomalous))
    return bool((moved <= STABLE_SHIFT * extent).all())
