"""The table that decides: every method beside the baselines, on known outliers in healthy scans none has seen.

mood bench --data FOLDER [--quick] [--json FILE] [--pictures FOLDER]

FOLDER holds scans and MANIFEST.csv with the columns file, use and spacing_mm. Baselines are trained on the scans
whose use is `train`; measured are those of use `validation` (brains in two groups: every voxel side below 1.5 mm,
and the others) and, apart, `validation only (other sites)` and, with their NAME_label.nii.gz, `lesion check`. Each
healthy scan is scored as it is and with each of eight kinds of outlier, the FPI paper's five and three harder ones,
and, apart, with patches of another scan of its group: FPI's own task. Of a healthy group five scans are measured, of
a kind at least five cases (--scans, --cases); real lesions all.

The figure that decides is the mean AP: for each kind the pixel average precision (float16, clipped, as the
challenge reads maps) over the cases of that kind and the healthy cases, pooled; then the mean over the kinds.
Sample AUROC likewise: each kind against the healthy cases, then the mean. Brackets are 95 % bootstrap intervals
over cases. With --smoothing-mm a method whose maps come unsmoothed has a second row. Of each kind, of lesion too
(what a file's name says before its number), the table has the AP of chance. At the operating threshold, what one
healthy voxel in 1,000 reaches, it has the F1 of objects and the false places in a healthy scan, if the method is
calibrated. The last line is one JSON object: the default method on brains of 1 mm, the paper's five kinds.
"""

from __future__ import annotations

import argparse
import json
import logging
import textwrap
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from mood.atomic import write_text
from mood.benchmark import tables
from mood.benchmark.baselines import ENGINES
from mood.benchmark.foreign import FOREIGN_PATCH
from mood.benchmark.group import Plan, ScanPool
from mood.benchmark.manifest import LESIONS, Entry, chosen, groups_of, read_manifest
from mood.benchmark.tally import Summary, Tally, summarise
from mood.methods import MEMBERS, REGISTRY
from mood.regions import REGIONS, Region
from mood.synthesis.outliers import HARDER_KINDS, KINDS
from mood.weights.config import Bench as Figures
from mood.weights.store import default_method, packaged_weights, record_scores

log = logging.getLogger("bench")

SETS = {tables.PUBLISHED: KINDS, tables.HARDER: HARDER_KINDS, "foreign": (FOREIGN_PATCH,)}
# Members of the default are not measured by themselves unless they are named, nor what joins two rows of the table.
ROWS = [name for name in REGISTRY if name not in (*MEMBERS["joint"], "ensemble")]
HELP_WIDTH = 80
WIDEST = 180  # columns of the tables where there is no terminal


