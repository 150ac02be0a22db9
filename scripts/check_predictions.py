"""Checks a folder of challenge predictions against the scans they were made from, and names every fault.

usage: python scripts/check_predictions.py --mode pixel|sample -i SCANS -o PREDICTIONS
       [--unreadable NAME ...] [--uid NUMBER]

Exit status: 0 when there is no fault, 1 otherwise.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np

FALLBACK_SCORE = 0.5


def score_faults(path: Path, unreadable: bool) -> Iterator[str]:
    """One float in [0, 1] on the only line; 0.5 stands for "could not be scored" and nothing else."""
    lines = path.read_text(encoding="ascii").splitlines()
    if len(lines) != 1:
        yield f"{len(lines)} lines instead of one"
        return
    try:
        score = float(lines[0])
    except ValueError:
        yield f"not a number: {lines[0]!r}"
        return
    if not 0.0 <= score <= 1.0:
        yield f"score {score} outside [0, 1]"
    if unreadable != (score == FALLBACK_SCORE):
        yield f"score {score} although the scan is {'un' if unreadable else ''}readable"


def map_faults(path: Path, scan_path: Path, unreadable: bool) -> Iterator[str]:
    """Same shape and place as the scan, finite, in [0, 1]; all zero for an unreadable scan and no other."""
    image = nib.load(path)
    if has_shape(scan_path):
        yield from grid_faults(image, nib.load(scan_path))
    score_map = np.asarray(image.dataobj, dtype=np.float32)
    if not np.isfinite(score_map).all():
        yield "NaN or infinite values"
    elif score_map.min() < 0 or score_map.max() > 1:
        yield f"values from {score_map.min()} to {score_map.max()} outside [0, 1]"
    if unreadable and score_map.any():
        yield "not all zero although the scan is unreadable"
    if not unreadable and not score_map.any():
        yield "all zero although the scan is readable"


def grid_faults(image: nib.Nifti1Image, scan: nib.Nifti1Image) -> Iterator[str]:
    """Shape, affine and the codes that say what the affine means."""
    if image.shape != scan.shape:
        yield f"shape {image.shape} instead of {scan.shape}"
    if not np.allclose(image.affine, scan.affine, atol=1e-5):
        yield "affine differs from the scan's"
    for code in ("qform_code", "sform_code"):
        if image.header[code] != scan.header[code]:
            yield f"{code} {image.header[code]} instead of {scan.header[code]}"


def has_shape(scan_path: Path) -> bool:
    """Whether the header can be read, so that the map's shape and place can be checked."""
    try:
        return len(nib.load(scan_path).shape) == 3
    except Exception:
        return False


def scan_faults(scan_path: Path, predictions: Path, mode: str, unreadable: bool) -> Iterator[str]:
    """Faults of the prediction of one scan."""
    path = predictions / (scan_path.name + (".txt" if mode == "sample" else ""))
    if not path.is_file():
        yield f"{path.name}: missing"
        return
    faults = score_faults(path, unreadable) if mode == "sample" else map_faults(path, scan_path, unreadable)
    yield from (f"{path.name}: {fault}" for fault in faults)


def folder_faults(predictions: Path, expected: set[str], uid: int | None) -> Iterator[str]:
    """Files that nobody asked for, half-written ones included, and files of the wrong owner."""
    for path in sorted(predictions.rglob("*")):
        name = str(path.relative_to(predictions))
        if name not in expected:
            yield f"{name}: should not be there"
        elif uid is not None and path.stat().st_uid != uid:
            yield f"{name}: owned by user {path.stat().st_uid} instead of {uid}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Check a folder of challenge predictions.")
    parser.add_argument("--mode", choices=("pixel", "sample"), required=True)
    parser.add_argument("-i", "--scans", type=Path, required=True)
    parser.add_argument("-o", "--predictions", type=Path, required=True)
    parser.add_argument("--unreadable", nargs="*", default=[], help="file names of scans damaged on purpose")
    parser.add_argument("--uid", type=int, help="who must own the predictions")
    options = parser.parse_args()

    scans = sorted(options.scans.glob("*.nii.gz"))
    suffix = ".txt" if options.mode == "sample" else ""
    faults = [] if scans else [f"no scans in {options.scans}"]
    for scan_path in scans:
        unreadable = scan_path.name in options.unreadable
        faults += scan_faults(scan_path, options.predictions, options.mode, unreadable)
    faults += folder_faults(options.predictions, {scan.name + suffix for scan in scans}, options.uid)
    for fault in faults:
        print(f"  FAULT {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
