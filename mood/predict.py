"""Score a folder of scans: one map and one sample score each, one scan at a time.

    read next (thread) -> conform -> fit to score? -> method.score_volume -> restore -> write last (thread)

A scan that fails is reported and the others are still done. In challenge mode it gets a fallback
prediction instead, so that every input has its output. Outputs appear whole or not at all; a second
run of the same command does what is missing, what is damaged, and what was made from another input.
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mood.atomic import check_writable, remove_stale
from mood.conform import ConformedScan
from mood.detector import Detector, Result
from mood.errors import MoodError, OutputError, ScanError, UsageError
from mood.methods import Method
from mood.methods.fit.verdict import UNCHECKED, Fit
from mood.run_record import Fingerprint, Outcome, Outputs, RunRecord, former_run, printable, rounded
from mood.volume import find_scans, load, read_score, save_fallback_map, save_map, save_score, scan_name

log = logging.getLogger(__name__)

MODES = ("sample", "pixel", "both")
FALLBACK_SCORE = 0.5
UNFIT = "Look at the scan, or leave out --strict to score it all the same"
LARGEST_READ_AHEAD = 64 * 2**20  # bytes of a file


@dataclass
class _Scan:
    """A scan on the method's grid, and the file that it was."""

    conformed: ConformedScan
    fit: Fit
    made_from: Fingerprint | None  # None in the challenge, which keeps no record


def predict_folder(
    source: Path,
    target: Path,
    method: Method,
    mode: str = "both",
    *,
    challenge: bool = False,
    overwrite: bool = False,
    strict: bool = False,
    about: dict[str, Any] | None = None,
    on_scan: Callable[[Outcome, int], None] = lambda outcome, total: None,
) -> list[Outcome]:
    """Score every scan in `source`.

    Writes `NAME.nii.gz` (pixel) and `NAME.nii.gz.txt` (sample) to `target`, and, outside challenge
    mode, `scores.csv` and `run.json`.

    Parameters
    ----------
    source, target : pathlib.Path
        Folders, or one scan and a folder; they must differ, since maps are called like their scans.
    method : Method
    mode : {'both', 'sample', 'pixel'}
    challenge : bool
        Keep the challenge's contract: a failed scan gets the score 0.5 and a map of zeros.
    overwrite : bool
        Do again what is there already.
    strict : bool
        Fail scans that are not what the weights know, instead of scoring them with a warning.
    about : dict, optional
        What to put in the run record (the weights and their checksum); scans done by a run with
        another record are not skipped but refused.
    on_scan : callable
        Called after each scan with its outcome and the number of scans.

    Raises
    ------
    NoInputError, OutputError, UsageError
    """
    paths = find_scans(source, with_labels=challenge)
    if challenge:  # an output for every .nii.gz
        paths = [path for path in paths if path.suffix != ".nii" or path.with_name(f"{path.name}.gz") not in paths]
    job = _Job(target, method, mode, challenge, overwrite, strict, about or {}, Outputs(target))
    job.prepare(source, paths)
    record = None if challenge else job.begin_record(paths)
    outcomes: list[Outcome] = []
    try:
        for outcome in job.run(paths):
            outcomes.append(outcome)
            if record is not None:
                record.add(outcome)
            on_scan(outcome, len(paths))
    finally:
        if record is not None:
            record.end()
    return outcomes


