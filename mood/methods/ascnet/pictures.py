"""Pictures of what ASC-Net does: histograms, images and panels. Matplotlib without a display."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mood.atomic import replacing
from mood.methods.ascnet.grey_levels import Histogram, Levels

NORMAL_COLOUR, ANOMALOUS_COLOUR, THRESHOLD_COLOUR = "tab:blue", "tab:red", "0.3"


def save_histogram(histogram: Histogram, levels: Levels, path: Path) -> None:
    """Iro's histogram over held-out inputs and reference images, with peaks and thresholds, as a PNG."""
    figure = _figure(6, 4)
    _draw_histogram(figure.subplots(), histogram, levels)
    _save(figure, path)


def save_panel(images: dict[str, np.ndarray], histogram: Histogram, levels: Levels, path: Path) -> None:
    """Some slices in rows, what was made of them in columns, and the histogram below.

    Parameters
    ----------
    images : dict of str to (N, H, W) ndarray in [0, 1]
        Columns by title, for example input, Ifc, Iwc, Iro and mask.
    """
    rows, columns = len(next(iter(images.values()))), len(images)
    figure = _figure(2 * columns, 2 * rows + 3)
    grid = figure.add_gridspec(rows + 1, columns, height_ratios=[2] * rows + [3])
    for column, (title, stack) in enumerate(images.items()):
        for row, image in enumerate(stack):
            axes = figure.add_subplot(grid[row, column])
            axes.imshow(image.T, cmap="gray", vmin=0, vmax=1, origin="lower")
            axes.set_axis_off()
            axes.set_title(title if row == 0 else "", fontsize=9)
    _draw_histogram(figure.add_subplot(grid[rows, :]), histogram, levels)
    _save(figure, path)


def save_images(images: np.ndarray, folder: Path, low: float, high: float) -> None:
    """One PNG an image, 000000.png and so on, `low` black and `high` white.

    Parameters
    ----------
    images : (N, H, W) ndarray
    """
    from matplotlib import image

    folder.mkdir(parents=True, exist_ok=True)
    for i, picture in enumerate(images):
        with replacing(folder / f"{i:06d}.png") as temporary:
            image.imsave(temporary, picture, cmap="gray", vmin=low, vmax=max(high, low + 1e-6))


def _save(figure, path: Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=100)


def _figure(width: float, height: float):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _draw_histogram(axes, histogram: Histogram, levels: Levels) -> None:
    for name, shares, style in (("inputs", histogram.inputs, "-"), ("reference", histogram.reference, ":")):
        axes.plot(histogram.centres, shares + 1e-6, style, label=name)
    for position, kind in zip(levels.peaks, levels.kinds, strict=True) if levels.split else ():
        colour = ANOMALOUS_COLOUR if kind else NORMAL_COLOUR
        axes.axvline(position, color=colour, alpha=0.5, label="anomalous peak" if kind else "normal peak")
    for threshold in levels.thresholds:
        axes.axvline(threshold, color=THRESHOLD_COLOUR, linestyle="--", label=f"threshold {threshold:.3f}")
    margin = 0.02 * (histogram.high - histogram.low)
    axes.set(yscale="log", xlabel="Iro", ylabel="share of pixels")
    axes.set_xlim(histogram.low - margin, histogram.high + margin)
    axes.legend(fontsize=7)
