"""What a score means, measured on healthy scans that were not trained on; constants stored with the weights.

The same value means the same in every scan; the joint map alone is levelled by the scan (`mood.methods.scoring`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

import numpy as np
from msgspec import Meta
from scipy.special import stdtr, stdtrit

from mood.typed import Share

RARITIES = (0.0, 0.05, 0.15, 0.3, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0)  # that values are kept at
DECADES = (1.0, 2.0, 3.0, 4.0, 5.0)  # those that are kept with the weights of a method
MOST_BEYOND = 5.0  # decades, of what no healthy voxel reached
SCORE_A_DECADE = 0.2
ROOM = 0.1  # of the scale, for what is rarer than healthy tissue can tell
JOINED = "+"  # between the names of maps that were joined
SMALLEST_SCORE = 1e-6
SMALLEST_SPREAD = 0.1  # of the logarithm: scores of a few scans that happen to agree are not certain
UNCALIBRATED = "not calibrated: ranks among the scans of one folder"
FEW_SCANS = 6  # that weights without a number were calibrated on


@dataclass(frozen=True)
class RareValues:
    """How high values reach in healthy tissue.

    Attributes
    ----------
    values : tuple of float, rising
    rarities : tuple of float, rising
        Of each: -log10 of the share of healthy voxels that are higher.
    """

    values: tuple[float, ...]
    rarities: tuple[float, ...] = RARITIES

    @classmethod
    def of(cls, values: np.ndarray, rarities: tuple[float, ...] = RARITIES) -> Self:
        """Measured on values of healthy voxels; evenly over [0, 1] where there are none."""
        shares = 1 - 10.0 ** -np.array(rarities)
        found = np.quantile(values, shares) if values.size else np.linspace(0, 1, len(rarities))
        return cls(tuple(round(float(value), 6) for value in found), rarities)

    def rarity(self, values: np.ndarray) -> np.ndarray:
        """-log10 of the share of healthy voxels that are higher, float32, same shape.

        Beyond the rarest healthy value it goes on as it rose before, ever slower: order is kept, and no map can be so
        sure that others no longer count.
        """
        at, rarities = np.maximum.accumulate(self.values), np.array(self.rarities)
        at = at + np.arange(len(at)) * 1e-9  # strictly rising
        if rarities[0] > 0:
            at, rarities = np.insert(at, 0, min(0.0, at[0] - 1e-9)), np.insert(rarities, 0, 0.0)
        slope = 1.0 / max(
            float(np.interp(rarities[-1], rarities, at) - np.interp(rarities[-1] - 1, rarities, at)), 1e-3
        )
        beyond = np.maximum(values - at[-1], 0) * slope
        return (np.interp(values, at, rarities) + MOST_BEYOND * (1 - np.exp(-beyond / MOST_BEYOND))).astype(np.float32)


def as_score(rarity: np.ndarray) -> np.ndarray:
    """Rarity in [0, 1]: a fifth a decade (0.6 is one healthy voxel in 1,000), and ever less beyond 0.9; float32."""
    scaled = np.asarray(rarity, np.float32) * np.float32(SCORE_A_DECADE)
    beyond = np.maximum(scaled - (1 - ROOM), 0)
    return np.where(beyond > 0, 1 - ROOM * np.exp(-beyond / ROOM), np.maximum(scaled, 0)).astype(np.float32)


def joint_rarity(
    maps: Mapping[str, np.ndarray], rare: Mapping[str, RareValues], shares: Mapping[str, float] | None = None
) -> np.ndarray:
    """The root of the mean square of the rarities of several maps: what one is sure of is not outvoted.

    Parameters
    ----------
    maps : dict of float32 ndarray by name, of one shape
    rare : dict of RareValues
        Of each map by its name; where what is joined is known too (`joined_name`), it becomes a rarity again.
    shares : dict of float, optional
        What a map counts in the mean, by the first word of its name; 1 where it is not named.
    """
    counts = {name: (shares or {}).get(name.split()[0], 1.0) for name in maps}
    squares = sum(counts[name] * np.square(rare[name].rarity(score_map)) for name, score_map in maps.items())
    joint = np.sqrt(squares / sum(counts.values()))
    known = rare.get(joined_name(maps)) if len(maps) > 1 else None
    return joint if known is None else known.rarity(joint)


def joined_name(names: Iterable[str]) -> str:
    """What several joined maps are called."""
    return JOINED.join(sorted(names))


@dataclass(frozen=True)
class Site:
    """Healthy scans of somebody's own, and what counts as unusual beside them.

    Attributes
    ----------
    scores : tuple of float, rising
        Their sample scores on the method's own scale.
    false_positive_rate : float
        The share of healthy scans that may be flagged.
    threshold : float
        What a scan that is flagged scores more than, on the same scale.
    false_places : tuple of float
        Places that stand out in one of them, on average, at the values of each of `DECADES`.
    """

    scores: Annotated[tuple[Share, ...], Meta(min_length=1)]
    false_positive_rate: Annotated[float, Meta(gt=0, lt=1)]
    threshold: Share
    false_places: Annotated[tuple[Annotated[float, Meta(ge=0)], ...], Meta(max_length=len(DECADES))] = ()

    def share_as_high(self, raw_score: float) -> float:
        """The share of healthy scans, this one counted as one of them, that score as high: at least 1 / (n + 1)."""
        return (1 + sum(one >= raw_score for one in self.scores)) / (len(self.scores) + 1)

    def flags(self, raw_score: float) -> bool:
        """Whether a scan is unusual."""
        return raw_score > self.threshold


@dataclass(frozen=True)
class Calibration:
    """How a method scores healthy scans.

    Attributes
    ----------
    log_mean, log_spread : float
        Mean and standard deviation of the logarithm of the sample scores.
    rare_values : tuple of float, rising
        What one healthy tissue voxel in 10, 100, ... reaches in the map, for each of `DECADES`.
    scans : int
        How many there were.
    site : Site, optional
        When they are not those of the training sources but of somebody's own scanner.
    """

    log_mean: Annotated[float, Meta(ge=-20, le=0)]  # scores are at most 1
    log_spread: Annotated[float, Meta(gt=0, le=20)]
    rare_values: Annotated[tuple[Share, ...], Meta(min_length=len(DECADES), max_length=len(DECADES))]
    scans: Annotated[int, Meta(ge=1)] = FEW_SCANS
    site: Site | None = None

    def __post_init__(self) -> None:
        if any(a > b for a, b in itertools.pairwise(self.rare_values)):
            raise ValueError("rare_values: they do not rise")

    def share_below(self, sample_score: float) -> float:
        """The share of healthy scans that are to be expected to score lower, in [0, 1].

        Student's distribution of the logarithm of one more score after `scans` of them: from a few scans nothing is
        known of scores that are rare, and what lies far above all of them can still be told apart.
        """
        z = (np.log(max(sample_score, SMALLEST_SCORE)) - self.log_mean) / self.log_spread
        return float(stdtr(max(self.scans - 1, 1), z / np.sqrt(1 + 1 / self.scans)))

    def score_at(self, share: float) -> float:
        """The raw score that `share` of healthy scans are to be expected to score lower than; inverse of the above."""
        z = stdtrit(max(self.scans - 1, 1), share) * np.sqrt(1 + 1 / self.scans)
        return float(np.clip(np.exp(self.log_mean + self.log_spread * z), 0, 1))

    @property
    def told(self) -> str:
        """What the scores are ranks among."""
        if self.site is None:
            return f"not calibrated for this scanner: ranks among {self.scans} healthy scans of the training sources"
        return f"ranks among {self.scans} healthy scans of this scanner"

    @property
    def rare(self) -> RareValues:
        """What the map's values on healthy tissue reach."""
        return RareValues(self.rare_values, DECADES)

    def rarity(self, score_map: np.ndarray) -> np.ndarray:
        """How rare each value is in healthy tissue, in decades; float32, same shape."""
        return self.rare.rarity(score_map)

    @property
    def display_range(self) -> tuple[float, float]:
        """Map values that viewers show from and up to: rarer than 1 healthy voxel in 1,000, and 1 in 100,000."""
        return self.rare_values[2], max(self.rare_values[-1], self.rare_values[2] + SMALLEST_SCORE)


