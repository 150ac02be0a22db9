"""One run over some scans: read next (thread) -> examine -> method -> restore -> write last (thread)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.affines import from_matvec

from mood.atomic import concerns_all, remove_stale
from mood.cohort.outputs import Outputs
from mood.cohort.parts import Part
from mood.cohort.record import PartRecord, forget_others, former_runs
from mood.conform import ConformedScan
from mood.detector import Detector, Result
from mood.errors import MoodError, ScanError, UsageError
from mood.formats.member_volumes import member_path, save_members
from mood.geometry import usable_affine
from mood.images import LARGEST_READ_AHEAD, read_ahead
from mood.methods import Method, in_time
from mood.methods.fallback import fall_back
from mood.methods.fit.verdict import UNCHECKED, Fit
from mood.methods.strip import ALWAYS, NEVER
from mood.run_record import Fingerprint, Outcome, RunRecord, printable, read_score, rounded
from mood.volume import load, save_map, save_score, scan_name

log = logging.getLogger(__name__)

MODES = ("sample", "pixel", "both")
UNFIT = "Look at the scan, or leave out --strict to score it all the same"


@dataclass
class _Scan:
    """A scan on the method's grid, and the file that it was."""

    conformed: ConformedScan
    fit: Fit
    stripped: str  # by whom
    made_from: Fingerprint | None  # None in the challenge, which keeps no record

    @property
    def to_mni(self) -> list[list[float]] | None:
        """From the scan's own voxel indices to MNI coordinates, as rows; None where the scan has no place there."""
        if self.fit.to_mni is None:
            return None
        matrix = self.fit.to_mni @ self.conformed.placement.from_middle
        return [[round(float(value), 6) for value in row] for row in matrix]


