"""Measure mix and normative together on the held-out training brains, and write `joint-brain` beside their weights.

    python scripts/make_joint.py --data DATA

DATA holds MANIFEST.csv; which of its scans are held out, `mood.benchmark.manifest.held_out` says. Nothing is trained:
members that were trained without held-out scans are calibrated, and what each map, and what they joined, reach in
healthy tissue is all that is kept. About five minutes on two cores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mood.benchmark.manifest import held_out, read_manifest
from mood.methods import MEMBERS, load_method
from mood.training.data import measure_calibration
from mood.training.joint import join_weights
from mood.weights.store import PACKAGED, WeightsFolder, read_folder, record_calibration

NOTE = "Nothing of its own was trained: its members' maps were measured together on {} healthy brains held out."


def calibrated(weights: WeightsFolder, healthy: list[Path]) -> WeightsFolder:
    """The weights with a calibration: their own, or one on the held-out scans where they were trained without any."""
    if weights.calibration is not None:
        return weights
    return record_calibration(weights, measure_calibration(load_method(weights), healthy))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with MANIFEST.csv")
    parser.add_argument("--weights", type=Path, default=PACKAGED, help="folder of weights folders")
    asked = parser.parse_args()
    healthy = [entry.path for entry in held_out(read_manifest(asked.data))]
    members = [calibrated(read_folder(asked.weights / f"{name}-brain"), healthy) for name in MEMBERS["joint"]]
    join_weights("joint", members, healthy, asked.weights / "joint-brain", NOTE.format(len(healthy)))


if __name__ == "__main__":
    main()
