"""The skull taken off: a head in, its brain out, on the same voxels.

One network finds the box that holds the brain, on the whole scan brought to 128 voxels a side; another one tells
brain from the rest within that box, brought to 256 (Fisch et al., Computers in Biology and Medicine 179, 2024). Of
what it finds the largest piece is kept, its holes filled. They know adults' T1.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import ndimage

from mood.engines import Engine
from mood.errors import ScanError
from mood.geometry import scan_axes
from mood.resampling import apply_along_axes, centred_resampling
from mood.volume import Volume

AUTO, ALWAYS, NEVER = "auto", "always", "never"  # when it is done: where a skull seems to be on, or whatever it seems
BY = "by mood, with the networks of deepbet 1.0.2"
BOX_SIDE, MASK_SIDE = 128, 256
WINDOW = (0.005, 0.995)  # quantiles of the whole scan that become 0 and 1
MEAN, SPREAD = 0.449, 0.226  # of what the networks were shown
FILLED = 0.02  # of a plane through the scan that must be brain for the box to reach it
MARGIN = 0.1  # of the box's size, on either side
SMALLEST_SHARE = 0.002  # of the scan's voxels: less brain than that is none
Forward = Callable[[np.ndarray], np.ndarray]


def strip_skull(scan: Volume, engine: Engine) -> Volume:
    """The scan with everything but the brain at its lowest value, or at 0 where that is lower.

    Parameters
    ----------
    scan : Volume
        A T1 of a head, in any orientation.
    engine : Engine
        What runs the networks.

    Raises
    ------
    ScanError
        When no brain is found.
    """
    mask = brain_mask(scan, engine)
    outside = np.float32(min(float(scan.data.min()), 0.0))
    return replace(scan, data=np.where(mask, scan.data, outside))


def brain_mask(scan: Volume, engine: Engine) -> np.ndarray:
    """Where a scan holds brain; (X, Y, Z) bool ndarray on its own voxels, `ScanError` where it holds none."""
    axes = scan_axes(scan)
    flips = tuple(slice(None, None, -1 if flipped else 1) for flipped in axes.flips)
    upright = scan.data.transpose(axes.order)[flips]
    mask = _upright_mask(upright, *_networks(engine))
    if np.count_nonzero(mask) < SMALLEST_SHARE * mask.size:
        raise ScanError("no brain was found in it", where=scan.path, fix="Strip it with another tool, or --strip never")
    return mask[flips].transpose(np.argsort(axes.order))


@functools.lru_cache(maxsize=1)
def _networks(engine: Engine) -> tuple[Forward, Forward]:
    """What finds the box, and what the brain in it."""
    from mood.networks.linknet3d import NETWORKS, pretrained_linknet3d  # and Keras, which takes seconds

    box, mask = engine.runners({name: pretrained_linknet3d(name) for name in NETWORKS}).values()
    return box, mask


def _upright_mask(upright: np.ndarray, box_network: Forward, mask_network: Forward) -> np.ndarray:
    coarse = _nearest(upright, (BOX_SIDE,) * 3)
    low, high = np.quantile(coarse, WINDOW)
    window = float(low), float(high)
    mask = np.zeros(upright.shape, bool)
    rough = _largest(_shares(coarse, window, box_network) > 0.5)
    if not rough.any():
        return mask
    box = _box(rough, upright.shape)
    shares = _shares(_nearest(upright[box], (MASK_SIDE,) * 3), window, mask_network)
    fine = _resampled(shares, upright[box].shape) > 0.5
    mask[box] = ndimage.binary_fill_holes(_largest(fine))
    return mask


def _shares(scan: np.ndarray, window: tuple[float, float], network: Forward) -> np.ndarray:
    """How likely each voxel is brain, in the brightness that the network was trained on."""
    low, high = window
    shown = np.clip((scan - low) / max(high - low, 1e-12), 0, 1)
    shown = SPREAD * (shown - shown.mean()) / max(float(shown.std(ddof=1)), 1e-12) + MEAN
    return network(shown.astype(np.float32)[None, ..., None])[0, ..., 1]


def _nearest(scan: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Brought to another number of voxels by taking the nearest, as the networks were trained."""
    indices = [((np.arange(n) + 0.5) * size / n).astype(int) for n, size in zip(shape, scan.shape, strict=True)]
    return scan[np.ix_(*indices)]


def _resampled(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    axes = zip(shape, image.shape, strict=True)
    return apply_along_axes(image, tuple(centred_resampling(size, own, own / size) for size, own in axes))


def _largest(mask: np.ndarray) -> np.ndarray:
    pieces, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return pieces == sizes.argmax()


def _box(rough: np.ndarray, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """The box about what was found, with a margin, in voxels of the whole scan."""
    slices = []
    for axis, size in enumerate(shape):
        filled = np.flatnonzero(rough.mean(axis=tuple(i for i in range(3) if i != axis)) > FILLED)
        first, last = (int(filled[0]), int(filled[-1]) + 1) if filled.size else (0, rough.shape[axis])
        scale, margin = size / rough.shape[axis], MARGIN * (last - first)
        slices.append(slice(max(0, round(scale * (first - margin))), min(size, round(scale * (last + margin)))))
    return tuple(slices)
