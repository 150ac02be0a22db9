"""What the small folder of the report's tests is made of."""

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np

from mood.calibration import Calibration
from mood.typed import encode

SHAPE = (40, 48, 36)
SPACING = (3.0, 3.0, 3.5)
SHA256 = "ab" * 32
RARE_VALUES = (0.1, 0.2, 0.3, 0.4, 0.5)
HOSTILE = "a\"b'<script>alert(1)<&script> {{ 7*7 }}"  # a file name cannot hold a slash
AFFINE = np.diag([*SPACING, 1.0])
AFFINE[:3, 3] = [-60, -72, -63]


def a_scan(rng) -> np.ndarray:
    """An ellipsoid of tissue, with a brighter core, in a background of zeros."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij"))
    radius = np.sqrt((grid**2).sum(axis=0))
    scan = np.where(radius < 0.85, 0.5 + 0.3 * (radius < 0.4) + rng.normal(0, 0.03, SHAPE), 0)
    return np.clip(scan, 0, 1).astype(np.float32)


def a_map(*centres: tuple[tuple[int, int, int], float]) -> np.ndarray:
    """Bumps of six voxels across."""
    indices = np.indices(SHAPE)
    score_map = np.full(SHAPE, 0.02, np.float32)
    for centre, height in centres:
        distance = sum((axis - c) ** 2 for axis, c in zip(indices, centre, strict=True))
        score_map = np.maximum(score_map, height * np.exp(-distance / 18))
    return score_map.astype(np.float32)


TWO = (((12, 30, 20), 0.7), ((29, 16, 14), 0.38))


def make_folders(folder: Path, rng: np.random.Generator) -> Path:
    """`in`, `out` and `labels` with the scans `sub-01` (two places, a label), `sub-02` (none) and a hostile name."""
    for name in ("in", "out", "labels", "weights"):
        (folder / name).mkdir()
    scans = {"sub-01": a_map(*TWO), "sub-02": a_map(), HOSTILE: a_map(TWO[0])}
    for name, score_map in scans.items():
        save(folder / "in" / f"{name}.nii.gz", a_scan(rng))
        save(folder / "out" / f"{name}.nii.gz", score_map)
        (folder / "out" / f"{name}.nii.gz.txt").write_text(f"{score_map.max():.6f}\n")
    save(folder / "labels" / "sub-01.nii.gz", (a_map(TWO[0]) > 0.4).astype(np.uint8))
    settings = {"grid_shape": [40, 48, 36], "spacing_mm": [3.0, 3.0, 3.0], "slice_axis": 2, "smoothing_mm": 7.5}
    calibration = encode(Calibration(0.0, 1.0, RARE_VALUES))
    training = {"note": "Toy <data>.", "training_scans": 3, "held_out_scans": ["h1", "h2"]}
    config = {"method": "mix", "region": "brain", "settings": settings, "training": training, "sha256": SHA256}
    (folder / "weights" / "config.json").write_text(json.dumps(config | {"calibration": calibration}))
    about = {"method": "mix", "region": "brain", "weights": SHA256}
    (folder / "out" / "run.json").write_text(json.dumps({"about": about, "versions": {"mood": "0.1"}}))
    write_rows(folder, [{"scan": name, "status": "done", "message": ""} for name in scans])
    return folder


def write_rows(folder: Path, rows: list[dict[str, str]]) -> None:
    with (folder / "out" / "scores.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def save(path: Path, data: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    nib.save(nib.Nifti1Image(data, affine), path)
