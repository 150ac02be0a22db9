"""What a run leaves beside its outputs: a table of scores and a record of how they came about; what is done already."""

from __future__ import annotations

import csv
import io
import json
import os
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from mood import runtime
from mood.atomic import claim, write_text
from mood.compression import is_whole_map
from mood.errors import OutputError, UsageError
from mood.images import Fingerprint
from mood.installation import versions
from mood.methods.fit.verdict import FIT, NOT_CHECKED
from mood.volume import output_paths, scan_name

RUN_RECORD, SCORE_TABLE = "run.json", "scores.csv"
SECONDS_BETWEEN_RECORDS = 5.0


@dataclass
class Outcome:
    """What became of one scan."""

    scan: str
    status: str  # done, skipped (its outputs were there), failed, or pending in a run that goes on or was cut short
    sample_score: float | None = None
    seconds: float = 0.0
    message: str = ""
    fit: str = ""  # fit, why not, or that nobody looked
    made_from: Fingerprint | None = None  # what the outputs that are there, if any, were made from
    taken_for: str = ""  # what the scan's intensities were taken for
    figures: dict[str, float] = field(default_factory=dict)  # that say whether it is fit

    @property
    def unfit(self) -> bool:
        """Whether it was found not to be what the weights know."""
        return self.fit not in ("", FIT, NOT_CHECKED)


RECORD_ALONE = ("made_from", "taken_for", "figures")
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

    def begin(self, *, replace: bool) -> None:
        """Write the first record; `UsageError` when a run with other weights was faster, unless it is replaced."""
        if replace:
            self._write(finished=None)
        elif not claim(self.folder / RUN_RECORD, self._text(finished=None)):
            former = former_run(self.folder)
            if former is not None:
                former.check_same(self.about, self.folder)
            self._write(finished=None)
        self.saved = time.monotonic()

    def add(self, outcome: Outcome) -> None:
        """Note what became of a scan, on disk if that was not done for a while."""
        self.outcomes[outcome.scan] = outcome
        if time.monotonic() - self.saved > SECONDS_BETWEEN_RECORDS:
            self._write(finished=None)
            self.saved = time.monotonic()

    def end(self) -> None:
        """Write the last record, which is finished if no scan is pending, and the table of scores."""
        rows = [outcome for outcome in self._sorted() if outcome.status != "pending"]
        self._write(finished=_now() if len(rows) == len(self.outcomes) else None)
        text = io.StringIO()
        writer = csv.DictWriter(text, TABLE_COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
        write_text(self.folder / SCORE_TABLE, text.getvalue())

    def _write(self, finished: str | None) -> None:
        write_text(self.folder / RUN_RECORD, self._text(finished))

    def _text(self, finished: str | None) -> str:
        rows = [asdict(outcome) for outcome in self._sorted()]
        times = {"started": self.started, "finished": finished}
        record = {"about": self.about, **self.environment, **self.engine, **times, "scans": rows}
        return json.dumps(record, indent=1) + "\n"

    def _sorted(self) -> list[Outcome]:
        return [self.outcomes[name] for name in sorted(self.outcomes)]


@dataclass(frozen=True)
class FormerRun:
    """What the record of an earlier run says."""

    about: dict[str, Any]
    made_from: dict[str, Fingerprint]  # by the names of the scans, as what follows
    fit: dict[str, str] = field(default_factory=dict)

    def check_same(self, about: dict[str, Any], folder: Path) -> None:
        """`UsageError` when that run was about something else."""
        about = json.loads(json.dumps(about))  # as it comes back from a file
        if self.about != about:
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
        rows = {row["scan"]: row.get("made_from") for row in record["scans"]}
        fit = {row["scan"]: str(row.get("fit", "")) for row in record["scans"]}
        return FormerRun(dict(record["about"]), {name: Fingerprint(**row) for name, row in rows.items() if row}, fit)
    except (KeyError, TypeError, ValueError, AttributeError):
        fix = "Name another folder, or move the file away"
        raise UsageError("the file is no record of a prediction", where=path, fix=fix) from None


@dataclass
class Outputs:
    """The outputs of scans in a folder: where they are, and whether they are whole and made from the scans of now.

    Attributes
    ----------
    former : FormerRun or None
        The run they come from, where it counts.
    """

    folder: Path
    former: FormerRun | None = None
    _known: dict[Path, Fingerprint | None] = field(default_factory=dict)
    _stale: set[Path] = field(default_factory=set)

    def of(self, scan: Path) -> dict[str, Path]:
        """Where the map (pixel) and the sample score of a scan go."""
        return output_paths(self.folder, scan)

    def made_from(self, scan: Path) -> Fingerprint | None:
        """What a scan's outputs are made from, if that is on record and is the scan of now."""
        if scan not in self._known:
            kept = self.former.made_from.get(printable(scan_name(scan))) if self.former else None
            self._known[scan] = kept if kept is not None and kept.fits(scan) else None
        return self._known[scan]

    def fit(self, scan: Path) -> str:
        """Whether a scan that was done before is fit, as that run's record says."""
        return (self.former.fit.get(printable(scan_name(scan))) if self.former else None) or NOT_CHECKED

    def pending(self, scan: Path) -> Outcome:
        """A scan that is to be done: what its outputs are from if there are any, else what they will be from."""
        made_from = self.made_from(scan)
        there = [path for path in self.of(scan).values() if os.path.lexists(path)]
        if made_from is None:
            self._stale.update(there)
        if not there:
            with suppress(OSError):
                made_from = Fingerprint.of(scan, with_hash=False)
        return Outcome(printable(scan_name(scan)), "pending", made_from=made_from)

    def are_done(self, scan: Path, kinds: Collection[str]) -> bool:
        """Whether outputs are there, whole, and made from the scan of now."""
        return self.made_from(scan) is not None and self.are_whole(scan, kinds)

    def are_whole(self, scan: Path, kinds: Collection[str]) -> bool:
        """Whether outputs are there and not cut short."""
        paths = self.of(scan)
        whole = {"pixel": is_whole_map, "sample": lambda path: read_score(path) is not None}
        return all(whole[kind](paths[kind]) for kind in kinds)

    def remove_stale(self, scan: Path, kinds: Collection[str]) -> None:
        """Remove outputs of other kinds than `kinds` that were there and nothing shows to be from the scan of now."""
        for kind, path in self.of(scan).items():
            if kind not in kinds and path in self._stale:
                path.unlink(missing_ok=True)


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
