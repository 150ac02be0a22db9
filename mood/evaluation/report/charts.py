"""Small curves as SVG: no library, no pictures, and colours that follow the page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from mood.evaluation.report.facts import Agreement, Reference, ScanSummary
from mood.evaluation.report.rarity import TOP

WIDTH, HEIGHT = 420, 84
SIDE = 180
DOT = 5
MOST_DOTS = 300  # beside the chosen one's on a scan's page, so that the pages of a large cohort stay small


def profile_chart(profile: Sequence[float], threshold_decades: float) -> str:
    """The rarest voxel of each slice, from bottom to top; a click goes to that slice."""
    if not profile:
        return ""
    step = WIDTH / len(profile)
    bars = "".join(
        f'<rect x="{i * step:.1f}" y="{HEIGHT - HEIGHT * value / TOP:.1f}" width="{max(step - 0.6, 0.6):.1f}" '
        f'height="{HEIGHT * value / TOP:.1f}" class="{"bar-high" if value >= threshold_decades else "bar"}"/>'
        for i, value in enumerate(profile)
    )
    level = HEIGHT - HEIGHT * threshold_decades / TOP
    line = f'<line x1="0" x2="{WIDTH}" y1="{level:.1f}" y2="{level:.1f}" class="level"/>'
    highest = max(range(len(profile)), key=lambda i: profile[i])
    alt = f"Rarest voxel of each of {len(profile)} axial slices; the highest is slice {highest + 1} from below."
    marker = f'<line id="profile-mark" x1="0" x2="0" y1="0" y2="{HEIGHT}" class="mark"/>'
    return _svg(WIDTH, HEIGHT, alt, bars + line + marker, 'id="profile" preserveAspectRatio="none"')


def dots_chart(chosen: ScanSummary | None, summaries: Sequence[ScanSummary], reference: Reference) -> str:
    """Every scan of the folder as a dot along the score; the healthy ones hollow, the chosen one large.

    Beside a chosen one there are `MOST_DOTS` at most, evenly taken from all by score.
    """
    known = [one for one in summaries if one.score is not None]
    if not known:
        return ""
    healthy = set(reference.names)
    shown = known if chosen is None else _thinned(known)
    drawn = sorted(enumerate(shown), key=lambda item: item[1].name in healthy)  # the healthy ones on top
    dots = "".join(_dot(one, one.name in healthy, False, i) for i, one in drawn if one is not chosen)
    if chosen is not None and chosen.score is not None:
        dots += _dot(chosen, chosen.name in healthy, True, 1)
    axis = f'<line x1="0" x2="{WIDTH}" y1="{HEIGHT - 20}" y2="{HEIGHT - 20}" class="axis"/>'
    ticks = "".join(
        f'<text x="{8 + share * (WIDTH - 16):.0f}" y="{HEIGHT - 4}" text-anchor="middle">{share:g}</text>'
        for share in (0, 0.25, 0.5, 0.75, 1)
    )
    alt = f"Scores of {len(known)} scans from 0 to 1, {len(healthy)} of them known to be healthy."
    if chosen is not None and chosen.score is not None:
        rank = 1 + sum(one.score > chosen.score for one in known if one.score is not None)
        alt += f" This one, {chosen.score:.3f}, is number {rank} from the top."
        if len(shown) < len(known):
            alt += f" {len(shown)} of them are drawn."
    return _svg(WIDTH, HEIGHT, alt, axis + ticks + dots, 'class="chart dots"')


def _thinned(known: Sequence[ScanSummary]) -> Sequence[ScanSummary]:
    if len(known) <= MOST_DOTS:
        return known
    by_score = sorted(known, key=lambda one: one.score or 0.0)
    return [by_score[round(i * (len(known) - 1) / (MOST_DOTS - 1))] for i in range(MOST_DOTS)]


def _dot(summary: ScanSummary, healthy: bool, chosen: bool, row: int) -> str:
    kind = "dot" + (" healthy" if healthy else "") + (" chosen" if chosen else "")
    x = 8 + (summary.score or 0) * (WIDTH - 16)
    y = 12 + row % 4 * 13 if not chosen else 30
    name = escape(f"{summary.name}: {summary.score:.4f}", quote=True)
    key = escape(summary.name, quote=True)
    place = f'cx="{x:.1f}" cy="{y}" r="{DOT + 4 * chosen}"'
    return f'<circle {place} class="{kind}" data-name="{key}"><title>{name}</title></circle>'


def agreement_chart(agreement: Agreement | None) -> str:
    """Precision over recall of one scan's map against its label."""
    if agreement is None or not agreement.recalls:
        return ""
    points = " ".join(
        f"{SIDE * recall:.1f},{SIDE * (1 - precision):.1f}"
        for recall, precision in zip(agreement.recalls, agreement.precisions, strict=True)
    )
    frame = f'<rect x="0" y="0" width="{SIDE}" height="{SIDE}" class="frame"/>'
    alt = f"Precision over recall; average precision {agreement.average_precision:.3f}."
    return _svg(SIDE, SIDE, alt, f'{frame}<polyline points="{points}" class="curve"/>', 'class="chart square"')


def _svg(width: int, height: int, alt: str, content: str, attributes: str) -> str:
    """An SVG with its description for those who cannot see it."""
    described = f'role="img" aria-label="{escape(alt, quote=True)}"'
    return f'<svg viewBox="0 0 {width} {height}" {described} {attributes}>{content}</svg>'
