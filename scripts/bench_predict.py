"""How fast prediction is, against the plain way with the same weights: every slice, full frame, one by one.

python scripts/bench_predict.py --scan BRAIN.nii.gz [--quick] [--released]

The scan, a real skull-stripped brain, is brought to 256 x 256 x 256. The network is the published one
(width 4) with seeded weights, so that the figures do not depend on which weights are released; --released
takes the released brain weights on their own grid instead. Prints a table and, as the last line, one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from mood.conform import conform
from mood.methods import load_method
from mood.methods.fpi import Fpi
from mood.networks.wide_resnet import side_multiple
from mood.regions import BRAIN
from mood.runtime import seed_initial_weights
from mood.slices import pad_to_multiple, to_slices
from mood.volume import load
from mood.weights import find_weights


def published_network() -> Fpi:
    """FPI as published, with random weights whose normalisations have statistics of their own."""
    seed_initial_weights(0)
    method = Fpi(BRAIN, Fpi.default_settings(BRAIN))
    rng = np.random.default_rng(0)
    ranges = {"gamma": (0.5, 0.9), "beta": (-0.1, 0.1), "moving_mean": (-0.1, 0.1), "moving_variance": (0.7, 1.5)}
    for variable in method.network.weights:
        for name, (low, high) in ranges.items():
            if variable.path.endswith(name):
                variable.assign(rng.uniform(low, high, variable.shape).astype(np.float32))
    return method


def slice_by_slice(method: Fpi, scan: np.ndarray, every: int) -> tuple[np.ndarray, np.ndarray, float]:
    """The plain way on every `every`-th slice: their indices, their maps (N, H, W), seconds a slice."""
    axis = method.settings.slice_axis
    slices = pad_to_multiple(to_slices(scan, axis), side_multiple(method.settings.architecture))
    indices = np.arange(0, len(slices), every)
    method.network.predict_on_batch(slices[:1, ..., None])
    start = time.perf_counter()
    maps = [method.network.predict_on_batch(slices[i : i + 1, ..., None])[0, ..., 0] for i in indices]
    seconds = (time.perf_counter() - start) / len(indices)
    height, width = to_slices(scan, axis).shape[1:]
    return indices, np.stack(maps)[:, :height, :width], seconds


def timed(function, *arguments):
    start = time.perf_counter()
    return function(*arguments), time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description="Time prediction against the plain way.")
    parser.add_argument("--scan", type=Path, required=True, help="a skull-stripped T1 scan")
    parser.add_argument("--quick", action="store_true", help="the plain way on every 16th slice only")
    parser.add_argument("--released", action="store_true", help="the released weights on their own grid")
    parser.add_argument("--rounds", type=int, default=2, help="alternating rounds; the best of each counts")
    options = parser.parse_args()
    method = load_method(find_weights("fpi", "brain")) if options.released else published_network()
    volume, load_seconds = timed(load, options.scan)
    (scan, placement), conform_seconds = timed(conform, volume, BRAIN, method.grid)
    method.score_volume(scan[:, :, : scan.shape[2] // 2])  # compile and cache the empty response
    fast, plain = [], []
    for _ in range(options.rounds):
        indices, expected, seconds = slice_by_slice(method, scan, 16 if options.quick else 2)
        plain.append(seconds * scan.shape[method.settings.slice_axis])
        score_map, seconds = timed(method.score_volume, scan)
        fast.append(seconds)
    difference = float(np.abs(to_slices(score_map, method.settings.slice_axis)[indices] - expected).max())
    restore_seconds = timed(placement.restore, score_map)[1]
    result = {
        "grid": list(scan.shape),
        "filled_slices": int(scan.any(axis=(0, 1)).sum()),
        "load_s": load_seconds,
        "conform_s": conform_seconds,
        "plain_s": min(plain),
        "mood_s": min(fast),
        "restore_s": restore_seconds,
        "brain_speedup": min(plain) / min(fast),
        "brain_max_diff": difference,
        "map_range": float(np.ptp(score_map)),
        "peak_rss_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }
    table = Table("what", "figure", title="Prediction of one brain")
    for name, figure in result.items():
        table.add_row(name, f"{figure:.3g}" if isinstance(figure, float) else str(figure))
    Console().print(table)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
