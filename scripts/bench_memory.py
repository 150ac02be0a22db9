"""Peak memory of `mood predict` on a 512 x 512 x 512 volume with FPI's published abdominal network.

python scripts/bench_memory.py [--slices 24]

Two volumes are measured: one of the challenge, already on the grid, and one in Hounsfield units at another
voxel size, which has to be resampled. Only some slices hold content, since the memory does not depend on how
many do. Each runs in a process of its own. Prints a table and, as the last line, one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
from rich.console import Console
from rich.table import Table

SIDE = 512


def write_weights(folder: Path, region_name: str = "abdom") -> None:
    """The published network of a region, with random weights, as a weights folder."""
    from mood.methods.fpi import Fpi
    from mood.regions import REGIONS
    from mood.weights.config import WeightsConfig
    from mood.weights.store import write_folder

    region = REGIONS[region_name]
    method = Fpi(region, Fpi.default_settings(region))
    folder.mkdir()
    method.save_weights(folder / "full.weights.h5")
    config = WeightsConfig("fpi", region.name, method.settings.to_dict())
    write_folder(folder, folder / "full.weights.h5", config)


def write_scan(path: Path, slices: int, resampled: bool) -> None:
    """A block of noise in coronal slices around the middle: in [0, 1] on the grid, or in HU off it."""
    rng = np.random.default_rng(0)
    data = np.zeros((SIDE, SIDE, SIDE), np.int16)
    middle = slice(SIDE // 2 - slices // 2, SIDE // 2 + slices // 2)
    data[40:470, middle, :] = rng.integers(1, 1000, (430, slices, SIDE), dtype=np.int16)
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    spacing = (0.7, 0.7, 0.8) if resampled else (0.78, 0.78, 0.87)
    image = nib.Nifti1Image(data - 1000 if resampled else data, np.diag([*spacing, 1.0]), header)
    image.header.set_slope_inter(1.0 if resampled else 1e-3, 0.0)
    path.parent.mkdir()
    nib.save(image, path)


def peak_gib(folder: Path, weights: Path, engine: str = "auto") -> float:
    """Peak resident memory of one `mood predict` on a folder."""
    # Not getrusage, whose peak starts at that of the process that started this one.
    code = "import pathlib, sys\nfrom mood.cli.app import run\ntry:\n    run(sys.argv[1:])\nfinally:\n"
    code += "    print('peak', pathlib.Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    output = folder.with_name(f"{folder.name}-{engine}")
    arguments = ["predict", "-i", folder, "-o", output, "-r", "abdom", "-m", "fpi", "--weights", weights]
    command = [sys.executable, "-c", code, *map(str, arguments), "--engine", engine]
    chosen_here = ("KERAS_BACKEND", "MOOD_ENGINE")  # by a script that has imported Keras
    environment = {key: value for key, value in os.environ.items() if key not in chosen_here}
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    return int(printed.split("peak ")[1]) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the peak memory of prediction at 512 x 512 x 512.")
    parser.add_argument("--slices", type=int, default=24, help="coronal slices with content")
    options = parser.parse_args()
    result = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_weights(folder / "weights")
        for name in ("on_grid", "resampled"):
            write_scan(folder / name / "scan.nii.gz", options.slices, name == "resampled")
            result[f"{name}_peak_gib"] = peak_gib(folder / name, folder / "weights")
    table = Table("volume", "peak memory, GiB", title="512 x 512 x 512, published network")
    for name, figure in result.items():
        table.add_row(name.removesuffix("_peak_gib"), f"{figure:.2f}")
    Console().print(table)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
