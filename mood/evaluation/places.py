"""Suspicious places: what stands out of a map, as things one can count, measure and point at.

A place is a connected component of the body's voxels whose map value reaches an operating threshold.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields

import nibabel as nib
import numpy as np
from scipy import ndimage

from mood.evaluation.objects import TOUCHING, centres_of_mass, find_objects

SMALLEST_ML = 0.1  # a ball of 6 mm; less is smaller than what any of the maps resolves
MIDLINE_MM = 5.0  # nearer to the body's middle than this is neither left nor right
LARGEST_COUNT = 65_535  # that a label file of uint16 holds


@dataclass(frozen=True)
class Place:
    """One suspicious place; 1 is the largest.

    Attributes
    ----------
    volume_ml : float
    peak, mean : float in [0, 1]
        Highest and mean map value.
    centre_voxel, centre_mm : three floats
        Centre of mass in voxel indices of the scan and in millimetres (RAS).
    peak_voxel : three ints
    side : {'left', 'right', 'midline'}
        Of the body's middle, by the header's orientation; the patient's own left. Where it is named, of the brain's.
    position : str
        Where in the body's extent, in words; no atlas is asked.
    touches_edge : bool
        Whether it reaches the body's surface, where false places are most frequent.
    name : str
        Of what lies there in a brain (`mood.evaluation.anatomy`); empty where that is not known.
    members : str
        How much of it each member of the detector finds by itself (`mood.evaluation.agreement`); empty likewise.
    """

    number: int
    volume_ml: float
    peak: float
    mean: float
    centre_voxel: tuple[float, float, float]
    centre_mm: tuple[float, float, float]
    peak_voxel: tuple[int, int, int]
    side: str
    position: str
    touches_edge: bool
    name: str = ""
    members: str = ""

    @property
    def where(self) -> str:
        """Its name, or else its position."""
        return self.name or self.position


def find_places(
    score_map: np.ndarray, threshold: float, body: np.ndarray, affine: np.ndarray
) -> tuple[np.ndarray, list[Place]]:
    """The places of one map, largest first.

    Parameters
    ----------
    score_map : (X, Y, Z) float32 ndarray in [0, 1]
        On the scan's own voxels.
    threshold : float
        A voxel belongs to a place when its value is at least this, and above 0.
    body : (X, Y, Z) bool ndarray
        Where there is tissue; nothing is found outside.
    affine : (4, 4) float64 ndarray
        Voxel indices to millimetres in RAS.

    Returns
    -------
    labels : (X, Y, Z) uint16 ndarray
        0 outside every place, else the place's number.
    places : list of Place
    """
    mask = (score_map >= threshold) & (score_map > 0) & body
    voxel_ml = abs(float(np.linalg.det(affine[:3, :3]))) / 1000
    labels = np.zeros(mask.shape, np.uint16)
    if not mask.any():
        return labels, []
    corner, inside = _box(mask)
    found, sizes = find_objects(mask[inside])
    kept = np.flatnonzero(sizes * voxel_ml >= SMALLEST_ML)
    kept = kept[np.argsort(-sizes[kept], kind="stable")][:LARGEST_COUNT]
    numbers = np.zeros(len(sizes) + 1, np.uint16)
    numbers[kept + 1] = np.arange(1, len(kept) + 1)
    labels[inside] = numbers[found]
    centres = centres_of_mass(found, len(sizes))[kept] + corner
    frame = _Frame.of(body, affine)
    boxes = ndimage.find_objects(labels)
    return labels, [
        _measure(i + 1, box, labels, score_map, body, centres[i], voxel_ml, frame) for i, box in enumerate(boxes)
    ]


def count_places(score_map: np.ndarray, threshold: float, body: np.ndarray, voxel_ml: float) -> int:
    """How many places a map has at a threshold, without measuring them."""
    mask = (score_map >= threshold) & (score_map > 0) & body
    if not mask.any():
        return 0
    sizes = find_objects(mask[_box(mask)[1]])[1]
    return int(np.count_nonzero(sizes * voxel_ml >= SMALLEST_ML))


def body_mask(unit_scan: np.ndarray) -> np.ndarray:
    """Where a scan in [0, 1] holds the body: what is not background, with its holes filled.

    Background is what is 0 and connected to the border of the volume; dark fluid inside is the body's.
    """
    empty = np.pad(unit_scan <= 0, 1, constant_values=True)
    components, _ = ndimage.label(np.ascontiguousarray(empty))
    return (components != components[0, 0, 0])[1:-1, 1:-1, 1:-1]


@dataclass(frozen=True)
class _Frame:
    """The body's extent, which positions are told by."""

    affine: np.ndarray
    low: np.ndarray  # voxel indices
    high: np.ndarray
    axes: np.ndarray  # which voxel axis runs along each RAS axis
    flips: np.ndarray  # whether it runs backwards

    @classmethod
    def of(cls, body: np.ndarray, affine: np.ndarray) -> _Frame:
        corner, inside = _box(body)
        orientation = nib.io_orientation(affine)
        axes = np.argsort(orientation[:, 0])
        high = np.array([axis.stop - 1 for axis in inside])
        return cls(affine, corner, high, axes, orientation[axes, 1] < 0)

    def shares(self, voxel: np.ndarray) -> np.ndarray:
        """How far along the body a voxel lies: 0 to 1 from left to right, back to front, bottom to top."""
        shares = ((voxel - self.low) / np.maximum(self.high - self.low, 1))[self.axes]
        return np.where(self.flips, 1 - shares, shares)

    def side(self, voxel: np.ndarray) -> str:
        axis = self.axes[0]
        width_mm = (self.high - self.low)[axis] * np.linalg.norm(self.affine[:3, axis])
        from_middle_mm = (self.shares(voxel)[0] - 0.5) * width_mm
        if abs(from_middle_mm) < MIDLINE_MM:
            return "midline"
        return "left" if from_middle_mm < 0 else "right"

    def position(self, voxel: np.ndarray) -> str:
        words = (("back", "", "front"), ("lower", "", "upper"))
        told = [names[min(int(share * 3), 2)] for names, share in zip(words, self.shares(voxel)[1:], strict=True)]
        return ", ".join(filter(None, [self.side(voxel), *reversed(told)])) + ("" if any(told) else ", middle")


