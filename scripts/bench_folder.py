"""What a folder of scans costs `mood predict`, beside what its network costs. Used by bench_predict.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

# `mood predict` with a clock around the network; the last line it prints is a list of seconds.
TIMED = """
import json, sys, time
from mood.cli.app import run
from mood.methods.fpi import Fpi
plain, spent = Fpi.score_volume, []
def timed(self, scan):
    start = time.perf_counter()
    score_map = plain(self, scan)
    spent.append(time.perf_counter() - start)
    return score_map
Fpi.score_volume = timed
try:
    run(sys.argv[1:])
finally:
    print(json.dumps(spent))
"""


def folder_costs(scan: Path, weights: Path, scans: int, engine: str, folder: Path) -> dict[str, float]:
    """Three commands: a scan alone, the same again when all is done, and `scans` copies of it.

    Returns
    -------
    dict
        `folder_start_up_s`: the command that finds nothing left to do.
        `folder_cost`: wall time of the copies as a multiple of one start-up and `scans` times the scan alone.
        `folder_wall_per_network`: wall time of the copies, start-up apart, as a multiple of their network's.
    """
    alone, _ = _predict(scan, weights, 1, engine, folder / "alone")
    start_up, _ = _predict(scan, weights, 1, engine, folder / "alone")
    wall, network = _predict(scan, weights, scans, engine, folder / "all")
    return {
        "folder_scans": scans,
        "folder_start_up_s": start_up,
        "folder_s": wall,
        "folder_cost": wall / (start_up + scans * (alone - start_up)),
        "folder_wall_per_network": (wall - start_up) / sum(network),
    }


def _predict(scan: Path, weights: Path, count: int, engine: str, folder: Path) -> tuple[float, list[float]]:
    """Wall time of the command, and the seconds of the network for each scan."""
    (folder / "in").mkdir(parents=True, exist_ok=True)
    for i in range(count):
        link = folder / "in" / f"scan{i:02}{''.join(scan.suffixes[-2:])}"
        if not link.is_symlink():
            link.symlink_to(scan.resolve())
    arguments = ["predict", "-i", folder / "in", "-o", folder / "out", "-r", "brain", "-m", "fpi"]
    command = [sys.executable, "-c", TIMED, *map(str, arguments), "--weights", str(weights), "--engine", engine]
    chosen_here = ("KERAS_BACKEND", "MOOD_ENGINE")  # by a script that has imported Keras
    environment = {key: value for key, value in os.environ.items() if key not in chosen_here}
    start = time.perf_counter()
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    return time.perf_counter() - start, json.loads(printed.splitlines()[-1])