@dataclass
class _Job:
    """One run over a folder and its files."""

    target: Path
    method: Method
    mode: str
    challenge: bool
    overwrite: bool
    strict: bool
    about: dict[str, Any]
    there: Outputs

    def prepare(self, source: Path, paths: list[Path]) -> None:
        if self.mode not in MODES:
            raise UsageError(f"unknown mode '{self.mode}'", fix=f"Choose one of: {', '.join(MODES)}")
        if self.strict and self.challenge:
            raise UsageError("--strict fails scans, which the challenge does not allow", fix="Leave out one of the two")
        folder = source.parent if source.is_file() else source
        if folder.resolve() == self.target.resolve():
            fix = "Name another output folder: maps are called like their scans"
            raise UsageError("the output folder is the input folder", where=source, fix=fix)
        names = [scan_name(path) for path in paths]
        if twins := sorted({name for name in names if names.count(name) > 1}):
            fix = "Keep one of NAME.nii and NAME.nii.gz"
            raise UsageError(f"two scans would write the same outputs ({', '.join(twins)})", where=source, fix=fix)
        check_writable(self.target)
        remove_stale(self.target)
        former = None if self.challenge else former_run(self.target)
        if former is not None and not self.overwrite:
            former.check_same(self.about, self.target)
            self.there.former = former

    def begin_record(self, paths: list[Path]) -> RunRecord:
        """The record of this run, on disk before any output is."""
        pending = [self.there.pending(path) for path in paths]
        engine = self.method.engine.described()
        record = RunRecord(self.target, self.about, engine, {outcome.scan: outcome for outcome in pending})
        record.begin(replace=self.overwrite)
        return record

    def outputs(self, scan: Path) -> dict[str, Path]:
        """Where the outputs of a scan go, for what this run writes of them."""
        return {kind: path for kind, path in self.there.of(scan).items() if self.mode in (kind, "both")}

    def run(self, paths: list[Path]) -> Iterator[Outcome]:
        done = [path for path in paths if self.there.are_done(path, self.outputs(path))]
        yield from map(self._skipped, done)
        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
            writing: Future[Outcome] | None = None
            for path, scan in read_ahead([path for path in paths if path not in done], self._read, reader):
                started = self._start(path, scan, writer)
                if writing is not None:
                    yield writing.result()
                writing = started
            if writing is not None:
                yield writing.result()

    def _read(self, path: Path) -> _Scan:
        made_from = Fingerprint.of(path) if path.is_file() and not self.challenge else None
        return _Scan(*Detector(self.method).examine(load(path)), made_from)

    def _start(self, path: Path, ready: Future[_Scan], writer: ThreadPoolExecutor) -> Future[Outcome]:
        """Score one scan and leave the writing to the writer."""
        begin, fit = time.monotonic(), UNCHECKED
        try:
            scan = ready.result()
            fit = scan.fit
            if self.strict and not fit.ok:
                raise ScanError(f"the scan is not fit to score: {fit.told}", where=path, fix=UNFIT)
            detector = Detector(self.method)
            grid_map = detector.grid_map(scan.conformed)
            del scan.conformed.data  # half a GiB of a large scan, while its map is resampled and written
            result = detector.result(scan.conformed, grid_map, fit)
        except Exception as error:
            return writer.submit(self._failed, path, error, fit)
        return writer.submit(self._write, path, result, scan, begin)

    def _write(self, path: Path, result: Result, scan: _Scan, begin: float) -> Outcome:
        paths = self.outputs(path)
        try:
            if "pixel" in paths:
                save_map(result.map, result.header, result.affine, paths["pixel"], result.display_range)
            if "sample" in paths:
                save_score(result.sample_score, paths["sample"])
        except Exception as error:
            if _concerns_all(error):
                raise
            return self._failed(path, error, scan.fit)
        self.there.remove_stale(path, paths)
        name, seconds = printable(scan_name(path)), round(time.monotonic() - begin, 2)
        taken_for = scan.conformed.placement.taken_for
        score = round(result.sample_score, 6)
        return Outcome(
            name, "done", score, seconds, fit=scan.fit.told, made_from=scan.made_from, taken_for=taken_for,
            figures=rounded(scan.fit.figures),
        )  # fmt: skip

    def _failed(self, path: Path, error: Exception, fit: Fit = UNCHECKED) -> Outcome:
        if not isinstance(error, MoodError):
            log.error("%s: unexpected error", path, exc_info=error)
        message = str(error) or repr(error)
        if self.challenge:
            message += self._fall_back(path)
        name, made_from, figures = printable(scan_name(path)), self.there.made_from(path), rounded(fit.figures)
        return Outcome(name, "failed", message=message, fit=fit.told, made_from=made_from, figures=figures)

    def _fall_back(self, path: Path) -> str:
        paths = self.outputs(path)
        try:
            if "pixel" in paths:
                save_fallback_map(path, self.method.region, paths["pixel"])
            if "sample" in paths:
                save_score(FALLBACK_SCORE, paths["sample"])
        except Exception as error:
            if _concerns_all(error):
                raise
            return f" No fallback prediction could be written: {error}"
        return " A fallback prediction was written."

    def _skipped(self, path: Path) -> Outcome:
        score = read_score(self.there.of(path)["sample"]) if self.mode != "pixel" else None
        message, made_from, fit = "its outputs were there already", self.there.made_from(path), self.there.fit(path)
        return Outcome(printable(scan_name(path)), "skipped", score, message=message, fit=fit, made_from=made_from)


def read_ahead(
    paths: list[Path], read: Callable[[Path], _Scan], reader: ThreadPoolExecutor
) -> Iterator[tuple[Path, Future[_Scan]]]:
    """Each path with its scan, the next one being read meanwhile, unless it is so large that memory matters more."""
    ahead: Future[_Scan] | None = None
    for path, following in zip(paths, [*paths, None][1:], strict=True):
        scan = ahead or reader.submit(read, path)
        ahead = reader.submit(read, following) if following is not None and _is_small(following) else None
        yield path, scan


def _is_small(path: Path) -> bool:
    try:
        return path.stat().st_size <= LARGEST_READ_AHEAD
    except OSError:  # reading it will tell why
        return False


def _concerns_all(error: Exception) -> bool:
    """Whether no other scan's outputs can be written either."""
    return isinstance(error, OutputError) and getattr(error.__cause__, "errno", None) != errno.ENAMETOOLONG
