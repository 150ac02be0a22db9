"""How fast prediction is, and how near to what the machine can do.

python scripts/bench_predict.py --data FOLDER [--quick]

FOLDER holds MANIFEST.csv (file, use, spacing_mm, ...) and skull-stripped scans in brain/healthy. The finest one for
validation is brought to 256 x 256 x 256; the abdomen is a made-up torso of 512 x 512 x 512. The networks are the
published ones with seeded weights, so that the figures do not depend on which weights are released. In one process,
in alternating rounds, the same slices go through

    plain       every slice in full frame, one by one, as the authors' loop does it
    keras       mood predict --engine keras
    openvino    mood predict --engine openvino, where it is installed
    int8        mood predict --precision int8, where NNCF is installed (ranges measured on some of these slices)

Some filled slices stand for all of them, evenly spaced; seconds are scaled to the whole volume, in which the plain
way alone spends time on empty slices. With --quick they are fewer, and int8 is left out. The best round counts.
`speedup` compares whole commands: start, reading, network, score and writing, for the plain way with float64 reading
and writing as the authors have it. `network_speedup` and, in processor time, which bears a busy machine better,
`network_cpu_speedup` compare the networks alone. `gflop` counts the convolutions that are really done. The last line
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
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from bench_folder import folder_costs
from bench_memory import peak_gib, write_scan, write_weights
from bench_networks import CountedForward, full_frame_operations, matrix_product, published_network, timed
from rich.console import Console
from rich.table import Table

from mood import engines, runtime
from mood.conform import conform
from mood.methods.fpi import PIXELS_AT_ONCE, Fpi
from mood.methods.slices import filled_slices, pad_to_multiple, to_slices
from mood.networks.wide_resnet import side_multiple
from mood.regions import ABDOM, BRAIN, Region
from mood.synthesis.toy import draw_subject
from mood.volume import load, save_map

ENGINES = tuple(name for name, engine in engines.ENGINES.items() if engine.available())
SAMPLED = {"brain": 32, "abdom": 16}  # batches of slices that stand for the volume
QUICK = {"brain": 4, "abdom": 3}
FOLDER_SCANS = 20
PHASES = ("import_s", "load_s", "conform_s", "network_s", "score_s", "save_s")
LINES = (
    ("brain 256^3, times as fast as plain", "brain_speedup", ">= 2.5"),
    ("brain 256^3, its network alone", "brain_network_speedup", ""),
    ("brain 256^3 in int8, times as fast as plain", "brain_int8_speedup", ">= 4"),
    ("brain 256^3, largest difference to plain", "brain_max_diff", "<= 1e-4"),
    ("share of the matrix product's speed", "peak_fraction", ">= 0.85"),
    ("abdomen 512^3, times as fast as plain", "abdom_speedup", ">= 2"),
    ("abdomen 512^3, its network alone", "abdom_network_speedup", ""),
    ("abdomen 512^3 in int8, times as fast as plain", "abdom_int8_speedup", ""),
    ("abdomen 512^3, peak memory in GiB", "abdom_peak_rss_gib", "< 2"),
    ("a folder against its scans one by one and one start-up", "folder_cost", "<= 1"),
    ("a folder against its network, start-up apart", "folder_wall_per_network", "<= 1.05"),
)
IMPORT = "from mood import engines\nengines.choose('{}')\nfrom mood.methods import fpi"


def finest_brain(folder: Path) -> Path:
    """The validation scan with the smallest voxels."""
    with (folder / "MANIFEST.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["file"].startswith("brain/healthy/")]
    chosen = [row for row in rows if row["use"] == "validation"] or rows
    return folder / min(chosen, key=lambda row: np.prod([float(mm) for mm in row["spacing_mm"].split("x")]))["file"]


def on_grid(region: Region, options: argparse.Namespace, folder: Path) -> Path:
    """A volume of the challenge: a real brain, or a made-up torso, on the region's grid."""
    if region is BRAIN:
        scan, _ = conform(load(finest_brain(options.data)), region, region.grid)
    else:
        scan = draw_subject(region, region.grid, np.random.default_rng(0))
    header = nib.Nifti1Header()
    header.set_data_shape(scan.shape)
    path = folder / f"{region.name}.nii.gz"
    save_map(scan, header, np.diag([*region.grid.spacing_mm, 1.0]), path)
    return path


def plain_map(method: Fpi, scan: np.ndarray) -> np.ndarray:
    """Every slice in full frame, one by one."""
    axis = method.settings.slice_axis
    slices = pad_to_multiple(to_slices(scan, axis), side_multiple(method.settings.architecture))
    maps = [method._foreign_share(method.network.predict_on_batch(piece[None, ..., None]))[0] for piece in slices]
    height, width = to_slices(scan, axis).shape[1:]
    return np.moveaxis(np.stack(maps)[:, :height, :width], 0, axis)