@dataclass
class Job:
    """One run over a folder and its files."""

    target: Path
    method: Method
    mode: str
    challenge: bool
    overwrite: bool
    strict: bool
    strip: str
    about: dict[str, Any]
    there: Outputs
    seconds: float = float("inf")
    ahead: bool = True
    writing: list[Future[Outcome]] = field(default_factory=list)  # the scan that is being written, the next one

    def prepare(self) -> None:
        if self.mode not in MODES:
            raise UsageError(f"unknown mode '{self.mode}'", fix=f"Choose one of: {', '.join(MODES)}")
        if self.strip == ALWAYS and self.method.region.has_units:
            raise UsageError("--strip takes skulls off MR, not CT", fix="Leave it out")
        if self.strict and self.challenge:
            raise UsageError("--strict fails scans, which the challenge does not allow", fix="Leave out one of the two")
        remove_stale(self.target)
        former = None if self.challenge else former_runs(self.target)
        if self.overwrite:
            forget_others(self.target, self.about)
        elif former is not None:
            former.check_same(self.about, self.target)
            self.there.former = former

    def begin_record(self, paths: list[Path], part: Part | None, origin: Path | None) -> RunRecord | PartRecord:
        """The record of this run, on disk before any output is."""
        pending = {outcome.scan: outcome for outcome in map(self.there.pending, paths)}
        engine = self.method.engine.described()
        source = "" if origin is None else str(origin.resolve())
        record: RunRecord | PartRecord = RunRecord(self.target, self.about, engine, pending, source=source)
        if part is not None:
            record = PartRecord(self.target, self.about, engine, pending, part, origin)
        record.begin(replace=self.overwrite)
        return record

    def outputs(self, scan: Path) -> dict[str, Path]:
        """Where the outputs of a scan go, for what this run writes of them."""
        return {kind: path for kind, path in self.there.of(scan).items() if self.mode in (kind, "both")}

    def score(
        self, paths: list[Path], record: RunRecord | PartRecord | None, on_scan: Callable[[Outcome, int], None]
    ) -> list[Outcome]:
        """Score all of the scans; what became of each is on record as soon as it ends."""
        outcomes: list[Outcome] = []
        try:
            for outcome in self.run(paths):
                outcomes.append(outcome)
                if record is not None:
                    record.add(outcome)
                on_scan(outcome, len(paths))
        except BaseException:  # what is being written is finished and belongs into the record
            for outcome in self.written_since():
                if record is not None:
                    record.add(outcome)
            raise
        finally:
            if record is not None:
                record.end()
        return outcomes

    def run(self, paths: list[Path]) -> Iterator[Outcome]:
        done = [path for path in paths if self.there.are_done(path, self.outputs(path))]
        known = set(done)
        yield from map(self._skipped, done)
        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
            for path, scan in self._read_in_turn([path for path in paths if path not in known], reader):
                self.writing.append(self._start(path, scan, writer))
                if len(self.writing) > self.ahead:
                    yield self._written()
            while self.writing:
                yield self._written()

    def _read_in_turn(self, paths: list[Path], reader: ThreadPoolExecutor) -> Iterator[tuple[Path, Future[_Scan]]]:
        return read_ahead(paths, self._read, reader, LARGEST_READ_AHEAD if self.ahead else -1)

    def _written(self) -> Outcome:
        outcome = self.writing[0].result()
        del self.writing[0]
        return outcome

    def written_since(self) -> Iterator[Outcome]:
        """The outcomes, in a run that was cut short, of scans that were being written."""
        while self.writing:
            with suppress(Exception):
                yield self.writing.pop(0).result()

    def _read(self, path: Path) -> _Scan:
        made_from = Fingerprint.of(path) if path.is_file() and not self.challenge else None
        strip = NEVER if self.challenge else self.strip
        return _Scan(*Detector(self.method).examine(load(path), strip), made_from)

    def _start(self, path: Path, ready: Future[_Scan], writer: ThreadPoolExecutor) -> Future[Outcome]:
        """Score one scan and leave the writing to the writer."""
        begin, fit = time.monotonic(), UNCHECKED
        try:
            scan = ready.result()
            fit = scan.fit
            if self.strict and not fit.ok:
                raise ScanError(f"the scan is not fit to score: {fit.told}", where=path, fix=UNFIT)
            detector = Detector(self.method)
            with in_time.until(begin + self.seconds):
                grid_map, found = self._grid_map(detector, scan.conformed)
            del scan.conformed.data  # half a GiB of a large scan, while its map is resampled and written
            result = detector.result(scan.conformed, grid_map, fit)
        except Exception as error:
            return writer.submit(self._failed, path, error, fit)
        return writer.submit(self._write, path, result, scan, found, begin)

    def _grid_map(self, detector: Detector, scan: ConformedScan) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The map, and where each member finds something, where anybody is to be told."""
        if self.challenge or self.mode == "sample":
            return detector.grid_map(scan), {}
        return detector.method.score_with_members(scan)

    def _write(self, path: Path, result: Result, scan: _Scan, found: dict[str, np.ndarray], begin: float) -> Outcome:
        paths = self.outputs(path)
        try:
            if "pixel" in paths:
                save_map(result.map, result.header, result.affine, paths["pixel"], result.display_range)
                if not self.challenge:
                    save_members(member_path(paths["pixel"]), found, self._grid_affine(scan.conformed, found))
            if "sample" in paths:
                save_score(result.sample_score, paths["sample"])
        except Exception as error:
            if concerns_all(error):
                raise
            return self._failed(path, error, scan.fit)
        self.there.remove_stale(path, paths)
        name, seconds = printable(scan_name(path)), round(time.monotonic() - begin, 2)
        taken_for = scan.conformed.placement.taken_for
        score, site = round(result.sample_score, 6), result.place.columns if result.place else {}
        return Outcome(
            name, "done", score, seconds, fit=scan.fit.told, made_from=scan.made_from, taken_for=taken_for,
            figures=rounded(scan.fit.figures), to_mni=scan.to_mni, strip=scan.stripped, **site,
        )  # fmt: skip

    def _grid_affine(self, scan: ConformedScan, found: dict[str, np.ndarray]) -> np.ndarray:
        """From indices of the grid to the scan's own millimetres."""
        shape = np.array(next((mask.shape for mask in found.values()), self.method.grid.shape))
        spacing = np.array(self.method.grid.spacing_mm)
        mm = from_matvec(np.diag(spacing), -spacing * (shape - 1) / 2)
        return usable_affine(scan.affine) @ np.linalg.inv(scan.placement.from_middle) @ mm

    def _failed(self, path: Path, error: Exception, fit: Fit = UNCHECKED) -> Outcome:
        if isinstance(error, MemoryError):
            error = ScanError(f"memory ran out ({error})", where=path, fix="Give it more memory, or resample the scan")
        if not isinstance(error, MoodError):
            log.error("%s: unexpected error", path, exc_info=error)
        message = str(error) or repr(error)
        if self.challenge:
            message += fall_back(path, self.outputs(path), self.method.region)
        name, made_from, figures = printable(scan_name(path)), self.there.made_from(path), rounded(fit.figures)
        return Outcome(name, "failed", message=message, fit=fit.told, made_from=made_from, figures=figures)

    def _skipped(self, path: Path) -> Outcome:
        score = read_score(self.there.of(path)["sample"]) if self.mode != "pixel" else None
        known = self.there.known(path)
        return replace(
            known, status="skipped", sample_score=score, seconds=0.0, message="its outputs were there already"
        )
