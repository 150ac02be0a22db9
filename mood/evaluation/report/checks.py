"""The line of checks above the pictures: what is fulfilled, what is not, and what nobody has looked at."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mood.evaluation.report.facts import Check, Reference, RunFacts, ScanFiles
from mood.methods.fit.verdict import FIT, NOT_CHECKED

GOOD, AMBER, NOTE = "good", "amber", "note"
FIT_COLUMNS = ("fit", "input_check")  # of scores.csv
STRIP_COLUMNS = ("strip", "skull")
PASSED = (FIT, "yes", "ok", "true", "1")
USUAL_LIKENESS = 0.57  # correlation
MUCH_COARSER = 1.5  # times the detector's own voxels


def scan_checks(files: ScanFiles, facts: RunFacts, spacing_mm: np.ndarray, map_is_empty: bool) -> list[Check]:
    """The checks of one scan, each with its reason where it is not fulfilled.

    Parameters
    ----------
    spacing_mm : (3,) float ndarray
        Of the scan.
    map_is_empty : bool
        Whether every voxel of the map is 0.
    """
    checks = [_fit(files.row), _resolution(spacing_mm, facts), _likeness(files, facts)]
    if facts.region.name == "brain":
        checks.insert(1, _skull(files.row))
    if map_is_empty:
        reason = "Every voxel is 0: it is a fallback for a scan that failed, or comes from another program."
        checks.insert(0, Check("map", AMBER, "the map is empty", reason))
    checks.append(_rarity(facts))
    return [*checks, *_too_small(facts)]


def _column(row: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((row[name].strip() for name in names if row.get(name) is not None), None)


def _fit(row: Mapping[str, str]) -> Check:
    told = _column(row, FIT_COLUMNS)
    if told in (None, "", NOT_CHECKED):
        reason = "The run that made the map did not look at whether this is a scan its weights know."
        return Check("fit", AMBER, "fit to score: not checked", reason)
    if told.lower() in PASSED:
        return Check("fit", GOOD, "fit to score")
    return Check("fit", AMBER, "not fit to score", told)


def _skull(row: Mapping[str, str]) -> Check:
    told = _column(row, STRIP_COLUMNS)
    if not told and _column(row, FIT_COLUMNS) == FIT:
        return Check("skull", GOOD, "skull off")
    if not told:
        reason = "A head with its skull on is scored all the same, and everything outside the brain stands out."
        return Check("skull", AMBER, "skull off: not checked", reason)
    return Check("skull", GOOD, f"skull off: {told}")


def _likeness(files: ScanFiles, facts: RunFacts) -> Check:
    correlation = facts.figure(files.name, "correlation")
    if correlation is None:
        reason = "No registration was done, so its likeness to the scans that the weights have seen is not known."
        return Check("likeness", AMBER, "looks like training data: not measured", reason)
    text = f"likeness to a T1 template: {correlation:.2f}"
    if correlation < USUAL_LIKENESS:
        reason = f"Healthy brains like those trained on reach {USUAL_LIKENESS:.2f} and more."
        return Check("likeness", AMBER, text, reason)
    return Check("likeness", GOOD, text)


def _resolution(spacing_mm: np.ndarray, facts: RunFacts) -> Check:
    text = " × ".join(f"{mm:.2g}" for mm in spacing_mm) + " mm"
    grid_mm = facts.setting("spacing_mm")
    if not grid_mm:
        return Check("resolution", AMBER, text, "The detector's own resolution is not known: its weights are not here.")
    coarsest = max(grid_mm) * MUCH_COARSER
    if max(spacing_mm) > coarsest:
        reason = f"The detector works at {max(grid_mm):.2g} mm; voxels of more than {coarsest:.2g} mm hold less."
        return Check("resolution", AMBER, text, reason)
    return Check("resolution", GOOD, text)


def _rarity(facts: RunFacts) -> Check:
    if not facts.scale.measured:
        reason = "The weights were not calibrated: how rare a voxel is, is told from the maps of this folder."
        return Check("rarity", AMBER, "rarity: of this folder", reason)
    known = facts.weights.calibration if facts.weights else None
    number = f" (n = {known.scans})" if known else ""
    reason = "Scans of another scanner can have many more voxels this rare."
    return Check("rarity", AMBER, f"rarity: of the training sources{number}", reason)


def _too_small(facts: RunFacts) -> list[Check]:
    smoothing_mm = facts.setting("smoothing_mm")
    if not smoothing_mm:
        return []
    return [Check("size", NOTE, f"what is smaller than about {smoothing_mm:.2g} mm is not seen")]


def scanner_check(reference: Reference) -> Check:
    """Whether scans that are known to be healthy were named to compare with."""
    if reference.scores:
        return Check("scanner", GOOD, f"compared with {len(reference.scores)} healthy scans of yours")
    reason = "Name healthy scans of this folder with --healthy, and scores and places are compared with theirs."
    return Check("scanner", AMBER, "your scanner: not calibrated", reason)
