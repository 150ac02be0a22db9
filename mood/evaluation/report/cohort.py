"""Participants of a group: columns to colour by, and whether one site holds most of what was flagged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from mood.evaluation.report.facts import ScanSummary

SITE_WORDS = ("site", "scanner", "center", "centre", "manufacturer", "institution", "protocol")
FEWEST_FLAGS = 3
MOST_SHARE, MUCH_OFTENER = 0.5, 1.5  # of the flags; times as often as the other scans


def columns(participants: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The columns of the table that hold something, in its order."""
    return list(dict.fromkeys(column for row in participants.values() for column in row))


def site_banner(summaries: Sequence[ScanSummary], participants: Mapping[str, Mapping[str, str]]) -> str:
    """A warning when more than half of the flagged scans come from one site that is flagged more than the rest."""
    done = [one for one in summaries if not one.problem]
    for column in columns(participants):
        if any(word in column.lower() for word in SITE_WORDS):
            told = _one_site(done, column, {name: row.get(column, "") for name, row in participants.items()})
            if told:
                return told
    return ""


def _one_site(done: Sequence[ScanSummary], column: str, sites: Mapping[str, str]) -> str:
    known = [one for one in done if sites.get(one.name)]
    scans = Counter(sites[one.name] for one in known)
    flags = Counter(sites[one.name] for one in known if one.flagged)
    if len(scans) < 2 or flags.total() < FEWEST_FLAGS:
        return ""
    site, count = flags.most_common(1)[0]
    elsewhere = (flags.total() - count) / max(scans.total() - scans[site], 1)
    if count / flags.total() <= MOST_SHARE or count / scans[site] < MUCH_OFTENER * elsewhere:
        return ""
    return (
        f"{count} of {flags.total()} scans with places that stand out are of {column} “{site}”, which has "
        f"{scans[site]} of {scans.total()} scans: this may be the scanner, not the people."
    )
