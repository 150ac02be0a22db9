"""Pages from templates: everything a page needs is inside it, everything foreign in it is escaped."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from mood.evaluation.report import charts, sentences
from mood.evaluation.report.checks import scanner_check
from mood.evaluation.report.cohort import columns, site_banner
from mood.evaluation.report.display import LABEL_FROM, PLACE_FROM, STEPS_A_DECADE
from mood.evaluation.report.facts import Reference, RunFacts, ScanSummary
from mood.evaluation.report.mean_map import MeanMap
from mood.evaluation.report.pictures import BANDS, OUTLINE, TRUTH, data_address
from mood.evaluation.report.rarity import STEPS, TOP, one_in
from mood.evaluation.report.study import MOST_PLACES

VIEWER = "niivue-0.68.1.umd.js.gz"
VIEWER_SHA256 = "c40dc2679c337c906deef22e157ee02c17459db9b8ecc51aa773af27791a567c"  # of the file inside


@dataclass(frozen=True)
class Group:
    """All that is known when pages are written."""

    facts: RunFacts
    summaries: Sequence[ScanSummary]
    reference: Reference
    participants: Mapping[str, Mapping[str, str]]
    mean: MeanMap = field(default_factory=MeanMap)


def viewer_file() -> bytes:
    """The viewer, compressed."""
    return (resources.files("mood.evaluation.report") / "viewer" / VIEWER).read_bytes()


class Pages:
    """Renders pages; the viewer is read once."""

    def __init__(self) -> None:
        self.templates = jinja2.Environment(
            loader=jinja2.PackageLoader("mood.evaluation.report"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.filters["inside_script"] = inside_script
        legend = [_band(start, colour) for start, colour in BANDS]
        self.templates.globals |= {"one_in": one_in, "whole": sentences.whole, "bands": legend}
        self.viewer = base64.b64encode(viewer_file()).decode("ascii")

    def scan(self, group: Group, summary: ScanSummary, payload: Mapping[str, Any]) -> str:
        """The page of one scan.

        Parameters
        ----------
        payload : mapping
            `volumes`, `mosaic`, `points_mm`, `rarest_mm` and `slices_mm` of the study.
        """
        facts, reference = group.facts, group.reference
        paged = [one for one in group.summaries if one.page]
        at = next(i for i, one in enumerate(paged) if one is summary)
        shown = list(summary.places)[:MOST_PLACES]
        rows = [
            (place, decades, sentences.place_sentence(summary.name, place, decades))
            for place, decades in zip(shown, summary.peak_decades, strict=False)
        ]
        data = {
            "name": summary.name,
            "volumes": payload["volumes"],
            "points": payload["points_mm"],
            "slices": payload["slices_mm"],
            "rarest": payload["rarest_mm"],
            "profile": len(summary.profile),
            "steps": list(STEPS),
            "labels": sentences.slider_labels(STEPS, reference),
            "counts": list(summary.counts),
            "operating": facts.threshold_decades,
            "scale": STEPS_A_DECADE,
            "place": PLACE_FROM,
            "label": LABEL_FROM,
            "top": TOP,
            "bands": [[start, *colour] for start, colour in BANDS],
            "outlines": [OUTLINE, TRUTH],
            "peaks": [round(decades, 3) for decades in summary.peak_decades[:MOST_PLACES]],
        }
        return self.templates.get_template("scan.html").render(
            summary=summary,
            facts=facts,
            headline=sentences.headline(summary, facts, reference),
            checks=[*summary.checks, scanner_check(reference)],
            rows=rows,
            hidden=len(summary.places) - len(shown),
            members=any(place.members for place in shown),
            unknown_members=facts.weights is None or bool(facts.weights.members),
            mosaic=payload["mosaic"],
            start=_nearest_step(facts.threshold_decades),
            steps=len(STEPS),
            data=data,
            viewer=self.viewer,
            before=_address(paged[at - 1].page) if at else "",
            after=_address(paged[at + 1].page) if at + 1 < len(paged) else "",
            profile=charts.profile_chart(summary.profile, facts.threshold_decades),
            dots=charts.dots_chart(summary, group.summaries, reference),
            curve=charts.agreement_chart(summary.agreement),
            positions=sentences.NAMES if any(place.name for place in shown) else sentences.POSITIONS,
            **_footer(facts),
        )

    def group(self, group: Group) -> str:
        """The overview."""
        cards = [(one, _address(f"scans/{one.page}") if one.page else "") for one in group.summaries]
        told = {one.name: dict(group.participants.get(one.name, {})) for one in group.summaries}
        return self.templates.get_template("group.html").render(
            facts=group.facts,
            headline=sentences.group_headline(group.summaries),
            banner=site_banner(group.summaries, group.participants),
            check=scanner_check(group.reference),
            cards=cards,
            columns=columns(group.participants),
            data={"participants": told},
            mean=group.mean,
            mean_picture=data_address(group.mean.picture()) if group.mean.most else "",
            dots=charts.dots_chart(None, group.summaries, group.reference),
            **_footer(group.facts),
        )


def _band(start: float, colour: tuple[int, int, int]) -> tuple[str, str]:
    return f"1 in {round(10**start):,}", "#{:02x}{:02x}{:02x}".format(*colour)


def _address(path: str) -> str:
    """A relative address; `./` keeps a colon in a name from being taken for a scheme."""
    return f"./{quote(os.fsencode(path))}"


def _nearest_step(decades: float) -> int:
    return min(range(len(STEPS)), key=lambda i: abs(STEPS[i] - decades))


def _footer(facts: RunFacts) -> dict[str, Any]:
    versions = facts.record.get("versions", {})
    return {
        "versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
        "device": ", ".join(str(facts.record[key]) for key in ("engine", "device") if key in facts.record),
        "checksum": facts.record.get("about", {}).get("weights", ""),
        "trained_on": sentences.trained_on(facts),
        "reached": sentences.reached(facts.weights.bench if facts.weights else None),
        "methods": sentences.methods_text(facts),
        "bibtex": sentences.bibtex(facts.method, on_template=facts.region.template is not None),
    }


def inside_script(value: Any) -> Any:
    """JSON for a script element: nothing in it can end the element."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=True)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)
