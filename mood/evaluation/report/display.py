"""What the browser shows: scan, rarity and outlines on one coarse enough RAS grid, packed into text."""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass

import nibabel as nib
import numpy as np

from mood.evaluation.report.rarity import TOP
from mood.resampling import apply_along_axes, centred_resampling

MARGIN = 4  # voxels around the body
LARGEST_VOXELS = 2_500_000  # software graphics draw them within seconds
LARGEST_PACKED = 3_000_000  # bytes of both volumes as text, so that a page stays under 6 MB
COARSER = 1.2  # times the voxel size, when they do not fit
SHOWN_FROM = 1.5  # decades; what is less rare is never shown and stored as 0
STEPS_A_DECADE = 16  # of the stored rarity: 80 is 1 in 100,000
PLACE_FROM, LABEL_FROM = 84, 168  # what is added in the outline of a place and of the label


@dataclass(frozen=True)
class Display:
    """Volumes for a browser, RAS axes.

    Attributes
    ----------
    scan : (X, Y, Z) float32 ndarray in [0, 1]
    decades : (X, Y, Z) float32 ndarray
        How rare each voxel is, 0 outside the body.
    labels : (X, Y, Z) uint16 ndarray
        Numbers of the places.
    truth : (X, Y, Z) bool ndarray or None
        The label, where there is one.
    affine : (4, 4) float64 ndarray
    """

    scan: np.ndarray
    decades: np.ndarray
    labels: np.ndarray
    truth: np.ndarray | None
    affine: np.ndarray

    @property
    def spacing_mm(self) -> np.ndarray:
        return nib.affines.voxel_sizes(self.affine)


def make_display(
    scan: np.ndarray,
    decades: np.ndarray,
    labels: np.ndarray,
    truth: np.ndarray | None,
    body: np.ndarray,
    affine: np.ndarray,
) -> Display:
    """Bring the volumes of one scan to RAS axes, cut them to the body and make them coarse enough to show.

    Parameters
    ----------
    scan, decades, labels, truth, body : (X, Y, Z) ndarrays
        On the scan's own voxels.
    """
    whole = Display(scan, np.where(body, decades, 0), labels, truth, affine)
    display = _cropped(_canonical(whole), _canonical_array(body, affine))
    return coarser(display, max(1.0, (display.scan.size / LARGEST_VOXELS) ** (1 / 3)))


def _canonical(display: Display) -> Display:
    orientation = nib.io_orientation(display.affine)
    turned = display.affine @ nib.orientations.inv_ornt_aff(orientation, display.scan.shape)
    arrays = [_canonical_array(each, display.affine) for each in (display.scan, display.decades, display.labels)]
    truth = None if display.truth is None else _canonical_array(display.truth, display.affine)
    return Display(arrays[0], arrays[1], arrays[2], truth, turned)


def _canonical_array(data: np.ndarray, affine: np.ndarray) -> np.ndarray:
    return nib.orientations.apply_orientation(data, nib.io_orientation(affine))


def _cropped(display: Display, body: np.ndarray) -> Display:
    box = []
    for axis in range(3):
        filled = np.flatnonzero(body.any(axis=tuple(i for i in range(3) if i != axis)))
        low, high = (filled[0], filled[-1] + 1) if filled.size else (0, body.shape[axis])
        box.append(slice(max(int(low) - MARGIN, 0), int(high) + MARGIN))
    inside = tuple(box)
    moved = display.affine @ nib.affines.from_matvec(np.eye(3), [axis.start for axis in inside])
    truth = None if display.truth is None else display.truth[inside]
    return Display(display.scan[inside], display.decades[inside], display.labels[inside], truth, moved)


def coarser(display: Display, factor: float) -> Display:
    """The same with larger voxels; grey values and rarities are averaged, labels taken from the nearest voxel.

    Voxels become `factor` times as large as the finest, none smaller than it is.
    """
    spacing = display.spacing_mm
    steps = np.maximum(spacing.min() * factor / spacing, 1.0)
    if (steps < 1.01).all():
        return display
    sizes = [max(1, round(n / step)) for n, step in zip(display.scan.shape, steps, strict=True)]
    plans = tuple(centred_resampling(m, n, s) for m, n, s in zip(sizes, display.scan.shape, steps, strict=True))
    starts = [(n - 1) / 2 - s * (m - 1) / 2 for m, n, s in zip(sizes, display.scan.shape, steps, strict=True)]
    nearest = np.ix_(*map(_nearest, sizes, display.scan.shape, starts, steps))
    return Display(
        apply_along_axes(np.ascontiguousarray(display.scan, np.float32), plans),
        apply_along_axes(np.ascontiguousarray(display.decades, np.float32), plans),
        display.labels[nearest],
        None if display.truth is None else display.truth[nearest],
        display.affine @ nib.affines.from_matvec(np.diag(steps), starts),
    )


def _nearest(size_out: int, size_in: int, start: float, step: float) -> np.ndarray:
    return np.clip(np.rint(start + step * np.arange(size_out)).astype(int), 0, size_in - 1)


def pack(display: Display) -> dict[str, str]:
    """`scan` and `overlay` as gzipped NIfTI in base64, coarsened until they fit a page.

    The overlay is one volume, because a browser takes seconds for each: how rare a voxel is in sixteenths of a
    decade, plus `PLACE_FROM` in the outline of a place or `LABEL_FROM` in the outline of the label.
    """
    packed = _packed(display)
    while sum(map(len, packed.values())) > LARGEST_PACKED:
        display = coarser(display, COARSER)
        packed = _packed(display)
    return packed


def _packed(display: Display) -> dict[str, str]:
    grey = np.rint(np.clip(display.scan, 0, 1) * 127).astype(np.uint8)  # seven bits: half the size, no eye sees it
    rare = np.where(display.decades >= SHOWN_FROM, np.rint(display.decades * STEPS_A_DECADE), 0)
    overlay = np.minimum(rare, TOP * STEPS_A_DECADE).astype(np.uint8)
    overlay[_outlines(display.labels)] += PLACE_FROM
    if display.truth is not None:
        outline = _outlines(display.truth)
        overlay[outline] = overlay[outline] % PLACE_FROM + LABEL_FROM
    return {name: _nifti_text(data, display.affine) for name, data in (("scan", grey), ("overlay", overlay))}


def _outlines(labels: np.ndarray) -> np.ndarray:
    """The voxels of each region that have a neighbour across a face outside it."""
    numbers = np.pad(labels.astype(np.uint16), 1)
    same = np.ones(labels.shape, bool)
    inner = numbers[1:-1, 1:-1, 1:-1]
    for axis in range(3):
        for side in (slice(None, -2), slice(2, None)):
            same &= numbers[tuple(side if i == axis else slice(1, -1) for i in range(3))] == inner
    return (inner > 0) & ~same


def _nifti_text(data: np.ndarray, affine: np.ndarray) -> str:
    image = nib.Nifti1Image(data, affine)
    return base64.b64encode(gzip.compress(image.to_bytes(), 6, mtime=0)).decode("ascii")
