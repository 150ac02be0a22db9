"""Scoring by objects: is each anomaly found as one thing of about the right size and place?

The rule of the challenge's later years: objects are connected components of more than 8 voxels; a detection
counts when its centre of mass lies inside the label object's convex hull and its size is half to twice the
label object's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.spatial import ConvexHull

LARGEST_IGNORED = 8  # voxels
SIZE_RATIOS = (0.5, 2.0)
TOUCHING = np.ones((3, 3, 3), dtype=bool)  # voxels that share a face, an edge or a corner are one object
HULL_TOLERANCE = 1e-9  # voxels


@dataclass(frozen=True)
class ObjectCounts:
    """Objects found, detections of nothing, and objects missed. Counts of cases add up.

    The three ratios are NaN where their denominator is 0.
    """

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0

    def __add__(self, other: ObjectCounts) -> ObjectCounts:
        return ObjectCounts(
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
        )

    @property
    def precision(self) -> float:
        """Share of the detections that are an object of the label."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of the label's objects that are detected."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        wrong = self.false_positives + self.false_negatives
        return _ratio(2 * self.true_positives, 2 * self.true_positives + wrong)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def object_f1(score_map: np.ndarray, label: np.ndarray, threshold: float) -> ObjectCounts:
    """Compare the objects of a thresholded map with those of the label; `.f1` of the result is the score.

    Each detection answers for one label object at most and the other way round: a second detection of the
    same object is a false positive.

    Parameters
    ----------
    score_map : (X, Y, Z) floating ndarray
    label : (X, Y, Z) bool ndarray
    threshold : float
        Voxels with at least this score are detected.
    """
    detection_sizes, centres = _measure(score_map >= threshold)
    truths, truth_sizes = find_objects(np.asarray(label, dtype=bool))
    matches = np.zeros((len(truth_sizes), len(detection_sizes)), dtype=bool)
    for index, box in enumerate(ndimage.find_objects(truths)):
        corner = [axis.start for axis in box]
        ratio = detection_sizes / truth_sizes[index]
        similar = (ratio >= SIZE_RATIOS[0]) & (ratio <= SIZE_RATIOS[1])
        matches[index] = similar & inside_hull(centres - corner, truths[box] == index + 1)
    partners = maximum_bipartite_matching(sparse.csr_array(matches), perm_type="column")
    found = int(np.count_nonzero(partners >= 0))
    return ObjectCounts(found, len(detection_sizes) - found, len(truth_sizes) - found)


def _measure(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sizes (N,) and centres of mass (N, 3) of the objects of a mask, without keeping their volume."""
    objects, sizes = find_objects(mask)
    return sizes, centres_of_mass(objects, len(sizes))


def find_objects(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Connected components of more than 8 voxels.

    Parameters
    ----------
    mask : (X, Y, Z) bool ndarray

    Returns
    -------
    objects : (X, Y, Z) int32 ndarray
        0 outside, 1 to N in the N objects.
    sizes : (N,) int64 ndarray
        Voxels of each object.
    """
    components, _ = ndimage.label(np.ascontiguousarray(mask), structure=TOUCHING)  # NIfTI order is 4x slower
    numbers = components[mask]
    sizes = np.bincount(numbers)
    kept = np.flatnonzero(sizes > LARGEST_IGNORED)
    renumbered = np.zeros(max(len(sizes), 1), dtype=np.int32)
    renumbered[kept] = np.arange(1, len(kept) + 1)
    components[mask] = renumbered[numbers]
    return components, sizes[kept]


def centres_of_mass(objects: np.ndarray, count: int) -> np.ndarray:
    """Mean voxel index of each of `count` objects, (N, 3), summed slab by slab to spare memory."""
    sums = np.zeros((4, count + 1))
    for x, slab in enumerate(objects):
        y, z = np.nonzero(slab)
        numbers = slab[y, z]
        voxels = np.bincount(numbers, minlength=count + 1)
        along_y = np.bincount(numbers, weights=y, minlength=count + 1)
        sums += (voxels, x * voxels, along_y, np.bincount(numbers, weights=z, minlength=count + 1))
    return (sums[1:, 1:] / sums[0, 1:]).T


def inside_hull(points: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Which of the points lie inside the convex hull of the voxels of `mask`.

    A voxel is a box, not a point, so that an object one voxel thin has a hull too.

    Parameters
    ----------
    points : (P, 3) float64 ndarray
        Voxel indices, not necessarily whole.
    mask : (X, Y, Z) bool ndarray
        At least one voxel is True.

    Returns
    -------
    (P,) bool ndarray
    """
    x, y = np.nonzero(mask.any(axis=2))
    columns = mask[x, y]
    ends = [columns.argmax(axis=1), mask.shape[2] - 1 - columns[:, ::-1].argmax(axis=1)]
    voxels = np.concatenate([np.stack([x, y, z], axis=1) for z in ends])  # only these can touch the hull
    corners = np.array(list(np.ndindex(2, 2, 2))) - 0.5
    hull = ConvexHull((voxels[:, None] + corners).reshape(-1, 3))
    normals, offsets = hull.equations[:, :3], hull.equations[:, 3:]
    inside = np.ones(len(points), dtype=bool)
    for normal, offset in zip(normals, offsets, strict=True):
        inside &= points @ normal + offset <= HULL_TOLERANCE
    return inside
