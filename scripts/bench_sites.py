"""What sample scores mean on a scanner that they were not calibrated on, and on one that they were: site by site.

python scripts/bench_sites.py --data DATA --method mix

Healthy brains that are not trained on, by the site that their file's name begins with. For each site: the share of its
scans above 0.95 when the scores are ranks among the scans of all other sites (`other sites`), and when each is ranked
among the other scans of its own site (`own site`, for sites of three scans and more). One in 20 is what should be.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

from mood.calibration import calibrate
from mood.detector import Detector, load_detector
from mood.volume import load

FLAGGED = 0.95
FEWEST = 3  # scans of a site, to leave one out


def site_of(file: str) -> str:
    return Path(file).name.split("_")[0]


def raw_scores(data: Path, detector: Detector) -> dict[str, list[float]]:
    with (data / "MANIFEST.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["file"].startswith("brain/healthy/")]
    found = defaultdict(list)
    for row in rows:
        if row["use"] != "train":
            scan = detector.conform(load(data / row["file"]))
            found[site_of(row["file"])].append(detector.method.raw_sample_score(detector.grid_map(scan)))
    return found


def share_flagged(scores: list[float], healthy: list[float]) -> int:
    known = calibrate(healthy, [np.zeros(0)])
    return sum(known.share_below(score) > FLAGGED for score in scores)


def lines(found: dict[str, list[float]]) -> list[str]:
    rows = ["| site | scans | above 0.95 by other sites | by its own |", "| --- | --- | --- | --- |"]
    totals = np.zeros(3, int)
    for site, scores in found.items():
        others = [score for name, theirs in found.items() if name != site for score in theirs]
        abroad, home = share_flagged(scores, others), None
        if len(scores) >= FEWEST:
            home = sum(share_flagged([one], scores[:i] + scores[i + 1 :]) for i, one in enumerate(scores))
        totals += (len(scores), abroad, home or 0)
        rows.append(f"| {site} | {len(scores)} | {abroad} | {'–' if home is None else home} |")
    return [*rows, "| all | {} | {} | {} |".format(*totals)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--method", default="mix")
    arguments = parser.parse_args()
    print("\n".join(lines(raw_scores(arguments.data, load_detector("brain", arguments.method)))))


if __name__ == "__main__":
    main()
