"""The pictures of docs/gallery.md: what each method sees, and misses, of each kind of outlier in one scan.

mood bench --data DATA --region brain --groups "1 mm" --scans 1 --cases 1 \
    --methods joint mix fpi ascnet pca --predictions CASES
python scripts/gallery.py --cases CASES/brain --output docs/gallery

CASES/brain holds a healthy scan as it is and with each kind of outlier planted, and the maps of each method. A picture
a kind: the slice that holds most of the outlier, and on it each method's map. What a map says of the healthy scan,
all but its highest thousandth, is left out: only what lies above that is coloured, up to the method's highest value in
any case. Beneath it the average precision of that case alone. Prints a table of those.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np
from sklearn.metrics import average_precision_score

from mood.methods import REGISTRY
from mood.synthesis.outliers import ALL_KINDS
from mood.synthesis.toy import HEALTHY

QUIET = 0.999  # quantile of a map in the healthy scan's body; what is lower is nothing to look at
TOP = 0.9999  # quantile of a map over all cases that has the brightest colour
DOTS = 110  # an inch; pictures are as wide as a page's column
QUALITY = 80


def voxels(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj, np.float32)


def file_of(folder: Path, kind: str) -> Path:
    (found,) = folder.glob(f"*_{kind}.nii.gz")
    return found


def maps_of(cases: Path, kind: str) -> dict[str, np.ndarray]:
    """The map of each method, in the order of the registry."""
    return {name: voxels(file_of(cases / name, kind)) for name in REGISTRY if (cases / name).is_dir()}


def ranges_of(cases: Path) -> dict[str, tuple[float, float]]:
    """From which value to which each method's maps are coloured."""
    body = voxels(file_of(cases / "toy", HEALTHY)) > 0
    quiet = {name: float(np.quantile(each[body], QUIET)) for name, each in maps_of(cases, HEALTHY).items()}
    tops = [
        {name: float(np.quantile(each[body], TOP)) for name, each in maps_of(cases, kind).items()} for kind in ALL_KINDS
    ]
    return {name: (low, max(low + 1e-6, *(top[name] for top in tops))) for name, low in quiet.items()}


def draw(cases: Path, kind: str, ranges: dict[str, tuple[float, float]], path: Path) -> dict[str, float]:
    """Draw a kind; returns each method's average precision in this case."""
    scan, label = voxels(file_of(cases / "toy", kind)), voxels(file_of(cases / "toy_label/pixel", kind)) > 0
    level = int(label.sum(axis=(0, 1)).argmax())
    maps = maps_of(cases, kind)
    reached = {name: float(average_precision_score(label.ravel(), each.ravel())) for name, each in maps.items()}
    figure, axes = plt.subplots(1, 1 + len(maps), figsize=(1.5 * (1 + len(maps)), 2.2), layout="constrained")
    for each, name in zip(axes, ["", *maps], strict=True):
        each.imshow(scan[:, :, level].T, cmap="gray", vmin=0, vmax=1, origin="lower")
        each.set(xticks=[], yticks=[], title=name or "scan")
        if not name:
            each.contour(label[:, :, level].T, levels=[0.5], colors="deepskyblue", linewidths=1)
            each.set_xlabel("outlier outlined", fontsize=9)
            continue
        low, high = ranges[name]
        shown = np.ma.masked_less_equal(maps[name][:, :, level].T, low)
        each.imshow(shown, cmap="autumn", vmin=low, vmax=high, origin="lower")
        each.set_xlabel(f"AP {reached[name]:.2f}", fontsize=9)
    figure.savefig(path, dpi=DOTS, pil_kwargs={"quality": QUALITY})
    plt.close(figure)
    return reached


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    asked = parser.parse_args()
    asked.output.mkdir(parents=True, exist_ok=True)
    ranges = ranges_of(asked.cases)
    print("| kind |", " | ".join(ranges), "|")
    print("| --- " * (1 + len(ranges)) + "|")
    for kind in ALL_KINDS:
        reached = draw(asked.cases, kind, ranges, asked.output / f"{kind}.webp")
        print(f"| {kind.replace('_', ' ')} |", " | ".join(f"{each:.2f}" for each in reached.values()), "|")


if __name__ == "__main__":
    main()
