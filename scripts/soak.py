"""Memory and open files over many scans in one process; both have to stay flat.

    python scripts/soak.py [--scans 200] [--method NAME]

Scores so many small brains of made-up tissue with shipped weights, in one run, and looks after each one. Prints one
line; the exit status is 1 when memory grew by more than a tenth, or handles at all, from the tenth of the way on.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np

GROWTH = 1.1


def rss_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def handles() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def main() -> int:
    parser = argparse.ArgumentParser(description="Memory and open files over many scans.")
    parser.add_argument("--scans", type=int, default=200)
    parser.add_argument("--method", help="the default one when not given")
    options = parser.parse_args()
    from mood.detector import load_detector
    from mood.predict import predict_folder

    seen: list[tuple[float, int]] = []
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        (top / "in").mkdir()
        rng = np.random.default_rng(0)
        data = np.zeros((40, 48, 40), np.float32)
        data[4:36, 4:44, 4:36] = rng.uniform(0.3, 0.9, (32, 40, 32))
        nib.save(nib.Nifti1Image(data, np.diag([4.0, 4.0, 4.0, 1.0])), top / "in" / "s000.nii.gz")
        for i in range(1, options.scans):
            (top / "in" / f"s{i:03d}.nii.gz").hardlink_to(top / "in" / "s000.nii.gz")
        method = load_detector("brain", options.method).method
        predict_folder(top / "in", top / "out", method, on_scan=lambda *_: seen.append((rss_mib(), handles())))
    settled = seen[max(1, len(seen) // 10) :]
    grown = settled[-1][0] / settled[0][0]
    flat = grown < GROWTH and settled[-1][1] <= max(found for _, found in settled[: len(settled) // 2])
    memory, files = zip(*settled, strict=True)
    print(
        f"{len(seen)} scans with {method.name}: {min(memory):.0f} to {max(memory):.0f} MiB, "
        f"{min(files)} to {max(files)} open files: {'flat' if flat else 'GROWING'}"
    )
    return int(not flat)


if __name__ == "__main__":
    sys.exit(main())
