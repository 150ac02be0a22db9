"""What the numbers of a CT are: Hounsfield units, those with an offset, or a window of them already."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SAMPLE_STEP = 2  # along each axis
PADDING = -1100.0  # no tissue is below; scanners write -2000, -2048, -3024 or -32768 outside their field of view
OVERSHOOT = 0.25  # of a window's width: what interpolation adds beyond its ends
SATURATED = 0.002  # of the voxels above air: bone that a window has cut to its upper end
SOFT_TISSUE_HU = (-20.0, 90.0)
FAT_HU = (-140.0, -60.0)
CLOSE = (-0.15, 0.1)  # fat to soft tissue in thousandths; 0.8 to 0.9 of what is dense there, 0.3 to 0.6 in a window
STORED_OFFSET = 1024.0  # between Hounsfield units and what scanners store without a sign
STORED_OFFSETS = (STORED_OFFSET, 1000.0, 2048.0, 8192.0, 32768.0)
NOT_ZERO = 0.2  # of the brightest: what begins above is no window from 0
NARROWEST = 100.0  # Hounsfield units that a CT spans; numbers that span less have another unit
DIM = 0.75  # of a window: the bone in every body is brighter
LEAST_BODY = 0.15  # of the voxels above air: soft tissue and fat under a reading that is right


@dataclass(frozen=True)
class CtWindow:
    """The values that become 0 and 1, what the scan was taken for, and why that may be wrong (or nothing)."""

    taken_for: str
    low: float
    high: float
    doubt: str = ""


def ct_window(data: np.ndarray, window_hu: tuple[float, float]) -> CtWindow:
    """The soft-tissue window in the numbers of a scan.

    Parameters
    ----------
    data : (X, Y, Z) float32 ndarray
    window_hu : two floats
        What becomes 0 and 1, in Hounsfield units.
    """
    sample = data[::SAMPLE_STEP, ::SAMPLE_STEP, ::SAMPLE_STEP]
    inside = sample[sample > PADDING] if (sample > PADDING).any() else sample.ravel()
    low, high = map(float, np.percentile(inside, [0.1, 99.9]))
    ends = float(inside.min()), float(inside.max())
    if 0 < ends[1] - ends[0] < NARROWEST and _is_cut(inside, *ends) and not _is_usual(*ends):
        return CtWindow(f"CT in a window from {ends[0]:.3g} to {ends[1]:.3g}", *ends)
    if low >= -OVERSHOOT and high <= 1 + OVERSHOOT:
        return CtWindow("CT in [0, 1]", 0.0, 1.0, _doubt_of_range(high))
    if low >= -1 - OVERSHOOT and high <= 2.5:
        return _between_minus_one_and_one(inside, window_hu)
    if low < -100 and high <= 140 and low >= -150 and _saturated(inside, high) and high >= 100:
        return CtWindow("CT in [-128, 127]", -128.0, 127.0)
    if low < 0 and high - low < NARROWEST:
        doubt = "they are of no unit that is known, nor cut at their ends as by a window"
        return CtWindow(f"CT from {low:.3g} to {high:.3g}", low, high, doubt)
    if low < -0.1 * high or low < -100:
        return _checked("CT in Hounsfield units", 0.0, inside, window_hu)
    return _from_zero(inside, low, high, window_hu)


def _is_usual(low: float, high: float) -> bool:
    """Whether numbers end where windows to [0, 1] and [-1, 1] and thousandths of Hounsfield units do."""
    return -1 - OVERSHOOT <= low <= -DIM or (abs(low) <= OVERSHOOT and DIM <= high <= 1 + OVERSHOOT)


def _is_cut(inside: np.ndarray, low: float, high: float) -> bool:
    """Whether many voxels have exactly the lowest or highest value, as after a window."""
    above = max(_count(inside > low), 1)
    return _count(inside == low) >= SATURATED * inside.size and _count(inside == high) >= SATURATED * above


def _doubt_of_range(high: float) -> str:
    return "" if high >= DIM else f"nothing is brighter than {high:.3g}: a body in a window would be"


def _between_minus_one_and_one(inside: np.ndarray, window_hu: tuple[float, float]) -> CtWindow:
    """A window stretched to [-1, 1], or thousandths of Hounsfield units, in which fat and soft tissue are close."""
    dense = inside[inside > -0.5]
    close = _count((dense > CLOSE[0]) & (dense < CLOSE[1])) / max(dense.size, 1)
    doubt = "it may be a window from -1 to 1 or thousandths of Hounsfield units" if abs(close - 0.7) < 0.05 else ""
    if close > 0.7 or inside.max() > 1 + OVERSHOOT:
        window = _checked("CT in thousandths of Hounsfield units", 0.0, inside * np.float32(1000), window_hu)
        return CtWindow(window.taken_for, window.low / 1000, window.high / 1000, window.doubt or doubt)
    return CtWindow("CT in [-1, 1]", -1.0, 1.0, doubt)


def _from_zero(inside: np.ndarray, low: float, high: float, window_hu: tuple[float, float]) -> CtWindow:
    """Readings of numbers without a sign: 8 bits, a window from 0, or Hounsfield units with an offset."""
    if 200 < high <= 255 * (1 + OVERSHOOT / 2) or 200 < inside.max() <= 255:
        return CtWindow("CT of 8 bits", 0.0, 255.0)
    offset = _best_offset(inside, window_hu)
    if offset is None and low > NOT_ZERO * high:
        return _of_unknown_offset(inside, low, window_hu)
    window_share = _body_share(inside / np.float32(high / (window_hu[1] - window_hu[0])), -window_hu[0])
    is_window = _saturated(inside, high) and window_share > LEAST_BODY
    if high > 1000 and offset is not None and not (is_window and window_share > _body_share(inside, offset)):
        return CtWindow(f"CT in Hounsfield units + {offset:g}", window_hu[0] + offset, window_hu[1] + offset)
    top = float(np.percentile(inside, 99.5))
    if _saturated(inside, top) or high <= 1000:
        doubt = "" if _saturated(inside, top) else "no value is one that a window would have cut to"
        return CtWindow(f"CT in a window from 0 to {top:g}", 0.0, top, doubt)
    return _checked(f"CT in Hounsfield units + {STORED_OFFSET:g}", STORED_OFFSET, inside, window_hu)


def _of_unknown_offset(inside: np.ndarray, low: float, window_hu: tuple[float, float]) -> CtWindow:
    """Hounsfield units + what makes air of the darkest."""
    offset = low + STORED_OFFSET
    window = _checked(f"CT in Hounsfield units + {offset:g}", offset, inside, window_hu)
    doubt = window.doubt or "its offset is guessed from its darkest value"
    return CtWindow(window.taken_for, window.low, window.high, doubt)


def _best_offset(inside: np.ndarray, window_hu: tuple[float, float]) -> float | None:
    """The customary offset under which most is soft tissue or fat; None when little is under any."""
    shares = {offset: _body_share(inside, offset) for offset in STORED_OFFSETS}
    best = max(shares, key=lambda offset: shares[offset])
    if best == 1000.0 and shares[1024.0] > 0.8 * shares[best]:
        best = _by_air(inside)
    return best if shares[best] >= LEAST_BODY else None


def _by_air(inside: np.ndarray) -> float:
    """1024 or 1000, for scans that both fit: air, cut off at -1024, reaches 0 under either, and lies about -1000."""
    air = inside[inside < 200]
    return 1000.0 if air.size > 0.05 * inside.size and np.median(air) < 8 else 1024.0


def _body_share(inside: np.ndarray, offset: float) -> float:
    """How much of what is above air is soft tissue or fat, if the scan has this offset."""
    body = inside[inside > offset - 300]
    if not body.size:
        return 0.0
    hu = body - np.float32(offset)
    soft = np.count_nonzero((hu >= SOFT_TISSUE_HU[0]) & (hu <= SOFT_TISSUE_HU[1]))
    fat = np.count_nonzero((hu >= FAT_HU[0]) & (hu <= FAT_HU[1]))
    return (soft + fat) / body.size


def _checked(taken_for: str, offset: float, inside: np.ndarray, window_hu: tuple[float, float]) -> CtWindow:
    doubt = ""
    if _body_share(inside, offset) < LEAST_BODY:
        doubt = "little of it has the density of soft tissue or fat, whatever unit is assumed"
    return CtWindow(taken_for, window_hu[0] + offset, window_hu[1] + offset, doubt)


def _saturated(inside: np.ndarray, top: float) -> bool:
    """Whether many voxels have the uppermost value, as after a window."""
    return _count(inside >= 0.995 * top) >= SATURATED * max(_count(inside > 0.05 * top), 1)


def _count(where: np.ndarray) -> int:
    return int(np.count_nonzero(where))