def _measure(
    number: int,
    box: tuple[slice, ...],
    labels: np.ndarray,
    score_map: np.ndarray,
    body: np.ndarray,
    centre: np.ndarray,
    voxel_ml: float,
    frame: _Frame,
) -> Place:
    inside = labels[box] == number
    values = np.where(inside, score_map[box], -1.0)
    peak = np.unravel_index(int(values.argmax()), values.shape)
    found = score_map[box][inside]
    return Place(
        number,
        round(float(inside.sum()) * voxel_ml, 3),
        round(float(found.max()), 5),
        round(float(found.mean()), 5),
        _three(centre),
        _three(nib.affines.apply_affine(frame.affine, centre)),
        tuple(int(axis.start + i) for axis, i in zip(box, peak, strict=True)),  # type: ignore[arg-type]
        frame.side(centre),
        frame.position(centre),
        _touches_outside(box, inside, body),
    )


def _touches_outside(box: tuple[slice, ...], inside: np.ndarray, body: np.ndarray) -> bool:
    """Whether any voxel has a neighbour outside the body; the volume's border is outside as well."""
    wide = tuple(slice(max(axis.start - 1, 0), axis.stop + 1) for axis in box)
    padding = [(int(axis.start == 0), int(axis.stop == size)) for axis, size in zip(box, body.shape, strict=True)]
    around = np.pad(body[wide], padding)
    grown = ndimage.binary_dilation(np.pad(inside, 1), structure=TOUCHING)
    return bool((grown & ~around).any())


def _box(mask: np.ndarray) -> tuple[np.ndarray, tuple[slice, ...]]:
    """First index and slices of what is True; the whole array where nothing is."""
    slices = []
    for axis in range(3):
        filled = np.flatnonzero(mask.any(axis=tuple(i for i in range(3) if i != axis)))
        slices.append(slice(int(filled[0]), int(filled[-1]) + 1) if filled.size else slice(0, mask.shape[axis]))
    return np.array([axis.start for axis in slices]), tuple(slices)


def _three(values: np.ndarray) -> tuple[float, float, float]:
    return tuple(round(float(value), 1) + 0.0 for value in values)  # type: ignore[return-value]


def places_csv(rows: Iterable[tuple[str, Place]]) -> str:
    """A table of (name of the scan, place), one row a place, coordinates in columns of their own."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["scan", *_columns()])
    for scan, place in rows:
        writer.writerow([scan, *_flat(astuple(place))])
    return text.getvalue()


def _columns() -> list[str]:
    axes = {"centre_voxel": "ijk", "centre_mm": "xyz", "peak_voxel": "ijk"}
    names = [[f"{field.name}_{axis}" for axis in axes.get(field.name, "")] or [field.name] for field in fields(Place)]
    return [name for group in names for name in group]


def _flat(values: tuple) -> list:
    return [part for value in values for part in (value if isinstance(value, tuple) else (value,))]
