"""Planted outliers in the held-out training brains: where smoothing and weights are chosen, without a look elsewhere.

    python scripts/bench_held_out.py --data FOLDER --weights FOLDER [FOLDER ...] [--smoothing 0 3 5] [--other-scanners]

Each held-out scan of 1.1 mm or finer is scored as it is and with each of the eight kinds of outlier. A method is run
once a case; its map is smoothed by each of `--smoothing` (standard deviations in mm, on top of none). With
`--other-scanners` each scan is first made what a made-up lesser scanner of its own would show.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import nibabel as nib
import numpy as np

from mood.benchmark.cases import planted_cases
from mood.benchmark.manifest import FINEST_MM, Entry, held_out, read_manifest
from mood.benchmark.run import Conformed, conformed_case
from mood.benchmark.tally import Tally, summarise
from mood.detector import Detector
from mood.intensities import standardised
from mood.methods import Method, load_method
from mood.methods.scoring import smoothed
from mood.regions import BRAIN
from mood.synthesis.native import native_scan
from mood.synthesis.outliers import ALL_KINDS, HARDER_KINDS, KINDS
from mood.synthesis.places.scanners import draw_scanner
from mood.synthesis.places.store import to_bytes
from mood.volume import load
from mood.weights.store import read_folder

RESAMPLES = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, nargs="+", required=True)
    parser.add_argument("--smoothing", type=float, nargs="+", default=[0.0, 2.0, 4.0, 7.5])
    parser.add_argument("--scans", type=int, help="of the held-out ones; all when left out")
    parser.add_argument("--repeats", type=int, default=1, help="cases of each kind a scan")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--other-scanners", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    entries = [e for e in held_out(read_manifest(arguments.data)) if max(e.spacing_mm) <= FINEST_MM]
    methods = {str(folder): unsmoothed(load_method(read_folder(folder))) for folder in arguments.weights}
    with tempfile.TemporaryDirectory() as folder:
        scans = entries[: arguments.scans]
        if arguments.other_scanners:
            scans = [as_another_scanner_shows(entry, number, Path(folder)) for number, entry in enumerate(scans)]
        tallies = measured(methods, scans, arguments.repeats, arguments.seed, arguments.smoothing)
    figures = {name: shown(name, tally) for name, tally in tallies.items()}
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


def as_another_scanner_shows(entry: Entry, seed: int, folder: Path) -> Entry:
    """The scan once more, by a scanner that the seed decides."""
    rng = np.random.default_rng(seed)
    scan = native_scan(load(entry.path), BRAIN)
    data = to_bytes(standardised(np.asarray(scan.data, np.float32), BRAIN))
    shown, steps = draw_scanner(rng).show(data, np.array(scan.spacing_mm), BRAIN, rng)
    spacing_mm = tuple(float(mm) for mm in np.array(scan.spacing_mm) * steps)
    path = folder / f"{entry.name}.nii.gz"
    nib.save(nib.Nifti1Image(shown, np.diag([*spacing_mm, 1.0])), path)
    return dataclasses.replace(entry, path=path, spacing_mm=spacing_mm)


def unsmoothed(method: Method) -> Method:
    """The method with its maps as the network gives them."""
    if hasattr(method.settings, "smoothing_mm"):
        method.settings = dataclasses.replace(method.settings, smoothing_mm=0.0)
    return method


def measured(
    methods: dict[str, Method], entries: Sequence[Entry], repeats: int, seed: int, smoothing: Sequence[float]
) -> dict[str, Tally]:
    """A tally for each method and smoothing."""
    tallies = {f"{name} {mm:g} mm": Tally() for name in methods for mm in smoothing}
    begun = time.monotonic()
    for number, entry in enumerate(entries, start=1):
        for case in planted_cases(entry, BRAIN, list(ALL_KINDS), repeats, seed):
            conformed: Conformed = {}
            for name, method in methods.items():
                detector, scan = Detector(method), conformed_case(case, method, conformed)
                raw = detector.grid_map(scan)
                for mm in smoothing:
                    result = detector.result(scan, smoothed(raw, mm, method.grid.spacing_mm) if mm else raw)
                    tallies[f"{name} {mm:g} mm"].add(case.kind, result.map, case.label, result.sample_score)
        print(f"{number} of {len(entries)} scans, {time.monotonic() - begun:.0f} s", flush=True)
    return tallies


def shown(name: str, tally: Tally) -> dict[str, dict]:
    """Print one row of each set of kinds; all figures as plain values."""
    figures = {}
    for title, kinds in (("five", KINDS), ("harder", HARDER_KINDS)):
        summary = summarise(tally, list(kinds), np.random.default_rng(0), RESAMPLES)
        each = " ".join(f"{kind} {scores.pixel_ap.value:.3f}" for kind, scores in summary.kinds.items())
        mean, sample = summary.mean_pixel_ap, summary.mean_sample_auroc
        print(f"{name} {title}: AP {mean}, AUROC {sample.value:.3f}; {each}")
        figures[title] = asdict(summary)
    return figures


if __name__ == "__main__":
    main()
