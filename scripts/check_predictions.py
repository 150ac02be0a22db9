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

from mood.submission.predictions import folder_findings, prediction_findings, prediction_name

FALLBACK_SCORE = 0.5


def fallback_faults(path: Path, mode: str, unreadable: bool) -> Iterator[str]:
    """A score of 0.5 and a map of zeros stand for "could not be scored" and nothing else."""
    readable = f"although the scan is {'un' if unreadable else ''}readable"
    if mode == "sample":
        if unreadable != (float(path.read_text(encoding="ascii")) == FALLBACK_SCORE):
            yield f"{path.name}: score {path.read_text().strip()} {readable}"
    elif unreadable and np.asarray(nib.load(path).dataobj).any():
        yield f"{path.name}: not all zero {readable}"


def scan_faults(scan_path: Path, predictions: Path, mode: str, unreadable: bool) -> Iterator[str]:
    """Faults of the prediction of one scan."""
    path = predictions / prediction_name(scan_path.name, mode)
    findings = prediction_findings(scan_path, predictions, mode)
    found = [f"{path.name}: {finding.what}" for finding in findings if not (unreadable and finding.code == "empty")]
    yield from found or fallback_faults(path, mode, unreadable)


def main() -> int:
    parser = argparse.ArgumentParser(description="Check a folder of challenge predictions.")
    parser.add_argument("--mode", choices=("pixel", "sample"), required=True)
    parser.add_argument("-i", "--scans", type=Path, required=True)
    parser.add_argument("-o", "--predictions", type=Path, required=True)
    parser.add_argument("--unreadable", nargs="*", default=[], help="file names of scans damaged on purpose")
    parser.add_argument("--uid", type=int, help="who must own the predictions")
    options = parser.parse_args()

    scans = sorted(options.scans.glob("*.nii.gz"))
    faults = [] if scans else [f"no scans in {options.scans}"]
    for scan_path in scans:
        unreadable = scan_path.name in options.unreadable
        faults += scan_faults(scan_path, options.predictions, options.mode, unreadable)
    expected = [prediction_name(scan.name, options.mode) for scan in scans]
    faults += [f"{f.where}: {f.what}" for f in folder_findings(options.predictions, expected, options.uid)]
    for fault in faults:
        print(f"  FAULT {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
