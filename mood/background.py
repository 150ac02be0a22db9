"""What of a scan is background: what is found by where it lies and what it is near to, not by being exactly 0."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import ndimage

NEAR = 0.03  # of the brightest tissue: what so little differs from background may be background
NOISIEST = 0.12  # the most that noise in the air may raise this to
CLEAN_SHARE = 0.04  # of the tissue: fewer voxels near the background than this are tissue's own dark rim
CLEAN_EDGES = 0.98  # of the array's edges: have exactly the value of a clean background
SMALLEST_SPIKE = 0.2  # of the array's edges: fewer voxels of one value are no background
SMALLEST_PIECE = 0.01  # of the largest piece of tissue; smaller ones are specks in the air
SMALLEST_BODY = 0.005  # of the array: fewer voxels far from the background are specks, whatever their brightness
MOSTLY = 0.5  # of the voxels at a border that tell what lies inside of it
FAR = 2.0  # times the reach of the tissue: no scan has its own background so far off, unless it is 0
SPIKED = 4.0  # times the 99th percentile: a 99.9th beyond is of hot voxels or a marker
FACES = 6  # of an array: more values than these have are no padding but a ramp
STEP = 2  # along each axis, where a sample is enough


@dataclass(frozen=True, eq=False)
class Background:
    """The background of a scan.

    Attributes
    ----------
    value : float or None
        None when the scan has none.
    dust : (X, Y, Z) bool ndarray or None
        Voxels that are background though they have another value; None when there are none.
    """

    value: float | None
    dust: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Padding:
    """What was put around a scan, of other values than its background.

    Attributes
    ----------
    mask : (X, Y, Z) bool ndarray
    value : float
        Of the background that it surrounds.
    """

    mask: np.ndarray
    value: float

    def replaced(self, data: np.ndarray) -> np.ndarray:
        """A scan with its background in place of the padding, (X, Y, Z) float32 ndarray."""
        return np.where(self.mask, np.float32(self.value), data)


def find_padding(data: np.ndarray) -> Padding | None:
    """What surrounds a scan and is not its background: planes of one value, or the corners beside a tilted scan.

    None when there is nothing of the kind, or when what it surrounds has no background of its own.

    Parameters
    ----------
    data : (X, Y, Z) float32 ndarray, finite
    """
    planes = _plain_planes(data)
    return planes or _corners(data)


def _plain_planes(data: np.ndarray) -> Padding | None:
    box, values = _without_plain_planes(data)
    inner = data[box]
    if not 1 <= len(set(values)) <= FACES or min(inner.shape) <= STEP:
        return None
    value, share = _spike(edge_voxels(inner), inner)
    if share < MOSTLY:
        value = values[-1]  # the innermost
    reach = _reach(np.abs(inner[::STEP, ::STEP, ::STEP] - np.float32(value)))
    others = [each for each in set(values) if abs(each - value) > NEAR * reach]
    if not others:
        return None
    mask = np.isin(data, np.array(others, data.dtype))
    mask[box] = False
    return Padding(mask, value)


def _without_plain_planes(data: np.ndarray) -> tuple[tuple[slice, ...], list[float]]:
    """The box that is left without planes of one value at its ends, and those values, the innermost last."""
    values: list[float] = []
    box, before = [slice(0, n) for n in data.shape], -1
    while before != len(values):
        before = len(values)
        for axis, last in product(range(3), (False, True)):
            while (value := _value_of_end(data, box, axis, last)) is not None:
                box[axis] = slice(box[axis].start + (not last), box[axis].stop - last)
                values.append(value)
    return tuple(box), values


def _value_of_end(data: np.ndarray, box: list[slice], axis: int, last: bool) -> float | None:
    """The value of the plane at one end of a box; None when it has several, or no other plane is left."""
    low, high = box[axis].start, box[axis].stop
    at = high - 1 if last else low
    plane = data[tuple(slice(at, at + 1) if i == axis else each for i, each in enumerate(box))]
    return float(plane.flat[0]) if high - low > 1 and (plane == plane.flat[0]).all() else None


def _corners(data: np.ndarray) -> Padding | None:
    """Of a value within the range of what they surround, or far from it; else they are a scan's own background."""
    values, counts = np.unique(edge_voxels(data), return_counts=True)
    padded = values[counts.argmax()]
    sample = data[::STEP, ::STEP, ::STEP]
    is_padded = sample == padded
    inside = sample[~is_padded]
    around = sample[ndimage.binary_dilation(is_padded) & ~is_padded]
    if counts.max() < SMALLEST_SPIKE * counts.sum() or not around.size:
        return None
    value, share = _spike(around, inside.reshape(-1, 1, 1))
    reach, away = _reach(np.abs(inside - np.float32(value))), abs(padded - value)
    low, high = np.percentile(inside, [1, 99])
    possible = low < padded < high or (padded != 0 and away > FAR * reach > 0)
    if share < MOSTLY or not possible or away <= NEAR * reach:
        return None
    return Padding(_outside(data == padded), value)


