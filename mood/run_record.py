"""What a run leaves beside its outputs: a table of scores, a log, and a record of how they came about."""

from __future__ import annotations

import csv
import json
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mood import runtime

RUN_RECORD, SCORE_TABLE = "run.json", "scores.csv"


@dataclass
class Outcome:
    """What became of one scan."""

    scan: str
    status: str  # done, skipped (its outputs were there) or failed
    sample_score: float | None = None
    seconds: float = 0.0
    message: str = ""


def write_records(folder: Path, outcomes: list[Outcome], about: dict[str, Any]) -> None:
    """Write `scores.csv`, a row a scan, and `run.json`: `about`, versions, device and the same rows."""
    rows = [asdict(outcome) for outcome in sorted(outcomes, key=lambda outcome: outcome.scan)]
    with (folder / SCORE_TABLE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Outcome)])
        writer.writeheader()
        writer.writerows(rows)
    record = {"about": about, **_environment(), "scans": rows}
    (folder / RUN_RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _environment() -> dict[str, Any]:
    packages = ("mood", "keras", "numpy", "nibabel")
    return {
        "versions": {"python": platform.python_version()} | {name: version(name) for name in packages},
        "device": runtime.device(),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def append_row(path: Path, columns: Sequence[str], row: Sequence[Any]) -> None:
    """Add a row of numbers to a CSV file, which starts with `columns`."""
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(columns)
        writer.writerow([f"{value:.6g}" for value in row])
