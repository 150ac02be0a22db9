"""How ASC-Net sees scans: a panel of input, cuts, rebuilt image, mask and the histogram of Iro."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mood.conform import conform
from mood.errors import UsageError
from mood.methods import load_method
from mood.methods.ascnet import grey_levels, pictures
from mood.methods.ascnet.adversarial import rebuilt
from mood.methods.ascnet.grey_levels import Histogram, Levels
from mood.methods.ascnet.method import AscNet
from mood.networks.ascnet import SIDE_MULTIPLE
from mood.slices import filled_slices, pad_to_multiple, to_slices
from mood.volume import find_scans, load
from mood.weights.store import WeightsFolder

ROWS = 4


def inspect_folder(source: Path, weights: WeightsFolder, path: Path, threshold: float | None = None) -> Levels:
    """Write a panel for the scans of a folder: slices spread over each of the first scans.

    Parameters
    ----------
    source : pathlib.Path
        Folder of scans.
    weights : WeightsFolder
        Of ASC-Net.
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
    NoInputError, ScanError, UsageError, WeightsError
    """
    method = load_method(weights)
    if not isinstance(method, AscNet):
        raise UsageError(f"method '{method.name}' makes no cuts", fix="Choose ascnet")
    images = _chosen_slices(source, method)
    foreground, other, rebuilt_images = rebuilt(method.network, images[..., None])
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


def _chosen_slices(source: Path, method: AscNet) -> np.ndarray:
    """(ROWS, H, W): the middle filled slice of each scan, or several of the only ones."""
    paths = find_scans(source)[:ROWS]
    axis, chosen = method.settings.slice_axis, []
    for i, path in enumerate(paths):
        slices = to_slices(conform(load(path), method.region, method.grid)[0], axis)
        filled = filled_slices(slices)
        count = ROWS // len(paths) + (i < ROWS % len(paths))
        places = np.linspace(0, len(filled) - 1, count + 2).astype(int)[1:-1]
        chosen.append(pad_to_multiple(slices[filled[places]], SIDE_MULTIPLE))
    side = np.max([stack.shape[1:] for stack in chosen], axis=0)
    padded = [np.pad(s, ((0, 0), (0, side[0] - s.shape[1]), (0, side[1] - s.shape[2]))) for s in chosen]
    return np.concatenate(padded).astype(np.float32)
