"""Score a folder of scans: one map and one sample score each, one scan at a time.

    read next (thread) -> conform -> method.score_volume -> restore -> write last (thread)

A scan that fails is reported and the others are still done. In challenge mode it gets a fallback
prediction instead, so that every input has its output. Outputs appear whole or not at all; a second
run of the same command does what is missing.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from mood.conform import Placement, conform
from mood.errors import MoodError, OutputError, UsageError
from mood.methods import Method
from mood.regions import Region
from mood.run_record import RUN_RECORD, Outcome, write_records
from mood.volume import Volume, find_scans, load, save_map, save_score, scan_name

log = logging.getLogger(__name__)

MODES = ("sample", "pixel", "both")
FALLBACK_SCORE = 0.5
LARGEST_READ_AHEAD = 64 * 2**20  # bytes of a file
LARGEST_FALLBACK = 1024**3  # voxels; a damaged header can claim anything


@dataclass
class _Scan:
    """A scan on the method's grid, and what its map needs."""

    header: nib.Nifti1Header
    affine: np.ndarray
    placement: Placement
    data: np.ndarray


def score_scan(volume: Volume, method: Method) -> tuple[np.ndarray, float]:
    """Map and sample score of one scan.

    Returns
    -------
    score_map : (X, Y, Z) float32 ndarray in [0, 1]
        On the scan's own voxels.
    sample_score : float in [0, 1]
    """
    data, placement = conform(volume, method.region, method.grid)
    score_map = method.score_volume(data)
    return placement.restore(score_map), method.sample_score(score_map)


def predict_folder(
    source: Path,
    target: Path,
    method: Method,
    mode: str = "both",
    *,
    challenge: bool = False,
    overwrite: bool = False,
    about: dict[str, Any] | None = None,
    on_scan: Callable[[Outcome, int], None] = lambda outcome, total: None,
) -> list[Outcome]:
    """Score every scan in `source`.

    Writes `NAME.nii.gz` (pixel) and `NAME.nii.gz.txt` (sample) to `target`, and, outside challenge
    mode, `scores.csv` and `run.json`.

    Parameters
    ----------
    source, target : pathlib.Path
        Folders; they must differ, since maps are called like their scans.
    method : Method
    mode : {'both', 'sample', 'pixel'}
    challenge : bool
        Keep the challenge's contract: a failed scan gets the score 0.5 and a map of zeros.
    overwrite : bool
        Do again what is there already.
    about : dict, optional
        What to put in the run record (the weights and their checksum); scans done by a run with
        another record are not skipped but refused.
    on_scan : callable
        Called after each scan with its outcome and the number of scans.

    Raises
    ------
    NoInputError, OutputError, UsageError
    """
    paths = find_scans(source)
    job = _Job(target, method, mode, challenge, overwrite, about or {})
    job.prepare(source, paths)
    outcomes: list[Outcome] = []
    try:
        for outcome in job.run(paths):
            outcomes.append(outcome)
            on_scan(outcome, len(paths))
    finally:
        if not challenge:
            write_records(target, outcomes, job.about)
    return outcomes


