"""What the benchmark found: tables for people, the verdict in one line for programs."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table

from mood.benchmark.run import SMOOTHED
from mood.benchmark.tally import Summary
from mood.evaluation.results import UNDEFINED, without_nan
from mood.methods import BASELINES

PUBLISHED, HARDER = "published", "harder"  # sets of kinds
Group = dict[str, dict[str, Summary]]  # set of kinds, method

CAPTION = (
    "mean AP: pixel AP of each kind (its cases and the healthy ones pooled), then the mean over kinds. "
    "pixel AP, AUROC, Dice: all cases pooled, the challenge's way. Brackets: 95 % bootstrap interval over cases."
)


def render_group(title: str, group: Group) -> Table:
    """The methods side by side on one group of scans, a section for each set of kinds."""
    columns = ("mean AP", "pixel AP", "AUROC", "best Dice", "sample AP", "sample AUROC")
    table = _table(title, "kinds", "method", *columns, caption=CAPTION)
    for kinds, methods in group.items():
        for method, summary in methods.items():
            pooled = summary.pooled
            cells = (summary.mean_pixel_ap, pooled.pixel_ap, pooled.pixel_auroc)
            samples = (pooled.sample_ap, summary.mean_sample_auroc)
            table.add_row(kinds, method, *map(str, cells), _shown(summary.dice), *map(str, samples))
        table.add_section()
    return table


def render_kinds(title: str, group: Group) -> Table:
    """Pixel AP of each kind beside that of chance, a column a method; the intervals are in the JSON."""
    table = _table(f"{title}: pixel AP of each kind", "kind", "chance", *_headings(group), caption="")
    for summaries in group.values():
        for kind, any_method in next(iter(summaries.values())).kinds.items():
            aps = (summary.kinds[kind].pixel_ap.value for summary in summaries.values())
            table.add_row(kind, f"{any_method.chance:.4f}", *map(_shown, aps))
        table.add_section()
    return table


def render_objects(title: str, group: Group) -> Table:
    """Object F1 of each kind at the operating threshold, and below it the false places in a healthy scan."""
    table = _table(f"{title}: object F1 at one healthy voxel in 1,000", "kind", *_headings(group), caption="")
    for summaries in group.values():
        for kind in next(iter(summaries.values())).kinds:
            table.add_row(kind, *(_shown(summary.kinds[kind].object_f1) for summary in summaries.values()))
        table.add_section()
    places = (summary.false_places for summary in next(iter(group.values())).values())
    table.add_row("false places a healthy scan", *(_shown(count, 1) for count in places))
    return table


def render_cases(title: str, group: Group) -> Table:
    """Pixel AP of each case by itself beside that of chance; last, how many times chance, as a mean over the cases."""
    table = _table(f"{title}: pixel AP of each case", "case", "chance", *_headings(group), caption="")
    for summaries in group.values():
        for name, any_method in next(iter(summaries.values())).cases.items():
            aps = (summary.cases[name].pixel_ap for summary in summaries.values())
            table.add_row(name, f"{any_method.chance:.4f}", *map(_shown, aps))
        table.add_section()
        times = ([one.pixel_ap / one.chance for one in summary.cases.values()] for summary in summaries.values())
        table.add_row("times chance, mean", "1", *(_shown(sum(one) / len(one), 1) for one in times))
    return table


def _headings(group: Group) -> list[str]:
    return [name.replace(SMOOTHED, SMOOTHED.replace(" ", "\n")) for name in next(iter(group.values()))]


def _shown(value: float, digits: int = 3) -> str:
    return UNDEFINED if math.isnan(value) else f"{value:.{digits}f}"


def describe(title: str, scans: int, group: Group) -> str:
    """The title of a group's table: what was measured, and the AP that guessing reaches."""
    shares = [f"{next(iter(s.values())).pooled.chance:.2%} ({name})" for name, s in group.items()]
    cases = sum(next(iter(s.values())).pooled.cases for s in group.values())
    return f"{title}: {scans} scans, {cases} cases; AP of chance {', '.join(shares)}"


def verdict(group: Group, default: str) -> dict[str, Any]:
    """The default method against the baselines on one group.

    Returns
    -------
    dict
        `mean_pixel_ap`, `mean_sample_auroc` and `harder_mean_pixel_ap` of the default method,
        `best_baseline` and its `best_baseline_pixel_ap`, and on how many of `kinds` (and of `all_kinds`)
        the default method's pixel AP is above that of every baseline; `on_engines` its mean pixel AP on each.
        None where something was not measured.
    """
    published, harder = group[PUBLISHED], group.get(HARDER, {})
    baselines = {name: found.mean_pixel_ap.value for name, found in published.items() if _is_baseline(name)}
    best = max(baselines, key=lambda name: baselines[name], default=None)
    mine = published.get(default)
    won, kinds = _kinds_won(published, default), len(next(iter(published.values())).kinds)
    harder_kinds = len(next(iter(harder.values())).kinds) if harder else 0
    return without_nan(
        {
            "default_method": default,
            "mean_pixel_ap": mine.mean_pixel_ap.value if mine else None,
            "mean_sample_auroc": mine.mean_sample_auroc.value if mine else None,
            "harder_mean_pixel_ap": harder[default].mean_pixel_ap.value if default in harder else None,
            "best_baseline": best,
            "best_baseline_pixel_ap": baselines[best] if best else None,
            "kinds_above_every_baseline": won,
            "kinds": kinds,
            "all_kinds_above_every_baseline": won + _kinds_won(harder, default),
            "all_kinds": kinds + harder_kinds,
            "on_engines": {
                name: s.mean_pixel_ap.value for name, s in published.items() if name.startswith(f"{default} on ")
            },
        }
    )


def to_json(groups: dict[str, dict[str, Group]], about: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
    """Everything as plain values: region, group, set of kinds, method, figures."""
    results = {
        region: {
            name: {kinds: {method: asdict(s) for method, s in methods.items()} for kinds, methods in group.items()}
            for name, group in named.items()
        }
        for region, named in groups.items()
    }
    return without_nan({"about": about, "results": results, "verdict": last})


def _kinds_won(summaries: dict[str, Summary], default: str) -> int:
    rivals = [found for name, found in summaries.items() if _is_baseline(name)]
    if default not in summaries or not rivals:
        return 0
    mine = summaries[default].kinds
    return sum(all(mine[k].pixel_ap.value > rival.kinds[k].pixel_ap.value for rival in rivals) for k in mine)


def _is_baseline(name: str) -> bool:
    return name.removesuffix(SMOOTHED) in BASELINES


def _table(title: str, *headings: str, caption: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", caption=caption, caption_justify="left")
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table
