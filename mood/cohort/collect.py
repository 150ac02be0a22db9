"""The records of all parts made one: `scores.csv` and `run.json`, with every scan once."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mood.cohort.record import Session, former_runs, read_sessions
from mood.errors import MoodError, NoInputError
from mood.run_record import Outcome, RunRecord, printable
from mood.volume import find_scans, scan_name

log = logging.getLogger(__name__)

NOT_BEGUN, CUT_SHORT = "no part has begun with it", "its part was cut short before it"


def collect(folder: Path, source: Path | None = None) -> list[Outcome]:
    """Merge the records of all parts in `folder` into one table and one run record.

    Parameters
    ----------
    folder : pathlib.Path
        Where the parts wrote to.
    source : pathlib.Path, optional
        What they scored; else what their records name, if that can still be read.

    Returns
    -------
    list of Outcome
        One for each scan, by name; `missing` where no part came to an end with it.

    Raises
    ------
    NoInputError
        When no part left a record there, or `source` holds no scan.
    """
    former, sessions = former_runs(folder), read_sessions(folder)
    counting = [session for session in sessions if former is not None and former.is_about(session.about)]
    if former is None or not counting:
        fix = "Name the output folder of mood predict --part"
        raise NoInputError("the folder holds no record of a part", where=folder, fix=fix)
    rows = former.outcomes | {
        name: Outcome(name, "missing", message=NOT_BEGUN)
        for name in _expected(counting, source)
        if name not in former.outcomes
    }
    for row in rows.values():
        if row.status == "skipped":  # by a part that was begun again
            row.status = "done"
        if row.status == "pending":
            row.status, row.message = "missing", CUT_SHORT
    _warn_of_differences(counting)
    _write(folder, former.about, counting, rows)
    return [rows[name] for name in sorted(rows)]


def _expected(sessions: Sequence[Session], source: Path | None) -> list[str]:
    """The names of all scans there are to score; what cannot be told of them is in the log."""
    if source is not None:
        return [printable(scan_name(path)) for path in find_scans(source)]
    for named in dict.fromkeys(session.source for session in sessions if session.source):
        with suppress(MoodError, OSError):
            return [printable(scan_name(path)) for path in find_scans(Path(named))]
    begun = {(session.part, session.of) for session in sessions}
    for of in {session.of for session in sessions}:
        if absent := [str(part) for part in range(1, of + 1) if (part, of) not in begun]:
            log.error("parts without a record, of %d: %s; -i INPUT names their scans", of, ", ".join(absent))
    return []


def _warn_of_differences(sessions: Sequence[Session]) -> None:
    for what in ("versions", "engine", "precision"):
        values = {json.dumps(getattr(session, what)) for session in sessions}
        if len(values) > 1:
            log.warning("the parts ran with different %s: %s", what, "; ".join(sorted(values)))


def _write(folder: Path, about: dict[str, Any], sessions: Sequence[Session], rows: dict[str, Outcome]) -> None:
    last = max(sessions, key=lambda one: one.started)
    fields = ("part", "of", "host", "device", "started", "source")
    parts = [{name: getattr(session, name) for name in fields} for session in sessions]
    engine = {name: getattr(last, name) for name in ("engine", "precision", "device")}
    started = min(session.started for session in sessions)
    record = RunRecord(folder, about, engine, rows, started, {"versions": last.versions, "parts": parts})
    record.end()
