"""How busy training keeps the network: steps a second with its input pipeline, and with one batch again and again.

python scripts/bench_training.py [--data FOLDER] [--region brain] [--steps 256] [--set NAME=VALUE ...]

Trains the default method on scans of FOLDER, or on made-up ones. In alternating rounds the same network takes
steps on fresh batches, prepared while it works, and on a batch that lies ready; the best round counts. Prints a
table and, as the last line, one JSON object; `busy` is the share of the second speed that the first one reaches.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from mood import runtime
from mood.cli.options import parse_settings
from mood.methods.mix.method import Mix
from mood.regions import REGIONS, Region
from mood.synthesis.native import NativeScan, native_scan
from mood.synthesis.toy import draw_subject
from mood.training.new_method import new_method
from mood.volume import find_scans, load

MADE_UP = 8  # scans


def scans_of(region: Region, folder: Path | None) -> list[NativeScan]:
    if folder is not None:
        return [native_scan(load(path), region) for path in find_scans(folder)]
    grid = region.grid.coarsened(176)
    subjects = (draw_subject(region, grid, np.random.default_rng(seed)) for seed in range(MADE_UP))
    return [NativeScan(subject, grid.spacing_mm) for subject in subjects]


def fresh_batches(method: Mix, scans: list[NativeScan]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for epoch in itertools.count():
        yield from method.batches(scans, np.random.default_rng(epoch))


def steps_a_second(method: Mix, batches: Iterator[tuple[np.ndarray, np.ndarray]], steps: int) -> float:
    start = time.perf_counter()
    for images, labels in itertools.islice(batches, steps):
        float(method.network.train_on_batch(images, labels))
    return steps / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the input pipeline of training.")
    parser.add_argument("--data", type=Path, help="folder of healthy scans; made up when not given")
    parser.add_argument("--region", choices=REGIONS, default="brain")
    parser.add_argument("--steps", type=int, default=256, help="of each round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--set", dest="settings", action="append", default=[], help="NAME=VALUE of the method")
    options = parser.parse_args()
    region = REGIONS[options.region]
    method = new_method("mix", region, parse_settings(options.settings))
    assert isinstance(method, Mix)
    method.prepare_training()
    fresh = fresh_batches(method, scans_of(region, options.data))
    ready = itertools.repeat(next(fresh))
    steps_a_second(method, ready, 5)  # compiles
    rounds = [
        (steps_a_second(method, fresh, options.steps), steps_a_second(method, ready, options.steps))
        for _ in range(options.rounds)
    ]
    with_pipeline, without = (max(speeds) for speeds in zip(*rounds, strict=True))
    result = {"steps_per_s": with_pipeline, "steps_per_s_ready": without, "busy": with_pipeline / without}
    table = Table("batches", "steps a second", title=f"{runtime.device()}, batch {method.settings.batch_size}")
    table.add_row("fresh", f"{with_pipeline:.2f}")
    table.add_row("one, lying ready", f"{without:.2f}")
    Console().print(table)
    print(json.dumps(result | {"device": runtime.device()}))


if __name__ == "__main__":
    main()