FULL = Plan(scans=5, cases=5, training_scans=40, steps=1000, resamples=400)
QUICK = Plan(scans=2, cases=1, training_scans=12, steps=120, resamples=100)


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked for; those of this process when not given."""
    paragraphs = (textwrap.fill(paragraph, HELP_WIDTH) for paragraph in (__doc__ or "").strip().split("\n\n"))
    parser = argparse.ArgumentParser(
        prog="mood bench",
        description="\n\n".join(paragraphs),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with MANIFEST.csv")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="two scans, one case a kind, small baselines; without --groups only those groups that decide",
    )
    parser.add_argument("--region", choices=REGIONS, help="one region only")
    parser.add_argument("--groups", nargs="+", help="these groups of scans only, for instance '1 mm'")
    parser.add_argument(
        "--methods",
        nargs="+",
        choices=REGISTRY,
        metavar="METHOD",
        default=ROWS,
        help="instead of all but the ensemble and joint's members",
    )
    parser.add_argument("--weights", nargs="+", type=Path, default=[], help="further rows: folders of mood train")
    parser.add_argument("--record", action="store_true", help="keep the shipped methods' figures with their weights")
    parser.add_argument("--json", type=Path, help="write every figure here")
    parser.add_argument("--pictures", type=Path, help="write a PNG a group: slice, label and the map of each method")
    parser.add_argument("--predictions", type=Path, help="keep all cases and maps here, for mood evaluate")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path("runs/bench"),
        help="keeps baselines; remove it after changing one",
    )
    parser.add_argument("--scans", type=int, help="at most so many healthy scans a group")
    parser.add_argument("--cases", type=int, help="of each kind in a group, at least")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=[], help="the default method on each of these")
    parser.add_argument("--resamples", type=int, help="bootstrap samples of each interval")
    parser.add_argument("--smoothing-mm", type=float, default=0.0, help="a second row of what comes unsmoothed")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def planned(asked: argparse.Namespace) -> Plan:
    """The plan with what was asked for otherwise."""
    plan = QUICK if asked.quick else FULL
    given = {name: getattr(asked, name) for name in ("scans", "cases", "resamples")}
    return replace(plan, **{name: value for name, value in given.items() if value is not None})


def summaries_of(tallies: dict[str, Tally], group: str, asked: argparse.Namespace, plan: Plan) -> tables.Group:
    """What each method reached on each set of kinds."""
    occurring = list(dict.fromkeys(kind for tally in tallies.values() for kind in tally.kinds))
    sets = (
        {LESIONS: occurring}
        if group == LESIONS
        else {name: list(kinds) for name, kinds in SETS.items() if set(kinds) & set(occurring)}
    )
    return {
        name: {
            method: summarise(tally, kinds, np.random.default_rng(asked.seed), plan.resamples)
            for method, tally in tallies.items()
        }
        for name, kinds in sets.items()
    }


def measure_region(
    region: Region, entries: list[Entry], asked: argparse.Namespace, plan: Plan, console: Console
) -> dict[str, tables.Group]:
    """Measure and print the groups of a region."""
    wanted = asked.groups or (groups_of(region)[:1] if asked.quick else groups_of(region))
    groups = {}
    with ScanPool(region, entries, asked, plan) as bench:
        for group in groups_of(region):
            scans = [entry for entry in entries if entry.region == region.name and entry.group == group]
            scans = scans if group == LESIONS else chosen(scans, plan.scans)  # of lesions there are few
            if not (scans and bench.methods and group in wanted):
                continue
            start = time.monotonic()
            tallies = bench.tallies(group, scans)
            groups[group] = summaries_of(tallies, group, asked, plan)
            log.info("%s, %s: %d scans in %.0f s", region.name, group, len(scans), time.monotonic() - start)
            console_tables(console, f"{region.name}, {group}", len(scans), groups[group], group)
    return groups


def console_tables(console: Console, title: str, scans: int, found: tables.Group, group: str) -> None:
    """The tables of a group."""
    console.print(tables.render_group(tables.describe(title, scans, found), found))
    console.print(tables.render_kinds(title, found))
    console.print(tables.render_objects(title, found))
    if group == LESIONS:
        console.print(tables.render_cases(title, found))
    console.file.flush()  # hours may pass before the next


def record(region: Region, groups: dict[str, tables.Group]) -> None:
    """Write the deciding figures of each shipped method into its weights folder, and those on real lesions."""
    decides = groups_of(region)[0]
    for name, summary in groups[decides][tables.PUBLISHED].items():
        for weights in packaged_weights():
            if (weights.method, weights.region) == (name, region.name):
                ap, auroc = round(summary.mean_pixel_ap.value, 4), round(summary.mean_sample_auroc.value, 4)
                found = groups.get(LESIONS, {}).get(LESIONS, {}).get(name)
                lesions = {} if found is None else lesion_figures(found)
                record_scores(weights, Figures(decides, ap, auroc, **lesions))


def lesion_figures(summary: Summary) -> dict[str, Any]:
    """What a weights folder keeps of what its method reached on real lesions."""
    ap, share = round(summary.pooled.pixel_ap.value, 4), round(summary.pooled.chance, 4)
    return {"lesion_scans": summary.pooled.cases, "lesion_ap": ap, "lesion_share": share}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables and write what was asked for.

    Parameters
    ----------
    arguments : sequence of str, optional
        Of the command line; those of this process when not given.
    """
    asked, start = options(arguments), time.monotonic()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    console = Console(width=None if Console().is_terminal else WIDEST)
    plan, entries = planned(asked), read_manifest(asked.data)
    regions = [REGIONS[asked.region]] if asked.region else list(REGIONS.values())
    found = {region.name: measure_region(region, entries, asked, plan, console) for region in regions}
    decides = {region.name: groups_of(region)[0] for region in regions}
    deciding = ((name, decides[name]) for name in found if decides[name] in found[name])
    region, group = next(deciding, (None, None))
    last = {}
    if region and group:
        last = {"group": f"{region}, {group}"} | tables.verdict(found[region][group], default_method(region))
    about = {"quick": asked.quick, "seed": asked.seed, **asdict(plan), "seconds": round(time.monotonic() - start)}
    for name in found if asked.record else ():
        record(REGIONS[name], found[name])
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        write_text(asked.json, json.dumps(tables.to_json(found, about, last), indent=1) + "\n")
    print(json.dumps(last | {"seconds": about["seconds"]}), flush=True)
