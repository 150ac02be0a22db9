"""What a report is made of: plain facts, each of which may be missing and is then said to be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mood.evaluation.places import Place
from mood.evaluation.report.rarity import RarityScale
from mood.regions import Region
from mood.weights.config import WeightsConfig


@dataclass(frozen=True)
class Check:
    """One cell of the line of checks.

    Attributes
    ----------
    state : {'good', 'amber', 'note'}
        Fulfilled; not fulfilled or not known; true whatever the scan.
    """

    name: str
    state: str
    text: str
    reason: str = ""


@dataclass(frozen=True)
class ScanFiles:
    """A scan and what lies there of it; `map_path` and `label_path` are None where there is none."""

    name: str
    scan_path: Path
    map_path: Path | None
    label_path: Path | None
    score: float | None
    row: Mapping[str, str] = field(default_factory=dict)  # of scores.csv, whatever columns it has


@dataclass(frozen=True)
class RunFacts:
    """What is known of the run that made the predictions.

    Attributes
    ----------
    region : Region
    scale : RarityScale
    threshold_decades : float
        What belongs to a place: 3 for one healthy voxel in 1,000.
    record : mapping
        `run.json`, empty where there is none.
    weights : WeightsConfig or None
        Of the weights, where they are at hand.
    command : str
        That made the report.
    members : sequence of WeightsConfig
        Of the weights that those are composed of.
    """

    region: Region
    scale: RarityScale
    threshold_decades: float
    record: Mapping[str, Any] = field(default_factory=dict)
    weights: WeightsConfig | None = None
    command: str = ""
    members: Sequence[WeightsConfig] = ()

    @property
    def method(self) -> str:
        known = self.record.get("about", {}).get("method", "")
        return str(known) or (self.weights.method if self.weights else "unknown")

    @cached_property
    def _rows(self) -> dict[str, Mapping[str, Any]]:
        rows = self.record.get("scans", ())
        return {row["scan"]: row for row in rows if isinstance(row, dict) and isinstance(row.get("scan"), str)}

    def to_mni(self, name: str) -> np.ndarray | None:
        """From a scan's voxel indices to MNI coordinates, (4, 4); None where the run has not recorded it."""
        try:
            matrix = np.array(self._rows[name]["to_mni"], np.float64)
        except (KeyError, TypeError, ValueError):
            return None
        usable = matrix.shape == (4, 4) and np.isfinite(matrix).all() and abs(np.linalg.det(matrix)) > 1e-9
        return matrix if usable else None

    def figure(self, scan: str, name: str) -> float | None:
        """What was measured of a scan when it was looked at whether it is fit; None where nobody did."""
        figures = self._rows.get(scan, {}).get("figures")
        value = figures.get(name) if isinstance(figures, dict) else None
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None

    def setting(self, name: str) -> Any:
        """A setting of the method, None where it is not known."""
        return self.weights.settings.get(name) if self.weights else None

    @property
    def threshold(self) -> float:
        """The map value of the operating threshold."""
        return self.scale.value_at(self.threshold_decades)


@dataclass(frozen=True)
class Agreement:
    """With a label: what the map reaches on this one scan."""

    average_precision: float
    dice: float  # at the operating threshold
    recalls: Sequence[float]
    precisions: Sequence[float]


@dataclass(frozen=True)
class ScanSummary:
    """What is kept of a scan while the others are looked at.

    Attributes
    ----------
    page : str
        File name of its page; empty for a scan that has none.
    problem : str
        Why it has no page, as a sentence; empty otherwise.
    places : sequence of Place
    peak_decades : sequence of float
        How rare each place's peak is.
    counts : sequence of int
        Places at each of `rarity.STEPS`.
    profile : sequence of float
        The rarest voxel of each slice, in decades, from bottom to top.
    thumbnail : str
        Its worst slice as a data address.
    """

    name: str
    page: str = ""
    problem: str = ""
    score: float | None = None
    places: Sequence[Place] = ()
    peak_decades: Sequence[float] = ()
    counts: Sequence[int] = ()
    profile: Sequence[float] = ()
    checks: Sequence[Check] = ()
    agreement: Agreement | None = None
    thumbnail: str = ""

    @property
    def volume_ml(self) -> float:
        return round(sum(place.volume_ml for place in self.places), 2)

    @property
    def flagged(self) -> bool:
        return bool(self.places)


@dataclass(frozen=True)
class Reference:
    """Healthy scans that the others are compared with.

    Attributes
    ----------
    names : sequence of str
        Of scans in this folder that the user knows to be healthy; empty when none were named.
    scores : sequence of float
    counts : sequence of sequences of int
        Places of each at each of `rarity.STEPS`, all of them false.
    """

    names: Sequence[str] = ()
    scores: Sequence[float] = ()
    counts: Sequence[Sequence[int]] = ()

    @classmethod
    def of(cls, summaries: Sequence[ScanSummary], names: Sequence[str]) -> Reference:
        chosen = [one for one in summaries if one.name in set(names) and not one.problem]
        scores = [one.score for one in chosen if one.score is not None]
        return cls([one.name for one in chosen], scores, [one.counts for one in chosen])

    def without(self, summary: ScanSummary) -> Reference:
        """The same without one scan, which is not to be compared with itself."""
        if summary.name not in self.names:
            return self
        scores = list(self.scores)
        if summary.score in scores:
            scores.remove(summary.score)
        kept = [i for i, name in enumerate(self.names) if name != summary.name]
        return Reference([self.names[i] for i in kept], scores, [self.counts[i] for i in kept])

    def false_places(self) -> list[float] | None:
        """Mean number of places in a healthy scan at each step of the slider; None when none is known."""
        if not self.counts:
            return None
        return [sum(column) / len(self.counts) for column in zip(*self.counts, strict=True)]
