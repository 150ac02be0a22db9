"""Weights calibrated on healthy scans of one scanner, so that their scores mean something there."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mood.calibration import Calibration, Site, calibrate, threshold_for
from mood.detector import Detector
from mood.errors import MoodError, NoInputError, UsageError
from mood.evaluation.places import count_places
from mood.volume import find_scans, load
from mood.weights.copying import copy_calibrated

log = logging.getLogger(__name__)

MOST_VALUES = 5 * 10**7  # of tissue, all scans together, that rarity is measured on


@dataclass(frozen=True, eq=False)
class _Healthy:
    """What a method says of one healthy scan, on its grid."""

    raw_score: float
    tissue: np.ndarray  # packed bits
    shape: tuple[int, ...]
    values: np.ndarray  # float16, of the tissue

    def map(self) -> tuple[np.ndarray, np.ndarray]:
        """The map, and where there is tissue."""
        tissue = np.unpackbits(self.tissue, count=int(np.prod(self.shape))).reshape(self.shape).astype(bool)
        score_map = np.zeros(self.shape, np.float32)
        score_map[tissue] = self.values
        return score_map, tissue


def calibrate_to_site(
    detector: Detector,
    source: Path,
    target: Path,
    false_positive_rate: float,
    on_scan: Callable[[Path, int], None] = lambda path, total: None,
) -> Calibration:
    """Score healthy scans and keep the weights with what their scores mean there.

    Parameters
    ----------
    detector : Detector
        With weights.
    source : pathlib.Path
        Folder of healthy scans; one that cannot be read is named and left out.
    target : pathlib.Path
        Folder to write the calibrated weights to.
    false_positive_rate : float
        Of scans, between 0 and 1.
    on_scan : callable
        Called before each scan with its path and the number of scans.

    Raises
    ------
    NoInputError
        When no scan can be read.
    UsageError
        When the target is where the weights come from.
    """
    if detector.weights is None or target.resolve() == detector.weights.path.resolve():
        raise UsageError("the calibrated weights would replace the others", where=target, fix="Name another folder")
    paths, healthy = find_scans(source), []
    for path in paths:
        on_scan(path, len(paths))
        try:
            healthy.append(_scored(detector, path))
        except MoodError as error:
            log.error("left out: %s", error)
    if not healthy:
        raise NoInputError("no scan could be read", where=source, fix="Name a folder of healthy scans")
    found = _measured(healthy, false_positive_rate, detector.method.grid.spacing_mm)
    copy_calibrated(detector.weights, target, found)
    return found


def _scored(detector: Detector, path: Path) -> _Healthy:
    scan = detector.examine(load(path)).scan
    score_map, tissue = detector.grid_map(scan), scan.data > 0
    raw = detector.method.raw_sample_score(score_map)
    return _Healthy(raw, np.packbits(tissue), tissue.shape, score_map[tissue].astype(np.float16))


def _measured(healthy: list[_Healthy], false_positive_rate: float, spacing_mm: tuple[float, ...]) -> Calibration:
    scores = [one.raw_score for one in healthy]
    step = max(1, -(-sum(one.values.size for one in healthy) // MOST_VALUES))
    found = calibrate(scores, (one.values[::step].astype(np.float32) for one in healthy))
    voxel_ml = float(np.prod(spacing_mm)) / 1000
    counts = []
    for one in healthy:
        score_map, tissue = one.map()
        counts.append([count_places(score_map, value, tissue, voxel_ml) for value in found.rare_values])
    false_places = tuple(round(float(mean), 3) for mean in np.mean(counts, axis=0))
    threshold = threshold_for(found, scores, false_positive_rate)
    return replace(found, site=Site(tuple(sorted(scores)), false_positive_rate, threshold, false_places))
