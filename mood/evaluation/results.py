"""What an evaluation found: as an object, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from mood.atomic import write_text
from mood.evaluation.objects import ObjectCounts

UNDEFINED = "–"
PIXEL_COLUMNS = ("Best Dice", "F1", "P", "R")
CAPTION = "AP: average precision, the official score. Brackets: 95 % bootstrap interval over cases."
MINIMAL_WIDTHS = {"Method": 8, "Best Dice": 6}
PIXEL_CAPTION = (
    "Best Dice: at the one threshold, in brackets, that the labels say is best, so an upper bound. "
    "F1, P (precision), R (recall): of objects at that threshold."
)
TITLES = {"pixel": "Voxels: the maps against labels", "sample": "Scans: the sample scores against labels"}
NO_OUTLIER = f"{UNDEFINED}: undefined, for the labels have nothing to find, or nothing but that."


@dataclass(frozen=True)
class Estimate:
    """A pooled metric with its 95 % bootstrap interval over cases; NaN where undefined."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if math.isnan(self.value):
            return UNDEFINED
        interval = UNDEFINED if math.isnan(self.low) else f"{self.low:.2f}, {self.high:.2f}"
        return f"{self.value:.3f} [{interval}]"


@dataclass(frozen=True)
class Scores:
    """The two threshold-free metrics of some cases."""

    cases: int
    average_precision: Estimate
    auroc: Estimate


@dataclass(frozen=True)
class Evaluation:
    """What one set of predictions reaches.

    Attributes
    ----------
    mode : {'pixel', 'sample'}
    cases : int
    missing : dict
        Case name to the reason why its prediction counted as 0.
    average_precision : Estimate
        Its `value` is the challenge's official number.
    auroc : Estimate
    dice, threshold : float or None
        Best Dice of one threshold over all voxels, chosen with the labels: an upper bound. Pixel only.
    objects : ObjectCounts or None
        Objects found at that threshold. Pixel only.
    kinds : dict
        Kind of outlier to its `Scores`, when case names end in `_KIND`: voxels of the cases of that kind
        alone, or samples of that kind against those whose names end in `_healthy`.
    per_case : tuple of dict
        One row a case, for a table.
    """

    mode: str
    cases: int
    missing: dict[str, str]
    average_precision: Estimate
    auroc: Estimate
    dice: float | None = None
    threshold: float | None = None
    objects: ObjectCounts | None = None
    kinds: dict[str, Scores] = field(default_factory=dict)
    per_case: tuple[dict[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, strings and numbers for JSON; None where a number is undefined."""
        content = asdict(self)
        if self.objects is not None:
            ratios = {name: getattr(self.objects, name) for name in ("precision", "recall", "f1")}
            content["objects"] |= ratios
        return without_nan(content)


def render_table(evaluations: dict[str, Evaluation]) -> Table:
    """Several methods side by side: one row a method, one column a metric, intervals in brackets."""
    pixel = any(evaluation.objects is not None for evaluation in evaluations.values())
    extra = PIXEL_COLUMNS if pixel else ()
    captions = [CAPTION, *([PIXEL_CAPTION] if pixel else ())]
    if any(math.isnan(evaluation.average_precision.value) for evaluation in evaluations.values()):
        captions.append(NO_OUTLIER)
    table = _table("Method", "Cases", *extra, title=_title(evaluations), caption=" ".join(captions))
    for method, evaluation in evaluations.items():
        lost = f" ({len(evaluation.missing)} lost)" if evaluation.missing else ""
        scores = (str(evaluation.average_precision), str(evaluation.auroc))
        cells = _pixel_cells(evaluation) if pixel else ()
        table.add_row(method, f"{evaluation.cases}{lost}", *scores, *cells)
    return table


def render_kinds(evaluations: dict[str, Evaluation]) -> Table | None:
    """The methods on each kind of outlier by itself; None when no case name tells its kind."""
    kinds = dict.fromkeys(kind for evaluation in evaluations.values() for kind in evaluation.kinds)
    if not kinds:
        return None
    title = f"{_title(evaluations)}, kind by kind"
    table = _table("Kind of outlier", "Method", "Cases", title=title, caption=CAPTION)
    for kind in kinds:
        for method, evaluation in evaluations.items():
            if kind in evaluation.kinds:
                scores = evaluation.kinds[kind]
                cells = (str(scores.cases), str(scores.average_precision), str(scores.auroc))
                table.add_row(kind, method, *cells)
    return table


def _title(evaluations: dict[str, Evaluation]) -> str:
    """Of voxels or of scans, as the first set of predictions is."""
    return next((TITLES[evaluation.mode] for evaluation in evaluations.values()), "")


def _table(*headings: str, title: str, caption: str) -> Table:
    """Columns up to 'Cases', the two metrics with intervals, then the others; fits 80 characters."""
    table = Table(
        box=box.SIMPLE_HEAD, padding=0, title=title, title_justify="left", caption=caption, caption_justify="left",
        min_width=len(title),
    )  # fmt: skip
    for heading in headings:
        table.add_column(heading, min_width=MINIMAL_WIDTHS.get(heading, 5), overflow="fold")
        if heading == "Cases":
            table.add_column("AP", no_wrap=True)
            table.add_column("AUROC", no_wrap=True)
    return table


def _pixel_cells(evaluation: Evaluation) -> list[str]:
    """The cells under `PIXEL_COLUMNS`."""
    dice, objects = evaluation.dice, evaluation.objects
    if objects is None or dice is None or math.isnan(dice):
        return [UNDEFINED] * len(PIXEL_COLUMNS)
    ratios = (objects.f1, objects.precision, objects.recall)
    best = f"{dice:.3f} (at {evaluation.threshold:.3f})"
    return [best, *(UNDEFINED if math.isnan(ratio) else f"{ratio:.3f}" for ratio in ratios)]


def save_evaluations(evaluations: dict[str, Evaluation], path: Path) -> None:
    """Write the evaluations of several methods as one JSON file, all or nothing.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    content = {method: evaluation.to_dict() for method, evaluation in evaluations.items()}
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def without_nan(content: Any) -> Any:
    """The same nested dicts and sequences with None for NaN, which JSON does not know."""
    if isinstance(content, dict):
        return {key: without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [without_nan(value) for value in content]
    return None if isinstance(content, float) and math.isnan(content) else content
