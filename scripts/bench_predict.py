"""How fast prediction is, and how near to what the machine can do.

python scripts/bench_predict.py --data FOLDER [--quick]

FOLDER holds MANIFEST.csv (file, use, spacing_mm, ...) and skull-stripped scans in brain/healthy. The finest one for
validation is brought to 256 x 256 x 256; the abdomen is a made-up torso of 512 x 512 x 512. The networks are the
published ones with seeded weights, so that the figures do not depend on which weights are released. In one process,
in alternating rounds, the same slices go through

    plain       every slice in full frame, one by one, as the authors' loop does it
    keras       mood predict --engine keras
    openvino    mood predict --engine openvino, where it is installed

Some filled slices stand for all of them, evenly spaced, fewer with --quick; seconds are scaled to the whole volume, in
which the plain way alone spends time on empty slices. The best round counts. Ratios of processor time (`cpu`) bear a
busy machine better than those of the clock. `gflop` counts the convolutions that are really done. The last line
printed is one JSON object; `brain_speedup` is that of the engine that mood predict chooses by itself.
"""

from __future__ import annotations

import argparse
import csv
import functools
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import nibabel as nib
import numpy as np
from bench_memory import peak_gib, write_scan, write_weights
from rich.console import Console
from rich.table import Table

from mood.conform import conform
from mood.methods.fpi import PIXELS_AT_ONCE, Fpi
from mood.networks.cropped import CroppedForward
from mood.networks.wide_resnet import CUT_STRIDE, fold, side_multiple, split
from mood.regions import ABDOM, BRAIN, Region
from mood.runtime import seed_initial_weights
from mood.slices import filled_slices, pad_to_multiple, to_slices
from mood.toy import draw_subject
from mood.volume import load, save_map

ENGINES = ("keras", "openvino") if importlib.util.find_spec("openvino") else ("keras",)
SAMPLED = {"brain": 32, "abdom": 16}  # batches of slices that stand for the volume
QUICK = {"brain": 4, "abdom": 3}
IMPORT = "from mood import runtime\nruntime.choose_engine('{}')\nfrom mood.methods import fpi"


def published_network(region: Region) -> Fpi:
    """FPI as published, with random weights whose normalisations have statistics of their own."""
    seed_initial_weights(0)
    method = Fpi(region, Fpi.default_settings(region))
    rng = np.random.default_rng(0)
    ranges = {"gamma": (0.5, 0.9), "beta": (-0.1, 0.1), "moving_mean": (-0.1, 0.1), "moving_variance": (0.7, 1.5)}
    for variable in method.network.weights:
        for name, (low, high) in ranges.items():
            if variable.path.endswith(name):
                variable.assign(rng.uniform(low, high, variable.shape).astype(np.float32))
    return method