@dataclass(frozen=True)
class SitePlace:
    """Where a scan stands among healthy scans of its scanner.

    Attributes
    ----------
    share : float
        Of those scans, this one counted among them, that score as high.
    flagged : bool
        Whether it is unusual at the false-positive rate that was asked for.
    """

    share: float
    flagged: bool

    @classmethod
    def of(cls, calibration: Calibration | None, raw_score: float) -> Self | None:
        """That of a raw sample score; None for weights that were not calibrated on such scans."""
        if calibration is None or calibration.site is None:
            return None
        return cls(calibration.site.share_as_high(raw_score), calibration.site.flags(raw_score))

    @property
    def columns(self) -> dict[str, Any]:
        """What a record says of it."""
        return {"share": round(self.share, 4), "flag": "yes" if self.flagged else "no"}


def calibrate(sample_scores: Iterable[float], tissue_values: Iterable[np.ndarray]) -> Calibration:
    """Constants from what a method says of healthy scans.

    Parameters
    ----------
    sample_scores : floats in [0, 1]
        Before any calibration, one a scan; at least one.
    tissue_values : (N,) float ndarrays in [0, 1]
        The maps' values on tissue.
    """
    logs = np.log(np.maximum(list(sample_scores), SMALLEST_SCORE))
    rare = RareValues.of(np.concatenate(list(tissue_values)), DECADES)
    return Calibration(float(logs.mean()), float(max(logs.std(), SMALLEST_SPREAD)), rare.values, len(logs))


def threshold_for(calibration: Calibration, raw_scores: Iterable[float], false_positive_rate: float) -> float:
    """The raw score above which a scan is flagged, so that healthy ones are at no more than the given rate.

    One of the scores where there are enough of them (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random
    World, 2005, chapter 2: it holds for any distribution); else as far beyond them as `Calibration` expects.
    """
    rising = sorted(raw_scores)
    at = math.ceil((len(rising) + 1) * (1 - false_positive_rate) - 1e-9)
    return rising[at - 1] if at <= len(rising) else calibration.score_at(1 - false_positive_rate)
