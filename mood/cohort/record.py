"""What each part of a cohort leaves: a file of JSON lines that it alone writes to, so that no two parts collide.

    run.part-003-of-010.jsonl: {"part": 3, "of": 10, "about": {...}, ..., "scans": [what is to be done]}
                               {"scan": "sub-017", "status": "done", "sample_score": 0.93, ...}   as each scan ends

A part that is begun again goes on in the same file, with another first line and further rows.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mood import runtime
from mood.atomic import NO_FOLLOW, claim, write_text
from mood.cohort.parts import Part
from mood.errors import OutputError
from mood.installation import versions
from mood.run_record import RUN_RECORD, UNFINISHED, FormerRun, Outcome, former_run
from mood.typed import Unfit, decode_text

PATTERN = "run.part-*-of-*.jsonl"


@dataclass
class Session:
    """One go at a part: its first line.

    Attributes
    ----------
    part, of : int
    about, versions : dict
        What was scored with.
    engine, precision, device, host, started, source : str
        Where and on what; `source` is the folder that the parts share, empty where only some of it is scored.
    scans : list of Outcome
        What is to be done, and then also the rows that follow.
    """

    part: int
    of: int
    about: dict[str, Any]
    scans: list[Outcome]
    source: str = ""
    versions: dict[str, Any] = field(default_factory=dict)
    engine: str = ""
    precision: str = ""
    device: str = ""
    host: str = ""
    started: str = ""


@dataclass
class PartRecord:
    """The record of one part, as `mood.run_record.RunRecord` is that of a whole run."""

    folder: Path
    about: dict[str, Any]
    engine: dict[str, str]
    outcomes: dict[str, Outcome]
    part: Part
    source: Path | None  # what the parts share, where all of its scans are to be scored

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.folder / f"run.{self.part.name}.jsonl"

    def begin(self, *, replace: bool) -> None:
        """Write its first line; `UsageError` when another part began with other weights, unless it is replaced."""
        self._agree(replace)
        session = Session(
            self.part.index,
            self.part.count,
            self.about,
            list(self.outcomes.values()),
            source=str(self.source.resolve()) if self.source is not None else "",
            versions=versions(runtime.LIBRARIES),
            host=socket.gethostname(),
            started=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        self._append(asdict(session) | self.engine)

    def add(self, outcome: Outcome) -> None:
        """Note what became of a scan, on disk at once."""
        self.outcomes[outcome.scan] = outcome.noted()
        self._append(asdict(outcome))

    def end(self) -> None:
        """Nothing is left to write: every row is on disk."""

    def _agree(self, replace: bool) -> None:
        """The first part that begins says in the run record what all are about."""
        text = json.dumps({"about": self.about, "finished": None, "scans": []}, indent=1) + "\n"
        if claim(self.folder / RUN_RECORD, text):
            return
        former = former_run(self.folder)
        if former is not None and not former.is_about(self.about) and not replace:
            former.check_same(self.about, self.folder)
        if former is None or not former.is_about(self.about):
            write_text(self.folder / RUN_RECORD, text)

    def _append(self, content: dict[str, Any]) -> None:
        """A line at the end of the file, in one piece; after one that was cut off, on a line of its own."""
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | NO_FOLLOW, 0o666)
            with os.fdopen(handle, "ab+") as file:
                torn = file.tell() > 0 and os.pread(handle, 1, file.tell() - 1) != b"\n"
                file.write(b"\n" * torn + json.dumps(content).encode() + b"\n")
                file.flush()
                os.fsync(handle)
        except OSError as error:
            what = f"the record of this part cannot be written ({error.strerror})"
            raise OutputError(what, where=self.path, fix="Check free space and permissions") from error


def read_sessions(folder: Path) -> list[Session]:
    """What all parts left in a folder; lines that a killed process cut off are passed over."""
    return [session for path in sorted(folder.glob(PATTERN)) for session in _sessions(path)]


def _sessions(path: Path) -> list[Session]:
    found: list[Session] = []
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:  # replaced by now
        return []
    except OSError as error:
        fix = "Move it away: its scans are then scored again"
        raise OutputError(f"the record of a part cannot be read ({error.strerror})", where=path, fix=fix) from error
    for line in lines:
        try:
            if line.startswith(b'{"part"'):  # its first field
                found.append(decode_text(Session, line))
            elif found:
                found[-1].scans.append(decode_text(Outcome, line))
        except Unfit:
            continue
    return found


def forget_others(folder: Path, about: dict[str, Any]) -> None:
    """Remove the records of parts with other weights, whose outputs are about to be replaced."""
    for path in folder.glob(PATTERN):
        if not all(FormerRun(session.about, {}).is_about(about) for session in _sessions(path)):
            path.unlink(missing_ok=True)


def latest(rows: Iterable[Outcome]) -> dict[str, Outcome]:
    """The row that counts for each scan: the last one that says what became of it.

    That a scan was skipped says only that what was on record holds still.
    """
    kept: dict[str, Outcome] = {}
    for row in sorted(rows, key=lambda row: row.ended):
        before = kept.get(row.scan)
        if before is None or before.status in UNFINISHED or row.status in ("done", "failed"):
            kept[row.scan] = row
    return kept


def former_runs(folder: Path) -> FormerRun | None:
    """What is on record in a folder, of a whole run and of parts of one; None when there is nothing.

    Raises
    ------
    UsageError, OutputError
        As `mood.run_record.former_run`.
    """
    former, sessions = former_run(folder), read_sessions(folder)
    if former is None:
        if not sessions:
            return None
        former = FormerRun(max(sessions, key=lambda one: one.started).about, {})
    same = [session for session in sessions if former.is_about(session.about)]
    rows = [*former.outcomes.values(), *(row for session in same for row in session.scans)]
    return FormerRun(former.about, latest(rows))
