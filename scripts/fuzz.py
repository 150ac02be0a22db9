"""Damaged and hostile scan files against reading, conforming and predicting: each ends in a result or in a sentence.

    python scripts/fuzz.py MINUTES [--keep FOLDER] [--seed N]

Files are small NIfTI files of many forms whose bytes and header fields are changed; guided by coverage where `atheris`
is installed, else at random. They are scored in a process of their own, which may take no more than GIB of memory and
SECONDS a file. Prints how many files there were and what became of them. Files that ended in anything else are kept;
the exit status is 1 when there is one.
"""

from __future__ import annotations

import argparse
import logging
import mmap
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
from damaged_files import mutated, seeds

GIB = 4  # of address space
SECONDS = 60
MAX_VOXELS = 2**22  # set as MOOD_MAX_VOXELS: memory is bounded by it, 8 bytes a voxel and some copies
COUNTS = ("files", "results", "sentences", "folders", "tracebacks", "ended")
GRID = ((20, 18, 14), (10.0, 10.0, 10.0))


class Target:
    """Scores files with an atlas, which needs no network, and counts what becomes of them."""

    def __init__(self, counts: Any, folder: Path, kept: Path) -> None:
        from mood.detector import Detector
        from mood.regions import ABDOM, BRAIN
        from mood.training.new_method import new_method

        self.counts, self.folder, self.kept = counts, folder, kept
        self.detectors = []
        for region in (BRAIN, ABDOM):
            method = new_method("atlas", region, {"grid_shape": GRID[0], "spacing_mm": GRID[1]})
            rng = np.random.default_rng(0)
            for _ in method.train_epoch(list(rng.random((3, *GRID[0]), dtype=np.float32)), rng):
                pass
            self.detectors.append(Detector(method))

    def __call__(self, content: bytes) -> None:
        """One file."""
        from mood.errors import MoodError

        path = self.folder / "in" / "scan.nii.gz"
        path.write_bytes(content)
        number = self.counts[0] = self.counts[0] + 1
        try:
            if number % 10:
                self._score(path, number)
            else:
                self._predict(path)
            self.counts[1] += 1
        except MoodError as error:
            self.counts[2] += 1
            if not (error.what and error.fix):
                self._keep(content, "a sentence without a remedy")
        except Exception:
            self.counts[4] += 1
            self._keep(content, traceback.format_exc())

    def _score(self, path: Path, number: int) -> None:
        from mood.volume import load

        detector = self.detectors[number % 2]
        scan = detector.conform(load(path))  # whether it is fit takes most of the time, and is looked at in `_predict`
        result = detector.result(scan, detector.grid_map(scan))
        if not (np.isfinite(result.map).all() and result.map.min() >= 0 and result.map.max() <= 1):
            raise AssertionError("the map is not in [0, 1]")
        if not 0 <= result.sample_score <= 1:
            raise AssertionError(f"the score is {result.sample_score}")
        if result.map.shape != tuple(result.header.get_data_shape())[:3]:
            raise AssertionError(f"the map has shape {result.map.shape}")

    def _predict(self, path: Path) -> None:
        """In challenge mode, where the file's outputs have to be there and whole."""
        from mood.cohort.outputs import Outputs
        from mood.predict import predict_folder

        self.counts[3] += 1
        predict_folder(path.parent, self.folder / "out", self.detectors[0].method, challenge=True)
        if not Outputs(self.folder / "out").are_whole(path, ("pixel", "sample")):
            raise AssertionError("an output is missing or cut short")
        shutil.rmtree(self.folder / "out")

    def _keep(self, content: bytes, what: str) -> None:
        name = f"{self.counts[0]:08d}.nii.gz"
        (self.kept / name).write_bytes(content)
        (self.kept / f"{name}.txt").write_text(what)
        print(f"fuzz: {self.kept / name}\n{what}", file=sys.stderr)


def work(counts: Any, folder: Path, kept: Path, seed: int, seconds: float) -> None:
    """In a process of its own: files until the time is over."""
    logging.disable(logging.CRITICAL)
    os.environ["MOOD_MAX_VOXELS"] = str(MAX_VOXELS)
    np.seterr(all="ignore")
    target = Target(counts, folder, kept)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + GIB * 2**30, resource.RLIM_INFINITY))
    plain, rng = seeds(np.random.default_rng(0)), random.Random(seed)
    end = time.monotonic() + seconds
    for content in plain:
        target(content)
    try:
        import atheris
    except ImportError:
        while time.monotonic() < end:
            signal.alarm(SECONDS)
            target(mutated(rng.choice(plain), rng))
        return
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, content in enumerate(plain):
        (corpus / str(number)).write_bytes(content)
    options = [f"-max_total_time={max(1, int(seconds))}", f"-timeout={SECONDS}", "-rss_limit_mb=0", "-max_len=100000"]
    quiet = ["-verbosity=0", "-print_final_stats=0", f"-artifact_prefix={kept}/", f"-seed={seed % 2**31 + 1}"]
    atheris.Setup(
        ["fuzz", *options, *quiet, str(corpus)],
        target,
        custom_mutator=lambda content, most, seed: mutated(content, random.Random(seed))[:most],
    )
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description="Damaged files against reading, conforming and predicting.")
    parser.add_argument("minutes", type=float)
    parser.add_argument("--keep", type=Path, help="folder for files that ended in anything else")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    shared = mmap.mmap(-1, 8 * len(COUNTS))
    counts = np.frombuffer(shared, np.int64)  # type: ignore[call-overload]
    kept = options.keep or Path(tempfile.mkdtemp(prefix="mood-fuzz-"))
    kept.mkdir(parents=True, exist_ok=True)
    end, seed = time.monotonic() + 60 * options.minutes, options.seed
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        (Path(name) / "in").mkdir()
        while (seconds := end - time.monotonic()) > 0:
            _one_process(counts, Path(name), kept, seed, seconds)
            seed += 1
    return report(counts, kept)


def _one_process(counts: Any, folder: Path, kept: Path, seed: int, seconds: float) -> None:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _instrumented()
            work(counts, folder, kept, seed, seconds)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        counts[5] += 1
        scan = folder / "in" / "scan.nii.gz"
        if scan.exists():
            shutil.copy(scan, kept / f"ended-{seed}.nii.gz")
        print(f"fuzz: the process ended with {status}; its last file is {kept}/ended-{seed}.nii.gz", file=sys.stderr)


def _instrumented() -> None:
    """Have atheris watch which lines of what reads files are reached, if it is there."""
    try:
        import atheris
    except ImportError:
        return
    with atheris.instrument_imports(include=["mood.nifti_file", "mood.volume", "mood.geometry", "mood.compression"]):
        import mood.geometry
        import mood.volume  # noqa: F401


def report(counts: Any, kept: Path) -> int:
    """Print the counts; the exit status."""
    told = dict(zip(COUNTS, map(int, counts), strict=True))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(
        f"{told['files']} files ({told['folders']} of them through challenge mode): {told['results']} results, "
        f"{told['sentences']} sentences, {told['tracebacks']} tracebacks, "
        f"{told['ended']} processes that ended or hung; peak {peak:.2f} GiB"
    )
    bad = told["tracebacks"] + told["ended"]
    if bad:
        print(f"files that ended in anything but a result or a sentence: {kept}")
    return int(bad > 0 or told["files"] == 0)


if __name__ == "__main__":
    sys.exit(main())
