"""How ASC-Net sees scans: a panel of input, cuts, rebuilt image, mask and the histogram of Iro."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mood.errors import UsageError
from mood.methods.ascnet import grey_levels, pictures
from mood.methods.ascnet.adversarial import rebuilt
from mood.methods.ascnet.grey_levels import Histogram, Levels
from mood.methods.ascnet.method import AscNet
from mood.methods.base import Method
from mood.methods.slices import filled_slices, pad_to_multiple, to_slices
from mood.networks.ascnet import SIDE_MULTIPLE

ROWS = 4


def inspect_scans(scans: Sequence[np.ndarray], method: Method, path: Path, threshold: float | None = None) -> Levels:
    """Write a panel for some scans: slices spread over each of the first `ROWS`.

    Parameters
    ----------
    scans : sequence of (X, Y, Z) float32 ndarray in [0, 1]
        On the method's grid.
    method : AscNet
        Trained.
    path : pathlib.Path
        PNG file to write.
    threshold : float, optional
        On Iro, by hand, instead of the valley that training found.

    Returns
    -------
    Levels
        What the mask was made with.

    Raises
    ------
    UsageError
        When the method is another one, or the threshold is no grey level.
    """
    if not isinstance(method, AscNet):
        raise UsageError(f"method '{method.name}' makes no cuts", fix="Choose ascnet")
    images = _chosen_slices(scans[:ROWS], method.settings.slice_axis)
    foreground, other, rebuilt_images = rebuilt(method.runner, images[..., None])
    histogram = grey_levels.measure(rebuilt_images, rebuilt_images)
    levels = method.levels if threshold is None else given_levels(threshold, method.levels, histogram)
    columns = {"input": images, "Ifc": foreground, "Iwc": other, "Iro": rebuilt_images}
    pictures.save_panel(columns | {"mask": levels.mask(rebuilt_images)}, histogram, levels, path)
    return levels


def given_levels(threshold: float, found: Levels, histogram: Histogram) -> Levels:
    """Levels for a threshold by hand; the normal side is that of the normal peak that training found last."""
    if not 0 < threshold < 1:
        raise UsageError(f"threshold {threshold} is not a grey level", fix="Give one between 0 and 1")
    normal = [peak for peak, kind in zip(found.peaks, found.kinds, strict=True) if not kind]
    return grey_levels.levels_at(threshold, normal[-1] if normal else histogram.normal)


def _chosen_slices(scans: Sequence[np.ndarray], axis: int) -> np.ndarray:
    """(ROWS, H, W): the middle filled slice of each scan, or several of the only ones."""
    chosen = []
    for i, scan in enumerate(scans):
        slices = to_slices(scan, axis)
        filled = filled_slices(slices)
        count = ROWS // len(scans) + (i < ROWS % len(scans))
        places = np.linspace(0, len(filled) - 1, count + 2).astype(int)[1:-1]
        chosen.append(pad_to_multiple(slices[filled[places]], SIDE_MULTIPLE))
    side = np.max([stack.shape[1:] for stack in chosen], axis=0)
    padded = [np.pad(s, ((0, 0), (0, side[0] - s.shape[1]), (0, side[1] - s.shape[2]))) for s in chosen]
    return np.concatenate(padded).astype(np.float32)