def sampled_slices(filled: np.ndarray, batches: int, size: int) -> np.ndarray:
    """`batches` runs of `size` neighbouring slices, evenly spaced over those that are filled."""
    starts = np.linspace(0, len(filled) - size, min(batches, len(filled) // size) + 2)[1:-1].astype(int)
    return filled[np.unique(starts[:, None] + np.arange(size))]


def compare(method: Fpi, scan: np.ndarray, batches: int, rounds: int, ways: tuple[str, ...]) -> dict[str, Any]:
    """Plain and every engine in turn, on some filled slices; seconds are those of the whole scan."""
    axis = method.settings.slice_axis
    slices = to_slices(scan, axis)
    filled, area = filled_slices(slices), int(np.prod(slices.shape[1:]))
    chosen = np.take(scan, sampled_slices(filled, batches, max(1, PIXELS_AT_ONCE // area)), axis)
    shown = pad_to_multiple(to_slices(chosen, axis), side_multiple(method.settings.architecture))
    forwards = {way: CountedForward(method.network, way, shown) for way in ways}
    scales = {"plain": len(slices) / chosen.shape[axis]} | dict.fromkeys(ways, len(filled) / chosen.shape[axis])
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
            "network_speedup": np.min(seconds["plain"], axis=0)[0] / wall,
            "network_cpu_speedup": np.min(seconds["plain"], axis=0)[1] / cpu,
            "max_diff": float(np.abs(maps[name] - maps["plain"]).max()),
        }
    full_map = np.take(maps["keras"], np.arange(len(slices)) * chosen.shape[axis] // len(slices), axis)
    return {"peak_gflop_per_s": best_peak[0], "ways": figures, "map": full_map}


def measure(region: Region, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All phases of predicting one scan."""
    method, path = published_network(region), on_grid(region, options, folder)
    volume, load_s = timed(load, path)
    (scan, placement), conform_s = timed(conform, volume, region, method.grid)
    batches = (QUICK if options.quick else SAMPLED)[region.name]
    figures = compare(method, scan, batches, options.rounds, options.ways)
    score_map = figures.pop("map")
    _, score_s = timed(method.sample_score, score_map)
    restored, restore_s = timed(placement.restore, score_map)
    _, save_s = timed(save_map, restored, volume.header, volume.affine, folder / "map.nii.gz")
    shared = {"load_s": load_s[0], "conform_s": conform_s[0], "score_s": score_s[0] + restore_s[0], "save_s": save_s[0]}
    plain = shared | {"conform_s": 0.0}
    if not (options.quick and region is ABDOM):  # half a minute in float64
        plain["load_s"] = timed(lambda: nib.load(path).get_fdata().astype(np.float32))[1][0]
        image = nib.Nifti1Image(restored.astype(float), volume.affine)
        plain["save_s"] = timed(nib.save, image, folder / "plain.nii.gz")[1][0]
    for name, way in figures["ways"].items():
        way |= plain if name == "plain" else shared
        way["import_s"] = import_seconds("keras" if name == "plain" else name.replace("int8", "openvino"))
        way["command_s"] = sum(way[phase] for phase in PHASES)
        way["speedup"] = figures["ways"]["plain"]["command_s"] / way["command_s"]
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


def print_lines(result: dict[str, Any]) -> None:
    """The lines that performance is judged by."""
    table = Table("line", "figure", "bar", title=f"engine {result['engine']}")
    for line, key, bar in LINES:
        if key in result:
            table.add_row(line, f"{result[key]:.3g}", bar)
    Console(width=100).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time prediction against the plain way and the machine.")
    parser.add_argument("--data", type=Path, required=True, help="folder with MANIFEST.csv and brain/healthy")
    parser.add_argument("--quick", action="store_true", help="fewer slices, no int8; under two minutes")
    parser.add_argument("--rounds", type=int, help="alternating rounds; the best of each counts (default 3, quick 1)")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.ways = (*ENGINES, "int8") if importlib.util.find_spec("nncf") and not options.quick else ENGINES
    by_itself = "keras" if runtime.gpus() else ENGINES[-1]  # what --engine auto takes
    result: dict[str, Any] = {"engine": by_itself, "device": runtime.device()}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for region in (BRAIN, ABDOM):
            figures = measure(region, options, folder)
            print_table(f"{region.name}: matrix product {figures['peak_gflop_per_s']:.0f} GFLOP/s", figures["ways"])
            chosen = figures["ways"][by_itself]
            result |= {f"{region.name}_{key}": chosen[key] for key in ("speedup", "network_speedup", "max_diff")}
            others = (way for way in options.ways if way != by_itself)
            result |= {f"{region.name}_{way}_speedup": figures["ways"][way]["speedup"] for way in others}
            result[region.name] = figures
        result |= {key: result["brain"]["ways"][by_itself][key] for key in ("peak_fraction", "peak_fraction_cpu")}
        if not options.quick:
            write_weights(folder / "brain", "brain")
            brain = finest_brain(options.data)
            result |= folder_costs(brain, folder / "brain", FOLDER_SCANS, by_itself, folder / "costs")
        write_weights(folder / "weights")
        write_scan(folder / "on_grid" / "scan.nii.gz", 4, resampled=False)
        for engine in (by_itself,) if options.quick else ENGINES:
            result[f"abdom_peak_rss_gib_{engine}"] = peak_gib(folder / "on_grid", folder / "weights", engine)
        result["abdom_peak_rss_gib"] = result[f"abdom_peak_rss_gib_{by_itself}"]
    print_lines(result)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
