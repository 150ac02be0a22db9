"""What a training folder remembers: the method, its settings, and the scans it was begun with."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mood.atomic import write_text
from mood.errors import OutputError, UsageError
from mood.run_record import Fingerprint, printable

log = logging.getLogger(__name__)

TRAINING_RECORD = "training.json"
MOST_NAMED = 3  # scans in a message


class TrainingRecord:
    """The record of a training, and what it says of an earlier one in the same folder.

    Parameters
    ----------
    folder : pathlib.Path
    about : dict
        Method, region, settings, seed and the number of scans held out.
    scans : dict of str to sequence of pathlib.Path
        The scans of now by what they are for.

    Raises
    ------
    UsageError
        When the folder holds a training with other settings, or its record is damaged.
    """

    def __init__(self, folder: Path, about: dict[str, Any], scans: Mapping[str, Sequence[Path]]) -> None:
        self.path, self.scans = folder / TRAINING_RECORD, scans
        self.about = json.loads(json.dumps(about))
        former = self._read()
        if former is not None and former[0] != self.about:
            fix = "Name another folder"
            raise UsageError("the output folder holds a run with other settings", where=self.path, fix=fix)
        self.known = {} if former is None else former[1]

    def _read(self) -> tuple[dict[str, Any], dict[str, dict[str, Fingerprint]]] | None:
        try:
            record = json.loads(self.path.read_text(encoding="utf-8"))
            scans = {
                use: {name: Fingerprint(**facts) for name, facts in of_use.items()}
                for use, of_use in record["scans"].items()
            }
            return record["about"], scans
        except FileNotFoundError:
            return None
        except OSError as error:
            fix = "Remove what has that name, or name another folder"
            raise OutputError(f"the record cannot be read ({error.strerror})", where=self.path, fix=fix) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            fix = "Remove it to go on, with the settings that the training was begun with, or name another folder"
            raise UsageError("the record of the training is damaged", where=self.path, fix=fix) from error

    def changes(self) -> str:
        """Which scans were added, removed or replaced since; empty when all are as they were."""
        found: dict[str, list[str]] = {"added": [], "removed": [], "replaced": []}
        for use in {**self.known, **self.scans} if self.known else ():
            known = self.known.get(use, {})
            now = {printable(path.name): path for path in self.scans.get(use, ())}
            found["added"] += sorted(set(now) - set(known))
            found["removed"] += sorted(set(known) - set(now))
            found["replaced"] += [n for n in sorted(set(now) & set(known)) if not self.is_known(use, now[n])]
        return "; ".join(f"{len(names)} {change} ({_some(names)})" for change, names in found.items() if names)

    def is_known(self, use: str, scan: Path) -> bool:
        """Whether a scan is the one that was there before, in size and date or in content."""
        known = self.known.get(use, {}).get(printable(scan.name))
        return known is not None and known.fits(scan)

    def write(self, *, with_hashes: bool) -> None:
        """Write the record; hashes of contents make scans known again that were copied elsewhere meanwhile."""
        prints = {use: self._fingerprints(use, with_hashes) for use in self.scans}
        scans = {use: {name: asdict(facts) for name, facts in found.items()} for use, found in prints.items()}
        content = {"about": self.about, "scans_sha256": list_digest(prints), "scans": scans}
        write_text(self.path, json.dumps(content, indent=1) + "\n")
        self.known = prints

    def _fingerprints(self, use: str, with_hashes: bool) -> dict[str, Fingerprint]:
        found = {}
        for path in self.scans[use]:
            known = self.known.get(use, {}).get(printable(path.name))
            keep = known is not None and (known.sha256 or not with_hashes) and known.fits(path)
            try:
                found[printable(path.name)] = known if keep and known else Fingerprint.of(path, with_hash=with_hashes)
            except OSError as error:
                log.warning("%s cannot be read (%s)", path, error.strerror)
        return found


def list_digest(scans: dict[str, dict[str, Fingerprint]]) -> str:
    """SHA-256 of the list of scans: their uses, names, sizes and contents, not their dates."""
    lines = [[use, name, facts.size, facts.sha256] for use in scans for name, facts in scans[use].items()]
    return hashlib.sha256(json.dumps(sorted(lines, key=str)).encode()).hexdigest()


def _some(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (", ..." if len(names) > MOST_NAMED else "")