@dataclass
class _Job:
    """One run over a folder and its files."""

    target: Path
    method: Method
    mode: str
    challenge: bool
    overwrite: bool
    about: dict[str, Any]

    def prepare(self, source: Path, paths: list[Path]) -> None:
        if self.mode not in MODES:
            raise UsageError(f"unknown mode '{self.mode}'", fix=f"Choose one of: {', '.join(MODES)}")
        if source.resolve() == self.target.resolve():
            fix = "Name another output folder: maps are called like their scans"
            raise UsageError("the output folder is the input folder", where=source, fix=fix)
        names = [scan_name(path) for path in paths]
        if twins := sorted({name for name in names if names.count(name) > 1}):
            fix = "Keep one of NAME.nii and NAME.nii.gz"
            raise UsageError(f"two scans would write the same outputs ({', '.join(twins)})", where=source, fix=fix)
        make_writable(self.target)
        if not self.challenge and not self.overwrite:
            self._refuse_other_run()

    def _refuse_other_run(self) -> None:
        record = self.target / RUN_RECORD
        if record.exists() and (before := json.loads(record.read_text(encoding="utf-8"))["about"]) != self.about:
            changed = ", ".join(key for key in self.about if self.about[key] != before.get(key))
            fix = "Name another folder, or give --overwrite"
            raise UsageError(f"the output folder holds a run with other {changed}", where=self.target, fix=fix)

    def outputs(self, name: str) -> dict[str, Path]:
        """Where the outputs of a scan go, for what this run writes of them."""
        paths = {"pixel": self.target / f"{name}.nii.gz", "sample": self.target / f"{name}.nii.gz.txt"}
        return {kind: path for kind, path in paths.items() if self.mode in (kind, "both")}

    def run(self, paths: list[Path]) -> Iterator[Outcome]:
        done = [] if self.overwrite or self.challenge else [path for path in paths if self._is_done(path)]
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
        volume = load(path)
        data, placement = conform(volume, self.method.region, self.method.grid)
        return _Scan(volume.header, volume.affine, placement, data)

    def _start(self, path: Path, ready: Future[_Scan], writer: ThreadPoolExecutor) -> Future[Outcome]:
        """Score one scan and leave the writing to the writer."""
        begin = time.monotonic()
        try:
            scan = ready.result()
            score_map = self.method.score_volume(scan.data)
            del scan.data  # half a GiB of a large scan, while its map is resampled and written
            score = self.method.sample_score(score_map)
            score_map = scan.placement.restore(score_map)
        except Exception as error:
            return writer.submit(self._failed, path, error)
        return writer.submit(self._write, path, scan, score_map, score, begin)

    def _write(self, path: Path, scan: _Scan, score_map: np.ndarray, score: float, begin: float) -> Outcome:
        name = scan_name(path)
        paths = self.outputs(name)
        if "pixel" in paths:
            save_map(score_map, scan.header, scan.affine, paths["pixel"])
        if "sample" in paths:
            save_score(score, paths["sample"])
        return Outcome(name, "done", round(score, 6), round(time.monotonic() - begin, 2))

    def _failed(self, path: Path, error: Exception) -> Outcome:
        name = scan_name(path)
        if not isinstance(error, MoodError):
            log.error("%s: unexpected error", path, exc_info=error)
        message = str(error) or repr(error)
        if self.challenge:
            paths = self.outputs(name)
            if "pixel" in paths:
                save_fallback_map(path, self.method.region, paths["pixel"])
            if "sample" in paths:
                save_score(FALLBACK_SCORE, paths["sample"])
            message += " A fallback prediction was written."
        return Outcome(name, "failed", message=message)

    def _is_done(self, path: Path) -> bool:
        return all(output.exists() for output in self.outputs(scan_name(path)).values())

    def _skipped(self, path: Path) -> Outcome:
        score = self.outputs(scan_name(path)).get("sample")
        value = float(score.read_text(encoding="ascii")) if score else None
        return Outcome(scan_name(path), "skipped", value, message="its outputs were there already")


def read_ahead(
    paths: list[Path], read: Callable[[Path], _Scan], reader: ThreadPoolExecutor
) -> Iterator[tuple[Path, Future[_Scan]]]:
    """Each path with its scan, the next one being read meanwhile, unless it is so large that memory matters more."""
    ahead: Future[_Scan] | None = None
    for path, following in zip(paths, [*paths, None][1:], strict=True):
        scan = ahead or reader.submit(read, path)
        small = following is not None and following.stat().st_size <= LARGEST_READ_AHEAD
        ahead = reader.submit(read, following) if following is not None and small else None
        yield path, scan


def make_writable(folder: Path) -> None:
    """Create an output folder; `OutputError` when it cannot be written to."""
    probe = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        what = f"the output folder cannot be written ({error.strerror or error})"
        raise OutputError(what, where=folder, fix="Check its permissions, or name another one") from error


def save_fallback_map(scan: Path, region: Region, path: Path) -> None:
    """A map of zeros for a scan that could not be scored: of its shape where the header tells, else the region's."""
    header, affine = nib.Nifti1Header(), np.diag([*region.grid.spacing_mm, 1.0])
    header.set_data_shape(region.grid.shape)
    try:
        image = nib.load(scan)
        if isinstance(image, nib.Nifti1Image) and 0 < np.prod(image.shape, dtype=float) <= LARGEST_FALLBACK:
            header, affine = image.header, image.affine
    except Exception as error:
        log.warning("%s: its shape is unknown (%s); the map has the region's", scan, error)
    save_map(np.zeros(header.get_data_shape(), np.float32), header, affine, path)
