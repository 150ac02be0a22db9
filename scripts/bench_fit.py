"""How the check of scans fares: of scans that are fit, how many pass; of each kind that is not, how many are noticed.

python scripts/bench_fit.py --data DATA --json fit.json

DATA is a folder with MANIFEST.csv (file, use) and the scans that it names, as the other benchmarks take it. Healthy
brains are those that are not trained on; abdomens are all. What is not fit is made from them (`fit_cases.py`), or is
there: FLAIR, CT named as a brain, a brain named as an abdomen.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import zlib
from collections.abc import Iterator
from pathlib import Path

import fit_cases
import numpy as np

from mood.conform import conform
from mood.methods.fit.check import check_fit, fit_grid
from mood.methods.fit.verdict import Fit
from mood.regions import ABDOM, BRAIN, Region
from mood.volume import Volume, load

Case = tuple[Region, str, bool, str, Volume]  # its kind, whether it is fit, and the file it is made from


def cases(data: Path, of_a_kind: int) -> Iterator[Case]:
    with (data / "MANIFEST.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    brains = [row["file"] for row in rows if row["file"].startswith("brain/healthy/") and row["use"] != "train"]
    lesions = [row["file"] for row in rows if row["file"].startswith("brain/lesion/") and "_label" not in row["file"]]
    flairs = [row["file"] for row in rows if row["file"].startswith("brain/flair/") and "_label" not in row["file"]]
    abdomens = [row["file"] for row in rows if row["file"].startswith("abdom/healthy/")]
    yield from _as_they_are(data, abdomens, ABDOM, "abdominal CT", True)
    yield from _as_they_are(data, brains[1::4], ABDOM, "brain", False)
    yield from _as_they_are(data, abdomens[::4], BRAIN, "abdominal CT", False)
    yield from _made(data, abdomens, ABDOM, fit_cases.ABDOMENS, of_a_kind)
    heads = {"head (painted)": fit_cases.with_skull}
    yield from _made(data, brains[2:], ABDOM, heads, of_a_kind // 2)
    yield from _made(data, brains, BRAIN, fit_cases.BRAINS, of_a_kind)
    yield from _as_they_are(data, brains, BRAIN, "healthy T1, held out", True)
    yield from _as_they_are(data, lesions, BRAIN, "T1 with lesions", True)
    yield from _as_they_are(data, flairs, BRAIN, "FLAIR", False)


def _as_they_are(data: Path, files: list[str], region: Region, kind: str, fit: bool) -> Iterator[Case]:
    yield from ((region, kind, fit, file, load(data / file)) for file in files)


def _made(data: Path, files: list[str], region: Region, kinds: dict[str, fit_cases.Made], count: int) -> Iterator[Case]:
    for kind, make in kinds.items():
        for file in files[:: max(1, len(files) // count)][:count]:
            rng = np.random.default_rng(zlib.crc32(f"{kind} {file}".encode()))
            yield region, kind, False, file, make(load(data / file), rng)


def look(volume: Volume, region: Region) -> Fit:
    scan, placement = conform(volume, region, fit_grid(region))
    return check_fit(scan, placement.spacing_mm, region)


def table(found: list[dict[str, object]]) -> str:
    lines = ["| region | kind | scans | fit | not fit | right |", "| --- | --- | --- | --- | --- | --- |"]
    for region, kind in dict.fromkeys((one["region"], one["kind"]) for one in found):
        of_kind = [one for one in found if (one["region"], one["kind"]) == (region, kind)]
        passed = sum(bool(one["passed"]) for one in of_kind)
        right = sum(one["passed"] == one["fit"] for one in of_kind)
        lines.append(f"| {region} | {kind} | {len(of_kind)} | {passed} | {len(of_kind) - passed} | {right} |")
    for fit in (True, False):
        those = [one for one in found if one["fit"] is fit]
        right = sum(one["passed"] is fit for one in those)
        lines.append(f"| all | {'fit' if fit else 'not fit'} | {len(those)} | | | {right} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=6, help="of each kind that is made")
    parser.add_argument("--json", type=Path, help="write the figures of every scan here too, as they come")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    found: list[dict[str, object]] = []
    for region, kind, fit, file, volume in cases(arguments.data, arguments.cases):
        seen = look(volume, region)
        row = {"region": region.name, "kind": kind, "fit": fit, "file": file, "passed": seen.ok, "told": seen.told}
        found.append(row | {"skull_on": seen.skull_on, "figures": dict(seen.figures)})
        if fit is not seen.ok:
            print(f"wrong: {region.name}, {kind}, {file}: {seen.told}", flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(table(found))


if __name__ == "__main__":
    main()
