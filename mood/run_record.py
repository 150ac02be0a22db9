"""What a run leaves beside its outputs: a table of scores and a record of how they came about."""

from __future__ import annotations

import csv
import io
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from mood import runtime
from mood.atomic import claim, taking_turns, write_text
from mood.errors import MoodError, OutputError, UsageError
from mood.images import Fingerprint
from mood.installation import versions
from mood.methods.fit.verdict import FIT, NOT_CHECKED
from mood.typed import decode

RUN_RECORD, SCORE_TABLE = "run.json", "scores.csv"
SECONDS_BETWEEN_RECORDS = 5.0


@dataclass
class Outcome:
    """What became of one scan."""

    scan: str
    status: str  # done, skipped (its outputs were there), failed, pending (a run goes on or was cut short), or missing
    sample_score: float | None = None
    seconds: float = 0.0
    message: str = ""
    share: float | None = None  # of healthy scans of this scanner that score as high, where weights know some
    flag: str = ""  # likewise: yes where that is unusual, else no
    strip: str = ""  # by whom the skull was taken off, if not before
    fit: str = ""  # fit, why not, or that nobody looked
    made_from: Fingerprint | None = None  # what the outputs that are there, if any, were made from
    taken_for: str = ""  # what the scan's intensities were taken for
    figures: dict[str, float] = field(default_factory=dict)  # that say whether it is fit
    to_mni: list[list[float]] | None = None  # 4 x 4, from its voxel indices to MNI coordinates, where that is known
    ended: str = ""  # when that was, in UTC; empty until it is on record

    @property
    def unfit(self) -> bool:
        """Whether it was found not to be what the weights know."""
        return self.fit not in ("", FIT, NOT_CHECKED)

    def noted(self) -> Self:
        """The same with the time of now, for a record."""
        self.ended = datetime.now(UTC).isoformat(timespec="milliseconds")
        return self


UNFINISHED = ("pending", "missing")
RECORD_ALONE = ("made_from", "taken_for", "figures", "to_mni", "ended")
TABLE_COLUMNS = [column.name for column in fields(Outcome) if column.name not in RECORD_ALONE]


@dataclass
class RunRecord:
    """The records of a run over a folder, on disk from before its first output until after its last.

    Attributes
    ----------
    engine : dict of str to str
        What runs the networks, as `mood.engines.Engine.described` has it.
    outcomes : dict of str to Outcome
        By the names of the scans, each pending until it is known.
    """

    folder: Path
    about: dict[str, Any]
    engine: dict[str, str]
    outcomes: dict[str, Outcome]
    started: str = field(default_factory=lambda: _now())
    environment: dict[str, Any] = field(default_factory=lambda: _environment())
    saved: float = 0.0
    others: dict[str, Outcome] = field(default_factory=dict)  # of runs over other scans, that share the folder
    source: str = ""  # what the scans were found in; empty where only some of it is scored

    def begin(self, *, replace: bool) -> None:
        """Write the first record; `UsageError` when a run with other weights was faster, unless it is replaced."""
        self.saved = time.monotonic()
        if not claim(self.folder / RUN_RECORD, self._text(finished=None)):
            former = former_run(self.folder)
            if former is not None and not replace:
                former.check_same(self.about, self.folder)
            self._write()

    def add(self, outcome: Outcome) -> None:
        """Note what became of a scan, on disk if that was not done for a while."""
        self.outcomes[outcome.scan] = outcome.noted()
        if time.monotonic() - self.saved > SECONDS_BETWEEN_RECORDS:
            self._write()

    def end(self) -> None:
        """Write the last record, which is finished if no scan is left to do, and the table of scores."""
        self._write(last=True)

    def _write(self, *, last: bool = False) -> None:
        with taking_turns(self.folder):  # or of two runs at once the one would lose the rows of the other
            with suppress(MoodError):
                former = former_run(self.folder)
                self.others = former.outcomes if former is not None and former.is_about(self.about) else {}
            finished = all(row.status not in UNFINISHED for row in self._sorted())
            write_text(self.folder / RUN_RECORD, self._text(_now() if last and finished else None))
            if last:
                self._write_table()
        self.saved = time.monotonic()

    def _write_table(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, TABLE_COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(asdict(row) for row in self._sorted() if row.status != "pending")
        write_text(self.folder / SCORE_TABLE, text.getvalue())

    def _text(self, finished: str | None) -> str:
        rows = [asdict(outcome) for outcome in self._sorted()]
        times = {"started": self.started, "finished": finished}
        source = {"source": self.source} if self.source else {}
        record = {"about": self.about, **self.environment, **self.engine, **source, **times, "scans": rows}
        return json.dumps(record, indent=1) + "\n"

    def _sorted(self) -> list[Outcome]:
        rows = self.others | self.outcomes
        return [rows[name] for name in sorted(rows)]


@dataclass(frozen=True)
class FormerRun:
    """What the record of an earlier run says."""

    about: dict[str, Any]
    outcomes: dict[str, Outcome]  # by the names of the scans

    def is_about(self, about: dict[str, Any]) -> bool:
        """Whether it was a run with the same weights."""
        return bool(self.about == json.loads(json.dumps(about)))  # as it comes back from a file

    def check_same(self, about: dict[str, Any], folder: Path) -> None:
        """`UsageError` when that run was about something else."""
        if not self.is_about(about):
            changed = ", ".join(sorted(key for key in about if about[key] != self.about.get(key))) or "facts"
            fix = "Name another folder, or give --overwrite"
            raise UsageError(f"the output folder holds a run with other {changed}", where=folder, fix=fix)


def former_run(folder: Path) -> FormerRun | None:
    """The run that left its record in a folder; None when there is no record, or it is damaged and means nothing.

    Raises
    ------
    UsageError
        When the file of that name is something else, which a run would overwrite.
    OutputError
        When it cannot be read.
    """
    path = folder / RUN_RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    except OSError as error:
        fix = "Remove what has that name, or name another folder"
        raise OutputError(f"the run record cannot be read ({error.strerror})", where=path, fix=fix) from error
    try:
        return FormerRun(dict(record["about"]), {row.scan: row for row in decode(list[Outcome], record["scans"])})
    except (KeyError, TypeError, ValueError):
        fix = "Name another folder, or move the file away"
        raise UsageError("the file is no record of a prediction", where=path, fix=fix) from None


def rounded(figures: Mapping[str, float]) -> dict[str, float]:
    """Figures with the digits that a record needs."""
    return {name: float(f"{value:.4g}") for name, value in figures.items()}


def printable(name: str) -> str:
    """A file name as text that every encoding can hold: bytes that are not UTF-8 are escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def _environment() -> dict[str, Any]:
    return {"versions": versions(runtime.LIBRARIES)}


def read_score(path: Path) -> float | None:
    """The sample score in a file that `save_score` wrote; None when there is none or it is damaged."""
    try:
        score = float(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return score if 0 <= score <= 1 else None
