"""What a method reached on a group of cases: counted case by case, summed up in the end.

The figure that decides is the mean pixel AP: for each kind of outlier the average precision over the voxels of
the cases of that kind and of the healthy cases, pooled; then the mean over the kinds. A kind that is easy to
find cannot hide one that is missed, as it can in one pool of all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from mood.benchmark.operating import Found
from mood.evaluation.metrics import (
    ValueCounts,
    auroc,
    average_precision,
    best_dice,
    count_scores,
    count_values,
    stack_cases,
)
from mood.evaluation.objects import ObjectCounts
from mood.evaluation.results import Estimate
from mood.synthesis.toy import HEALTHY

RESAMPLES_AT_ONCE = 20  # 2.5 MB a kind
LEVEL = (0.025, 0.975)


@dataclass
class Tally:
    """The counts of one method, a case at a time; 0.12 MB a case."""

    kinds: list[str] = field(default_factory=list)
    counts: list[ValueCounts] = field(default_factory=list)
    sample_scores: list[float] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    found: list[Found | None] = field(default_factory=list)

    def add(
        self,
        kind: str,
        score_map: np.ndarray,
        label: np.ndarray,
        sample_score: float,
        name: str = "",
        found: Found | None = None,
    ) -> None:
        """Count one case; the map is not kept."""
        counted = count_values(score_map, label)
        narrow = (counted.positives.astype(np.int32), counted.negatives.astype(np.int32))
        self.kinds.append(kind)
        self.counts.append(ValueCounts(counted.values, *narrow))
        self.sample_scores.append(sample_score)
        self.names.append(name)
        self.found.append(found)


def joined(tallies: Sequence[Tally]) -> Tally:
    """The cases of several tallies in one, in their order."""
    whole = Tally()
    for tally in tallies:
        for field_of_cases in fields(Tally):
            getattr(whole, field_of_cases.name).extend(getattr(tally, field_of_cases.name))
    return whole


@dataclass(frozen=True)
class KindScores:
    """One kind of outlier against the healthy cases, or all kinds in one pool.

    Attributes
    ----------
    chance : float
        The pixel AP of a map that guesses: the share of anomalous voxels.
    object_f1 : float
        At the operating threshold, of these kinds' own cases; NaN for a method without one.
    """

    cases: int
    chance: float
    object_f1: float
    pixel_ap: Estimate
    pixel_auroc: Estimate
    sample_ap: Estimate
    sample_auroc: Estimate


@dataclass(frozen=True)
class CaseScores:
    """One anomalous case by itself: its pixel AP and that of a map that guesses."""

    pixel_ap: float
    chance: float


@dataclass(frozen=True)
class Summary:
    """What a method reached on some kinds of outliers.

    Attributes
    ----------
    mean_pixel_ap, mean_sample_auroc : Estimate
        Means over the kinds.
    pooled : KindScores
        All kinds and the healthy cases in one pool, the challenge's way.
    dice : float
        Best of one threshold on that pool.
    false_places : float
        Places in a healthy scan at the operating threshold, on average; NaN where there is none.
    kinds : dict of str to KindScores
    cases : dict of str to CaseScores
        Those of these kinds, by name.
    """

    mean_pixel_ap: Estimate
    mean_sample_auroc: Estimate
    pooled: KindScores
    dice: float
    false_places: float
    kinds: dict[str, KindScores]
    cases: dict[str, CaseScores]


def summarise(tally: Tally, kinds: Sequence[str], rng: np.random.Generator, resamples: int) -> Summary:
    """Figures with 95 % bootstrap intervals over cases.

    Cases are drawn again within each kind and within the healthy ones, so that every resample has them all
    (the stratified bootstrap; Efron and Tibshirani 1993, chapter 8).

    Parameters
    ----------
    kinds : sequence of str
        Those to sum up; the cases of other kinds are left out. Healthy cases always count.
    """
    strata = np.array(tally.kinds)
    used = np.flatnonzero(np.isin(strata, [*kinds, HEALTHY]))
    kinds, strata = [kind for kind in kinds if kind in tally.kinds], strata[used]
    pixel = stack_cases([tally.counts[i] for i in used]).occurring()
    sample = count_scores(np.array(tally.sample_scores)[used], strata != HEALTHY)
    once = list(_figures(pixel, sample, strata, kinds, np.ones((1, len(used)))))
    again = [_figures(pixel, sample, strata, kinds, weights) for weights in _weights(strata, rng, resamples)]
    drawn = [np.concatenate(parts) for parts in zip(*again, strict=True)]
    estimates = [_estimate(value[0], values) for value, values in zip(once, drawn, strict=True)]
    found = [tally.found[i] for i in used]
    pools = [np.isin(strata, [kind, HEALTHY]) for kind in kinds] + [np.ones(len(used), bool)]
    scores = [
        KindScores(int(pool.sum()), _chance(pixel.cases(pool)), _object_f1(found, pool), *estimates[4 * i : 4 * i + 4])
        for i, pool in enumerate(pools)
    ]
    names = [tally.names[i] for i in used]
    return Summary(
        mean_pixel_ap=estimates[-2],
        mean_sample_auroc=estimates[-1],
        pooled=scores[-1],
        dice=best_dice(pixel.pooled())[0],
        false_places=_false_places(found),
        kinds=dict(zip(kinds, scores[:-1], strict=True)),
        cases={name: _alone(pixel, i) for i, name in enumerate(names) if strata[i] != HEALTHY},
    )


def _chance(counts: ValueCounts) -> float:
    positives = float(counts.positives.sum())
    return positives / (positives + float(counts.negatives.sum()))


def _alone(counts: ValueCounts, case: int) -> CaseScores:
    own = counts.cases(np.arange(len(counts.positives)) == case)
    return CaseScores(float(average_precision(own.pooled())), _chance(own))


def _object_f1(found: Sequence[Found | None], pool: np.ndarray) -> float:
    return sum((one.objects for one, used in zip(found, pool, strict=True) if one and used), ObjectCounts()).f1


def _false_places(found: Sequence[Found | None]) -> float:
    counts = [one.places for one in found if one and one.places is not None]
    return float(np.mean(counts)) if counts else float("nan")


def _figures(
    pixel: ValueCounts, sample: ValueCounts, strata: np.ndarray, kinds: Sequence[str], weights: np.ndarray
) -> Iterator[np.ndarray]:
    """Pixel AP and AUROC, sample AP and AUROC of each kind, then of all, then the two means; (R,) each."""
    pools = [list(_pools(which, strata, kinds, weights)) for which in (pixel, sample)]
    aps, aurocs = [], []
    for pixel_pool, sample_pool in zip(*pools, strict=True):
        figures = [average_precision(pixel_pool), auroc(pixel_pool), _sample_ap(sample_pool), auroc(sample_pool)]
        aps.append(figures[0])
        aurocs.append(figures[3])
        yield from figures
    yield np.mean(aps[:-1], axis=0)
    yield np.mean(aurocs[:-1], axis=0)


def _sample_ap(pool: ValueCounts) -> np.ndarray:
    """NaN where no case is healthy: any order of the scores would reach 1 there."""
    return np.where(pool.negatives.sum(axis=-1) > 0, average_precision(pool), np.nan)


def _pools(counts: ValueCounts, strata: np.ndarray, kinds: Sequence[str], weights: np.ndarray) -> Iterator[ValueCounts]:
    """Weighted counts of each kind with the healthy cases, and of all of them, (R, V) each."""

    def pool(kind: str) -> ValueCounts:
        cases = counts.cases(strata == kind)
        wide = ValueCounts(cases.values, cases.positives.astype(float), cases.negatives.astype(float))
        return wide.weighted(weights[:, strata == kind])

    total = healthy = pool(HEALTHY)
    for kind in kinds:
        own = pool(kind)
        total = total + own
        yield own + healthy
    yield total


def _weights(strata: np.ndarray, rng: np.random.Generator, resamples: int) -> Iterator[np.ndarray]:
    """How often each case appears in each resample, (R, C) at a time."""
    for start in range(0, resamples, RESAMPLES_AT_ONCE):
        weights = np.zeros((min(RESAMPLES_AT_ONCE, resamples - start), len(strata)))
        for kind in dict.fromkeys(strata):
            own = np.flatnonzero(strata == kind)
            weights[:, own] = rng.multinomial(len(own), np.full(len(own), 1 / len(own)), size=len(weights))
        yield weights


def _estimate(value: float, drawn: np.ndarray) -> Estimate:
    finite = drawn[np.isfinite(drawn)]
    low, high = np.quantile(finite, LEVEL) if finite.size else (np.nan, np.nan)
    return Estimate(float(value), float(low), float(high))
