"""What is done already: the outputs of scans that are there, whole, and made from the scans of now."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from mood.compression import is_whole_map
from mood.images import Fingerprint
from mood.methods.fit.verdict import NOT_CHECKED
from mood.run_record import FormerRun, Outcome, printable, read_score
from mood.volume import output_paths, scan_name


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
            row = self.former.outcomes.get(printable(scan_name(scan))) if self.former else None
            kept = row.made_from if row is not None else None
            self._known[scan] = kept if kept is not None and kept.fits(scan) else None
        return self._known[scan]

    def known(self, scan: Path) -> Outcome:
        """What is on record of a scan that was done before."""
        name = printable(scan_name(scan))
        row = self.former.outcomes.get(name) if self.former else None
        known = row or Outcome(name, "done")
        return replace(known, fit=known.fit or NOT_CHECKED, made_from=self.made_from(scan), ended="")

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
