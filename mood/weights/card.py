"""The card of trained weights: what they are, what they have seen, how they were chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mood.typed import encode
from mood.weights.config import CurvePoint, Step, TrainingFacts, WeightsConfig

NOT_RECORDED = (
    "These weights were trained before command, commit and library versions were recorded, so nothing promises "
    "that they can be made again byte for byte."
)

LEARNT = "Average precision on altered places of the training's own kinds, in brains that it was kept from."


def card_text(config: WeightsConfig) -> str:
    """Markdown for people, from what `config.json` holds for programs.

    Parameters
    ----------
    config : WeightsConfig
        With the checksum or without.
    """
    training = encode(config.training)
    note = training.pop("note", "") or "Nothing was stated about the data."
    training.pop("provenance", None)
    training.pop("curves", None)
    sections = [f"# {config.method}-{config.region}", note, _choice(config.training)]
    sections += ["## What was used", _table(training)]
    if curves := config.training.curves:
        sections += ["## Learning curves", LEARNT, *(_curve(name, points) for name, points in curves.items())]
    sections.append("## Made with")
    sections += [_step(step) for step in config.training.provenance] or [NOT_RECORDED]
    plain = {name: value for name, value in encode(config.settings).items() if not isinstance(value, dict)}
    sections += ["## Settings", _table(plain)]
    if config.bench:
        sections += [
            "## Measured",
            _table({name: value for name, value in encode(config.bench).items() if value is not None}),
        ]
    return "\n\n".join(sections) + "\n"


def _curve(name: str, points: Sequence[CurvePoint]) -> str:
    rows = [f"| {p.steps} | {p.seconds:.0f} | {p.loss:.4f} | {p.check_ap:.3f} | {p.chance:.4f} |" for p in points]
    return "\n".join([f"{name}:\n", "| steps | seconds | loss | AP | chance |", "| --- " * 5 + "|", *rows])


def summary(config: WeightsConfig) -> list[str]:
    """A few lines for a terminal: recipe, data, scores, checksum.

    Parameters
    ----------
    config : WeightsConfig
        Of weights with a checksum.
    """
    settings, training, bench = config.settings, config.training, config.bench
    grid = " x ".join(map(str, settings["grid_shape"]))
    spacing = " x ".join(f"{mm:.3g}" for mm in settings["spacing_mm"])
    tasks = f"; tasks {', '.join(settings['tasks'])}" if "tasks" in settings else ""
    lines = [
        f"method {config.method}, region {config.region}; grid {grid}, voxels {spacing} mm{tasks}",
        f"{training.training_scans} scans, {training.steps} steps, {training.device}: {training.note}",
    ]
    lines += [f"{step.step}: {step.command} ({step.code[:12]})" for step in training.provenance]
    if bench:
        ap, auroc = _figure(bench.bench_pixel_ap), _figure(bench.bench_sample_auroc)
        measured = f"mean pixel AP of the maps as they come {ap}, mean sample AUROC {auroc}"
        lines.append(f"benchmark ({bench.bench_group}): {measured}")
        if bench.lesion_ap is not None:
            chance = _figure(bench.lesion_share)
            lines.append(f"real lesions ({bench.lesion_scans} scans): AP {_figure(bench.lesion_ap)}, chance {chance}")
    if config.int8:
        lines.append("int8 graphs are beside them (--precision int8)")
    return [*lines, f"SHA-256 {config.sha256}"]


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _choice(training: TrainingFacts) -> str:
    """How the checkpoint was chosen."""
    held_out = training.held_out_scans
    if not held_out:
        return "No scan was held out: the checkpoint is the last one, and the scores are not calibrated."
    if training.selection_ap < 0:
        return f"There was no checkpoint to choose: {len(held_out)} held-out healthy scans calibrate the scores only."
    return (
        "The checkpoint was chosen by average precision on synthetic outliers (kinds that are not trained on) "
        f"planted in {len(held_out)} held-out healthy scans, which calibrate the scores too."
    )


def _step(step: Step) -> str:
    """One command with the code, the libraries and the scans it ran on."""
    libraries = ", ".join(f"{name} {version}" for name, version in step.versions.items())
    scans = f"{step.scans} scans, SHA-256 of their list {step.scans_sha256}"
    if step.unlabelled:
        scans += f"; {step.unlabelled} unlabelled ones, {step.unlabelled_sha256}"
    return f"    {step.command}\n\nCode: {step.code}. With {libraries}. On {scans}."


def _table(rows: dict[str, Any]) -> str:
    lines = [f"| {name.replace('_', ' ')} | {_cell(value)} |" for name, value in rows.items()]
    return "\n".join(["| | |", "| --- | --- |", *lines])


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