def find_background(data: np.ndarray) -> Background:
    """The background: the value that the array's edges have most, and what is near to it and connected to the border.

    A scan whose background has exactly one value, as a mask leaves it, keeps all its other voxels: the dark rim
    of tissue is no background.

    Parameters
    ----------
    data : (X, Y, Z) float32 ndarray, finite
    """
    padding = find_padding(data)
    if padding is None:
        return _unpadded_background(data)
    found = _unpadded_background(padding.replaced(data))
    return Background(found.value, padding.mask if found.dust is None else padding.mask | found.dust)


def _unpadded_background(data: np.ndarray) -> Background:
    edges = edge_voxels(data)
    value, share = _spike(edges, data)
    if share < SMALLEST_SPIKE:
        return Background(None)
    sample = np.abs(data[::STEP, ::STEP, ::STEP] - np.float32(value))
    reach = _reach(sample)
    noise = float(np.percentile(np.abs(edges - value), 90))
    near = min(max(NEAR * reach, 2 * noise), NOISIEST * reach)
    tissue = int(np.count_nonzero(sample > near))
    dusty = int(np.count_nonzero((sample > 0) & (sample <= near)))
    clean = np.count_nonzero(edges == value) >= CLEAN_EDGES * edges.size and dusty <= CLEAN_SHARE * tissue
    if clean or not tissue:
        return Background(value)
    return Background(value, _outside(np.abs(data - np.float32(value)) <= near))


def edge_voxels(data: np.ndarray) -> np.ndarray:
    """The voxels on the twelve edges of an array, which bodies reach least.

    Parameters
    ----------
    data : (X, Y, Z) ndarray

    Returns
    -------
    (N,) ndarray
    """
    ends = [sorted({0, n - 1}) for n in data.shape]
    lines = [
        data[np.ix_(*(range(n) if axis == along else ends[axis] for axis, n in enumerate(data.shape)))].ravel()
        for along in range(3)
    ]
    return np.concatenate(lines)


def _spike(edges: np.ndarray, data: np.ndarray) -> tuple[float, float]:
    """The value that most voxels on the edges have, up to a hundredth of the range, and their share."""
    values, counts = np.unique(edges, return_counts=True)
    most = int(counts.argmax())
    if counts[most] >= 0.5 * edges.size:
        return float(values[most]), float(counts[most] / edges.size)
    low, high = np.percentile(data[::STEP, ::STEP, ::STEP], [0.1, 99.9])
    width = float(high - low) / 50
    ordered = np.sort(edges)
    within = np.searchsorted(ordered, ordered + width, side="right") - np.arange(ordered.size)
    first = int(within.argmax())
    spike = ordered[first : first + within[first]]
    exact, repeats = np.unique(spike, return_counts=True)
    value = exact[repeats.argmax()] if repeats.max() > 0.3 * spike.size else np.median(spike)
    return float(value), float(spike.size / edges.size)


def _reach(distance: np.ndarray) -> float:
    """How far the brightest tissue is from the background, but for one voxel in a thousand and for specks."""
    if not (distance > 0).any():
        return 0.0
    first = float(np.percentile(distance, 99.9)) or float(distance.max())
    far = distance > NEAR * first
    if np.count_nonzero(far) < SMALLEST_BODY * distance.size and (rest := _reach(distance[~far])) > 0:
        return rest
    return robust_top(distance[far])


def robust_top(values: np.ndarray, base: float = 0.0) -> float:
    """The 99.9th percentile of values, or the 99th where that is far above it, as hot voxels and markers are."""
    usual, top = map(float, np.percentile(values, [99.0, 99.9]))
    return top if top - base <= SPIKED * (usual - base) else usual


def _outside(near: np.ndarray) -> np.ndarray:
    """What of `near` is connected to the border, and the specks that it surrounds."""
    padded = np.pad(near, 1, constant_values=True)
    pieces, _ = ndimage.label(padded)
    outside = (pieces == pieces[0, 0, 0])[1:-1, 1:-1, 1:-1]
    tissue, count = ndimage.label(~outside)
    if count > 1:
        sizes = np.bincount(tissue.ravel())
        sizes[0] = 0
        outside |= (sizes < SMALLEST_PIECE * sizes.max())[tissue] & (tissue > 0)
    return outside