def finest_brain(folder: Path) -> Path:
    """The validation scan with the smallest voxels."""
    with (folder / "MANIFEST.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["file"].startswith("brain/healthy/")]
    chosen = [row for row in rows if row["use"] == "validation"] or rows
    return folder / min(chosen, key=lambda row: np.prod([float(mm) for mm in row["spacing_mm"].split("x")]))["file"]


def abdomen_file(folder: Path) -> Path:
    """A made-up torso on the challenge's grid."""
    header = nib.Nifti1Header()
    header.set_data_shape(ABDOM.grid.shape)
    scan = draw_subject(ABDOM, ABDOM.grid, np.random.default_rng(0))
    save_map(scan, header, np.diag([*ABDOM.grid.spacing_mm, 1.0]), folder / "torso.nii.gz")
    return folder / "torso.nii.gz"


class Counted:
    """One part of a network that counts the floating-point operations of its convolutions."""

    def __init__(self, run: Callable, part: keras.Model) -> None:
        self.run, self.operations = run, 0.0
        fixed = keras.models.clone_model(part, input_tensors=keras.Input((64, 64, part.inputs[0].shape[-1])))
        convolutions = [layer for layer in fixed.layers if isinstance(layer, keras.layers.Conv2D)]
        self.per_pixel = sum(2 * np.prod((*c.kernel.shape, *c.output.shape[1:3])) for c in convolutions) / 64**2

    def __call__(self, slices: np.ndarray) -> np.ndarray:
        self.operations += self.per_pixel * np.prod(slices.shape[:3])
        return self.run(slices)


class CountedForward(CroppedForward):
    def __init__(self, network: keras.Model, engine: str) -> None:
        super().__init__(network, engine)
        front, rest = split(fold(network))
        self.front, self.rest = Counted(self.front, front), Counted(self.rest, rest)

    @property
    def operations(self) -> float:
        return self.front.operations + self.rest.operations


def plain_map(method: Fpi, scan: np.ndarray) -> np.ndarray:
    """Every slice in full frame, one by one."""
    axis = method.settings.slice_axis
    slices = pad_to_multiple(to_slices(scan, axis), side_multiple(method.settings.architecture))
    maps = [method._foreign_share(method.network.predict_on_batch(piece[None, ..., None]))[0] for piece in slices]
    height, width = to_slices(scan, axis).shape[1:]
    return np.moveaxis(np.stack(maps)[:, :height, :width], 0, axis)


def timed(function: Callable, *arguments) -> tuple[Any, np.ndarray]:
    """The result, and the seconds by the clock and of the processors."""
    start = time.perf_counter(), time.process_time()
    result = function(*arguments)
    return result, np.array([time.perf_counter() - start[0], time.process_time() - start[1]])


def matrix_product(side: int = 4096) -> np.ndarray:
    """GFLOP of a large float32 matrix product a second, by the clock and of the processors."""
    a = np.ones((side, side), np.float32)
    return 2 * side**3 / timed(np.matmul, a, a)[1] / 1e9


def sampled_slices(filled: np.ndarray, batches: int, size: int) -> np.ndarray:
    """`batches` runs of `size` neighbouring slices, evenly spaced over those that are filled."""
    starts = np.linspace(0, len(filled) - size, min(batches, len(filled) // size) + 2)[1:-1].astype(int)
    return filled[np.unique(starts[:, None] + np.arange(size))]


def compare(method: Fpi, scan: np.ndarray, batches: int, rounds: int) -> dict[str, Any]:
    """Plain and every engine in turn, on some filled slices; seconds are those of the whole scan."""
    axis = method.settings.slice_axis
    slices = to_slices(scan, axis)
    filled, area = filled_slices(slices), int(np.prod(slices.shape[1:]))
    chosen = np.take(scan, sampled_slices(filled, batches, max(1, PIXELS_AT_ONCE // area)), axis)
    forwards = {engine: CountedForward(method.network, engine) for engine in ENGINES}
    scales = {"plain": len(slices) / chosen.shape[axis]} | dict.fromkeys(ENGINES, len(filled) / chosen.shape[axis])
    seconds: dict[str, list] = {name: [] for name in scales}
    maps, peaks, operations = {}, [], {"plain": full_frame_operations(forwards["keras"]) * area * chosen.shape[axis]}
    for turn in range(rounds + 1):  # the first one compiles
        peaks.append(matrix_product())
        for name, taken in seconds.items():
            method.runner = forward = forwards.get(name)
            before = forward.operations if forward else 0.0
            score = method.score_volume if forward else lambda data: plain_map(method, data)
            part = chosen if turn or forward else np.take(chosen, [0], axis)
            maps[name], spent = timed(score, part)
            if forward:
                operations[name] = forward.operations - before
            if turn:
                taken.append(spent * scales[name])
    figures = {}
    for name, taken in seconds.items():
        (wall, cpu), best_peak = np.min(taken, axis=0), np.max(peaks, axis=0)
        work = operations[name] * scales[name] / 1e9
        figures[name] = {
            "network_s": wall,
            "slices_per_s": len(slices) / wall,
            "gflop": work,
            "gflop_per_s": work / wall,
            "peak_fraction": work / wall / best_peak[0],
            "peak_fraction_cpu": work / cpu / best_peak[1],
            "speedup": np.min(seconds["plain"], axis=0)[0] / wall,
            "cpu_speedup": np.min(seconds["plain"], axis=0)[1] / cpu,
            "max_diff": float(np.abs(maps[name] - maps["plain"]).max()),
        }
    full_map = np.take(maps["keras"], np.arange(len(slices)) * chosen.shape[axis] // len(slices), axis)
    return {"peak_gflop_per_s": best_peak[0], "ways": figures, "map": full_map}


def full_frame_operations(forward: CroppedForward) -> float:
    """For each pixel, through both parts; the second one starts at a quarter of the side."""
    return forward.front.per_pixel + forward.rest.per_pixel / CUT_STRIDE**2


def measure(path: Path, region: Region, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All phases of predicting one scan."""
    method = published_network(region)
    volume, load_s = timed(load, path)
    (scan, placement), conform_s = timed(conform, volume, region, method.grid)
    figures = compare(method, scan, (QUICK if options.quick else SAMPLED)[region.name], options.rounds)
    score_map = figures.pop("map")
    _, score_s = timed(method.sample_score, score_map)
    restored, restore_s = timed(placement.restore, score_map)
    _, save_s = timed(save_map, restored, volume.header, volume.affine, folder / "map.nii.gz")
    shared = {"load_s": load_s[0], "conform_s": conform_s[0], "score_s": score_s[0] + restore_s[0], "save_s": save_s[0]}
    plain = shared.copy()
    if not (options.quick and region is ABDOM):  # half a minute in float64
        plain["load_s"] = timed(lambda: nib.load(path).get_fdata().astype(np.float32))[1][0]
        image = nib.Nifti1Image(restored.astype(float), volume.affine)
        plain["save_s"] = timed(nib.save, image, folder / "plain.nii.gz")[1][0]
    for name, way in figures["ways"].items():
        way |= (plain if name == "plain" else shared) | {"import_s": import_seconds(name.replace("plain", "keras"))}
    return figures


@functools.cache
def import_seconds(engine: str) -> float:
    environment = {key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"}
    return timed(lambda: subprocess.run([sys.executable, "-c", IMPORT.format(engine)], env=environment))[1][0]


def print_table(title: str, figures: dict[str, dict[str, float]]) -> None:
    table = Table("what", *figures, title=title)
    for what in next(iter(figures.values())):
        table.add_row(what, *(f"{way[what]:.3g}" for way in figures.values()))
    Console(width=100).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time prediction against the plain way and the machine.")
    parser.add_argument("--data", type=Path, required=True, help="folder with MANIFEST.csv and brain/healthy")
    parser.add_argument("--quick", action="store_true", help="fewer slices; within a minute on a quiet machine")
    parser.add_argument("--rounds", type=int, help="alternating rounds; the best of each counts (default 3, quick 1)")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 3)
    by_itself = ENGINES[-1]  # what --engine auto takes without a GPU
    result: dict[str, Any] = {"engine": by_itself}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for region, path in ((BRAIN, finest_brain(options.data)), (ABDOM, abdomen_file(folder))):
            figures = measure(path, region, options, folder)
            print_table(f"{region.name}: matrix product {figures['peak_gflop_per_s']:.0f} GFLOP/s", figures["ways"])
            chosen = figures["ways"][by_itself]
            result |= {f"{region.name}_{key}": chosen[key] for key in ("speedup", "cpu_speedup", "max_diff")}
            result[region.name] = figures
        result |= {key: result["brain"]["ways"][by_itself][key] for key in ("peak_fraction", "peak_fraction_cpu")}
        write_weights(folder / "weights")
        write_scan(folder / "on_grid" / "scan.nii.gz", 4, resampled=False)
        for engine in (by_itself,) if options.quick else ENGINES:
            result[f"abdom_peak_rss_gib_{engine}"] = peak_gib(folder / "on_grid", folder / "weights", engine)
        result["abdom_peak_rss_gib"] = result[f"abdom_peak_rss_gib_{by_itself}"]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
