"""`mood predict` and `mood train` ended at random moments; the same command again has to finish the work.

    python scripts/kill_test.py [--points 100] [--signal KILL] [--seed 0]

Half of the moments are of a prediction, half of a training (of the atlas, which needs no network: what is tried is what
stands on the disk). After each one the command is run again, to its end. Then nothing half-written may lie about, each
output has to be the one of an uninterrupted run, and what a finished record called done may not have been done again.
Prints one line; the exit status is 1 when anything was wrong.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np

SCANS = 12
SHAPE = (24, 20, 16)


def write_scans(folder: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for i in range(count):
        data = np.zeros(SHAPE, np.float32)
        data[3:21, 2:18, 2:14] = rng.uniform(0.2, 1.0, (18, 16, 12))
        nib.save(nib.Nifti1Image(data, np.diag([8.0, 9.0, 10.0, 1.0])), folder / f"s{i:02d}.nii.gz")


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "mood", *map(str, words)]


def outputs(folder: Path) -> dict[str, bytes]:
    """What a run leaves that has to be the same each time; weights by their arrays, for HDF5 notes times."""
    names = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.name: path.read_bytes() for path in names if path.name.endswith((".nii.gz", ".nii.gz.txt"))}


def done_before(folder: Path) -> dict[str, int]:
    """When the outputs were written of scans that a record calls done."""
    try:
        rows = json.loads((folder / "run.json").read_text())["scans"]
    except (OSError, ValueError):
        return {}
    names = [row["scan"] for row in rows if row["status"] in ("done", "skipped")]
    paths = [folder / f"{name}.nii.gz" for name in names]
    return {path.name: path.stat().st_mtime_ns for path in paths if path.exists()}


def check_predicted(folder: Path, whole: dict[str, bytes], before: dict[str, int]) -> str:
    if outputs(folder) != whole:
        return "outputs differ from an uninterrupted run's"
    if any((folder / name).stat().st_mtime_ns != written for name, written in before.items()):
        return "what was done was done again"
    record = json.loads((folder / "run.json").read_text())
    return "" if record["finished"] else "the record is not finished"


def check_trained(folder: Path, whole: dict[str, bytes], before: dict[str, int]) -> str:
    return "" if (folder / "config.json").exists() and (folder / "card.md").exists() else "there are no weights"


def one(words: list[str], out: Path, number: int, delay: float, check: Callable[..., str], whole: dict) -> str:
    """End the command after `delay` seconds, run it again; what was wrong, or nothing."""
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(delay)
        process.send_signal(number)
    before = done_before(out)
    again = subprocess.run(words, capture_output=True, text=True, check=False)
    if again.returncode or "Traceback" in again.stderr:
        return f"the same command again ended with {again.returncode}: {again.stderr[-500:]}"
    litter = [path.name for path in out.rglob(".*")]
    return f"left behind: {litter}" if litter else check(out, whole, before)


def main() -> int:
    parser = argparse.ArgumentParser(description="Prediction and training ended at random moments.")
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--signal", default="KILL", choices=("KILL", "TERM", "INT", "HUP"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    number, rng = getattr(signal, f"SIG{options.signal}"), random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        write_scans(top / "in", SCANS)
        train = ("train", "-i", top / "in", "-r", "abdom", "-m", "atlas", "--side", "16", "--held-out", "2", "-o")
        predict = ("predict", "-i", top / "in", "-r", "abdom", "-m", "atlas", "--weights", top / "train", "-o")
        jobs = {"train": (train, check_trained), "predict": (predict, check_predicted)}
        seconds, whole = {}, {}
        for kind, (words, _) in jobs.items():
            begin = time.monotonic()
            subprocess.run(command(*words, top / kind), check=True, capture_output=True)
            seconds[kind], whole[kind] = time.monotonic() - begin, outputs(top / kind)
        wrong = []
        for point in range(options.points):
            kind = ("predict", "train")[point % 2]
            words, check = jobs[kind]
            out, delay = top / f"out{point}", rng.uniform(0.05, 1.0) * seconds[kind]
            what = one(command(*words, out), out, number, delay, check, whole[kind])
            if what:
                wrong.append(what)
                print(f"kill_test: {kind}, SIG{options.signal} after {delay:.2f} s: {what}", file=sys.stderr)
            shutil.rmtree(out, ignore_errors=True)
    print(f"SIG{options.signal} at {options.points} moments of predict and train: {len(wrong)} wrong")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
