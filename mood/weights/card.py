"""The card of trained weights: what they are, what they have seen, how they were chosen."""

from __future__ import annotations

from typing import Any

from mood.typed import encode
from mood.weights.config import WeightsConfig


def card_text(config: WeightsConfig) -> str:
    """Markdown for people, from what `config.json` holds for programs."""
    training = encode(config.training)
    note = training.pop("note") or "Nothing was stated about the data."
    rows = {**encode(config.settings), **training, **(encode(config.bench) if config.bench else {})}
    table = "\n".join(f"| {name.replace('_', ' ')} | {_cell(value)} |" for name, value in rows.items())
    return (
        f"# {config.method}-{config.region}\n\n{note}\n\n"
        "The checkpoint was chosen by average precision on synthetic outliers (kinds that are not trained on) "
        f"planted in held-out healthy scans.\n\n| | |\n| --- | --- |\n{table}\n"
    )


def summary(config: WeightsConfig) -> list[str]:
    """A few lines for a terminal: recipe, data, scores, checksum."""
    settings, training, bench = config.settings, config.training, config.bench
    grid = " x ".join(map(str, settings["grid_shape"]))
    spacing = " x ".join(f"{mm:.3g}" for mm in settings["spacing_mm"])
    tasks = f"; tasks {', '.join(settings['tasks'])}" if "tasks" in settings else ""
    lines = [
        f"method {config.method}, region {config.region}; grid {grid}, voxels {spacing} mm{tasks}",
        f"{training.training_scans} scans, {training.steps} steps, {training.device}: {training.note}",
    ]
    if bench:
        lines.append(
            f"benchmark ({bench.bench_group}): mean pixel AP {_figure(bench.bench_pixel_ap)}, "
            f"mean sample AUROC {_figure(bench.bench_sample_auroc)}"
        )
    if config.int8:
        lines.append("int8 graphs are beside them (--precision int8)")
    return [*lines, f"SHA-256 {config.sha256}"]


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
