"""What predicting a folder shows: how far it is, a table at its end, and a sentence on what happened."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from mood.cli.output import duration

if TYPE_CHECKING:
    from mood.run_record import Outcome

log = logging.getLogger("mood")

MOST_ROWS = 40  # of the closing table; scores.csv has them all
CALIBRATED = (
    "Meaning: how many of the held-out healthy scans of the training sources score as high. Those of another scanner "
    "may score higher: it is no rank among scans of yours."
)
AT_SITE = (
    "Meaning: how many healthy scans score as high, told from those of this scanner that the weights were calibrated "
    "on. Flagged as unusual among them: {} of {}."
)
UNCALIBRATED = "These weights are not calibrated: scores rank scans of one folder and mean nothing by themselves."


class ScanProgress:
    """Called after each scan: moves a bar on a terminal, prints a line with the time left elsewhere."""

    def __init__(self, console: Console) -> None:
        self.console, self.count, self.worked = console, 0, 0
        self.begin = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.bar = Progress(*columns, console=console, disable=not console.is_terminal or console.quiet, transient=True)
        self.task = self.bar.add_task("Scoring", total=None)

    def __enter__(self) -> ScanProgress:
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def __call__(self, outcome: Outcome, total: int) -> None:
        self.count += 1
        self.worked += outcome.status != "skipped"
        self.bar.update(self.task, completed=self.count, total=total, description=f"Scored {outcome.scan[:40]}")
        prefix = f"[{self.count}/{total}] {outcome.scan}:"
        if outcome.status == "failed":
            log.error("%s FAILED %s", prefix, outcome.message)
        elif not self.console.is_terminal:
            score = "" if outcome.sample_score is None else f" score {outcome.sample_score:.4f}"
            line = f"{prefix} {outcome.status}{score} ({outcome.seconds:.1f} s){self._left(total)}"
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _left(self, total: int) -> str:
        if not self.worked or self.count == total:
            return ""
        seconds = (time.monotonic() - self.begin) / self.worked * (total - self.count)
        return f", about {duration(seconds)} left"


def meaning(score: float | None, calibrated: bool) -> str:
    """What a sample score says, in words; a dash where it says nothing."""
    if score is None or not calibrated:
        return "–"
    if score < 0.5:
        return "usual"
    if score >= 1 - 1e-6:
        return "fewer than 1 in 100,000"
    higher = 1 / (1 - score)
    digits = max(0, len(str(int(higher))) - 2)
    return f"1 in {round(higher, -digits):,.0f}"


def status(outcome: Outcome) -> str:
    """What became of a scan, and whether it is one that the weights know."""
    return f"{outcome.status}, not fit" if outcome.unfit else outcome.status


def print_closing_table(console: Console, outcomes: Sequence[Outcome], calibrated: bool) -> None:
    """Scan, score, its meaning, status and seconds; what failed and what is most abnormal first."""
    order = sorted(outcomes, key=lambda one: (one.status != "failed", -(one.sample_score or 0), one.scan))
    more = f"{len(order) - MOST_ROWS} more are in scores.csv. " if len(order) > MOST_ROWS else ""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("Scan", "Score", "Meaning", "Status", "Seconds"):
        right = heading in ("Score", "Seconds")
        table.add_column(heading, justify="right" if right else "left", overflow="fold", no_wrap=right)
    for one in order[:MOST_ROWS]:
        score = "–" if one.sample_score is None else f"{one.sample_score:.4f}"
        cells = (one.scan, score, meaning(one.sample_score, calibrated), status(one), f"{one.seconds:.1f}")
        table.add_row(*map(Text, cells))
    console.print(table)
    flags = [one.flag for one in outcomes if one.flag]
    words = AT_SITE.format(flags.count("yes"), len(flags)) if flags else CALIBRATED
    console.print(more + (words if calibrated else UNCALIBRATED), highlight=False)


def sentence(outcomes: Sequence[Outcome], method: str, target: Path, why: str = "scores.csv says why") -> str:
    """What happened and where things are; `why` is where a reason is found, for scans that are not fit to score."""
    kinds = ("done", "skipped", "failed", "missing")
    done, skipped, failed, missing = (sum(one.status == kind for one in outcomes) for kind in kinds)
    told = f"{done} of {len(outcomes)} scans scored with {method}"
    told += f", {skipped} were done before" if skipped else ""
    told += f", {failed} failed" if failed else ""
    told += f", {missing} missing" if missing else ""
    if unfit := sum(one.unfit for one in outcomes):
        told += f", {unfit} not fit to score ({why})"
    return f"{told}; outputs in {target}"


def as_json(outcomes: Sequence[Outcome], method: str | None, target: Path) -> dict[str, Any]:
    """The same for programs."""
    rows = [{key: value for key, value in asdict(one).items() if key != "made_from"} for one in outcomes]
    return {"method": method, "output": str(target), "scans": rows}
