"""What a map says at the operating threshold: objects that are found, and places in healthy scans that are none.

The threshold is what one healthy voxel in 1,000 reaches, by the constants that are stored with a method's weights:
where `mood report` begins to count places. A method that was never calibrated has none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mood.benchmark.cases import Case
from mood.evaluation.objects import ObjectCounts, object_f1
from mood.evaluation.places import body_mask, count_places
from mood.methods import Method


@dataclass(frozen=True)
class Found:
    """What one map holds at the threshold.

    Attributes
    ----------
    objects : ObjectCounts
        By the challenge's rule, `mood.evaluation.objects`.
    places : int or None
        Places of at least 0.1 ml in a healthy scan, all of them false; None for a scan that is not healthy.
    """

    objects: ObjectCounts
    places: int | None = None


def operating_threshold(method: Method) -> float | None:
    """The map value that stands out; None for a method without calibration."""
    return None if method.calibration is None else method.calibration.display_range[0]


def found_at(threshold: float | None, case: Case, score_map: np.ndarray) -> Found | None:
    """What a map of a case holds at the threshold; None without one.

    Parameters
    ----------
    score_map : (X, Y, Z) float32 ndarray in [0, 1]
        On the scan's own voxels.
    """
    if threshold is None:
        return None
    if case.label.any():
        return Found(object_f1(score_map, case.label, threshold))
    voxel_ml = abs(float(np.linalg.det(case.volume.affine[:3, :3]))) / 1000
    return Found(ObjectCounts(), count_places(score_map, threshold, body_mask(case.volume.data), voxel_ml))
