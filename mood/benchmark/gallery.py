"""Pictures of the benchmark: maps of several methods side by side. Matplotlib without a display."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mood.atomic import replacing

PLAIN = ("scan", "altered", "label")  # columns that are shown in grey from 0 to 1


def save_maps(rows: dict[str, dict[str, np.ndarray]], path: Path) -> None:
    """Slices with the maps of several methods beside them, as a PNG.

    Parameters
    ----------
    rows : dict of str to dict of str to (X, Y) ndarray
        Rows by title; in each `scan`, `label` and any number of maps by name. A map's brightness is its value
        up to the highest that its method gives in any row, so that rows can be compared.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = list(next(iter(rows.values())))
    tops = {name: max(float(np.quantile(row[name], 0.999)) for row in rows.values()) for name in columns}
    figure = Figure(figsize=(1.6 * len(columns), 1.7 * len(rows) + 0.2), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for number, (axes, (title, row)) in enumerate(zip(grid, rows.items(), strict=True)):
        for each, name in zip(axes, columns, strict=True):
            plain = name in PLAIN
            top = 1.0 if plain else max(tops[name], 1e-6)
            each.imshow(row[name].T, cmap="gray" if plain else "inferno", vmin=0, vmax=top, origin="lower")
            each.set(xticks=[], yticks=[])
            each.set_title("" if number else name, fontsize=9)
        axes[0].set_ylabel(title, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=100)
