"""What the report says in words."""

from __future__ import annotations

from collections.abc import Sequence

from mood.evaluation.places import Place
from mood.evaluation.report.facts import Reference, RunFacts, ScanSummary
from mood.evaluation.report.rarity import one_in
from mood.installation import DISTRIBUTION
from mood.weights.config import Bench

SHARES_FROM = 20  # healthy scans; with fewer, they are counted instead of told in hundredths
POSITIONS = "Positions are told by the header's orientation and the body's extent; the scan lies on no template."
NAMES = (
    "Names are those of the nearest of some 400 points of MNI space and of the template's tissue there"
    " (Schaefer et al. 2018; ICBM 2009a), by an affine registration: coarse, and a few millimetres off."
)


def headline(summary: ScanSummary, facts: RunFacts, reference: Reference) -> str:
    """The first line of a scan's page."""
    return f"{summary.name}: {_what_stands_out(summary, facts)} {_how_unusual(summary, reference)}"


def _what_stands_out(summary: ScanSummary, facts: RunFacts) -> str:
    places = summary.places
    if not places:
        return f"nothing stands out at {one_in(facts.threshold_decades)} healthy voxels."
    largest = places[0]
    if len(places) == 1:
        return f"1 place stands out: {largest.volume_ml:.1f} ml, {_in(largest)}."
    comparative = "larger" if len(places) == 2 else "largest"
    return f"{len(places)} places stand out; the {comparative}, {largest.volume_ml:.1f} ml, lies {_in(largest)}."


def _in(place: Place) -> str:
    return f"in {_with_article(place.name)}" if place.name else place.position


def _with_article(name: str) -> str:
    """'the left cerebellum', but 'left frontal white matter'."""
    return name if name.endswith(("matter", "spaces")) else f"the {name}"


def _how_unusual(summary: ScanSummary, reference: Reference) -> str:
    others = reference.without(summary)
    if not others.scores or summary.score is None:
        return "Not calibrated for your scanner: it can be ranked among the scans of this folder only."
    count, known = sum(score >= summary.score for score in others.scores), len(others.scores)
    if known >= SHARES_FROM:
        return f"{round(100 * count / known)} in 100 healthy scans of yours (n = {known}) look this unusual."
    verb = "looks" if count == 1 else "look"
    return f"{count} of your {known} healthy scans {verb} this unusual."


def place_sentence(name: str, place: Place, decades: float) -> str:
    """One place in a sentence to copy into a note."""
    edge = " It touches the edge of the body." if place.touches_edge else ""
    return (
        f"{name}, place {place.number}: {place.volume_ml:.1f} ml, {_in(place)}, centre at "
        f"({whole(place.centre_mm)}) mm, at its peak as rare as {one_in(decades)} healthy voxels.{edge}"
    )


def whole(numbers: Sequence[float]) -> str:
    """Whole numbers with commas; never '-0'."""
    return ", ".join(f"{round(number):d}" for number in numbers)


def slider_labels(steps: Sequence[float], reference: Reference) -> list[str]:
    """What each stop of the threshold's slider means."""
    known = reference.false_places()
    if known is None:
        return [f"{one_in(step)} healthy voxels" for step in steps]
    scans = f"a healthy scan (n = {len(reference.counts)})"
    pairs = zip(steps, known, strict=True)
    return [f"about {_count(mean)} {scans}; {one_in(step)} healthy voxels" for step, mean in pairs]


def _count(mean: float) -> str:
    number = f"{mean:.0f}" if mean >= 10 or mean == int(mean) else f"{mean:.1f}"
    return f"{number} false place" if number == "1" else f"{number} false places"


def group_headline(summaries: Sequence[ScanSummary]) -> str:
    """The first line of the overview."""
    done = [one for one in summaries if not one.problem]
    flagged = [one for one in done if one.flagged]
    noun = "scan" if len(summaries) == 1 else "scans"
    lost = len(summaries) - len(done)
    first = f"{len(summaries)} {noun}: {len(flagged)} with places that stand out, {len(done) - len(flagged)} without"
    first += f", {lost} that could not be shown." if lost else "."
    if not flagged:
        return first
    worst = max(flagged, key=lambda one: (max(one.peak_decades, default=0), one.volume_ml))
    volumes = f"{worst.volume_ml:.1f} ml in {len(worst.places)} place{'s' if len(worst.places) > 1 else ''}"
    return f"{first} The rarest voxels are in {worst.name} ({volumes})."


def reached(bench: Bench | None) -> str:
    """What a benchmark measured of the weights: on planted outliers, and on real lesions."""
    if bench is None or bench.bench_pixel_ap is None:
        return "Not recorded, neither on planted outliers nor on real lesions."
    planted = f"On planted outliers ({bench.bench_group}): mean pixel average precision {bench.bench_pixel_ap:.3f}"
    if bench.bench_sample_auroc is not None:
        planted += f", mean sample AUROC {bench.bench_sample_auroc:.3f}"
    if bench.lesion_ap is None:
        return f"{planted}. On real lesions: not measured; expect far less."
    chance = "" if bench.lesion_share is None else f", where chance is {bench.lesion_share:.3f}"
    return (
        f"{planted}. On {bench.lesion_scans} scans with real lesions: average precision {bench.lesion_ap:.3f}{chance}."
    )


def trained_on(facts: RunFacts) -> str:
    """What the weights, or those that they are composed of, were trained on; empty where they are not at hand."""
    if facts.members:
        return " ".join(f"{member.method}: {member.training.note}" for member in facts.members)
    return facts.weights.training.note if facts.weights else ""


def methods_text(facts: RunFacts) -> str:
    """A paragraph for the methods section of a paper."""
    version = facts.record.get("versions", {}).get(DISTRIBUTION, "unknown")
    configs = facts.members or ([facts.weights] if facts.weights else [])
    counts = [str(config.training.training_scans) for config in configs if config.training.training_scans]
    trained = f", trained on {' and '.join(counts)} healthy scans" if counts else ""
    checksum = str(facts.record.get("about", {}).get("weights", ""))[:12]
    named = f" (weights with SHA-256 {checksum}…)" if checksum else ""
    measured = "held-out healthy scans" if facts.scale.measured else "the maps of the same folder"
    made = f"{DISTRIBUTION} {version}, method {facts.method}{named}{trained}"
    return (
        f"Scans were scored for out-of-distribution tissue with {made}. "
        "Places that stand out are connected components of at least 0.1 ml whose voxels are rarer than "
        f"{one_in(facts.threshold_decades)}, as measured on {measured}. Places were not confirmed by a reader."
    )


PAPERS = {
    "fpi": (
        "@article{tan2020fpi, title={Detecting Outliers with Foreign Patch Interpolation}, author={Tan, Jeremy and Hou,"
        " Benjamin and Batten, James and Qiu, Huaqi and Kainz, Bernhard}, journal={arXiv:2011.04197}, year={2020}}"
    ),
    "ascnet": (
        "@inproceedings{dey2021ascnet, title={ASC-Net: Adversarial-based Selective Network for Unsupervised Anomaly"
        " Segmentation}, author={Dey, Raunak and Hong, Yi}, booktitle={MICCAI}, year={2021}}"
    ),
    "icbm": (
        "@article{fonov2011icbm, title={Unbiased average age-appropriate atlases for pediatric studies}, author={Fonov,"
        " Vladimir and Evans, Alan C and Botteron, Kelly and Almli, C Robert and McKinstry, Robert C and Collins, D"
        " Louis}, journal={NeuroImage}, volume={54}, pages={313--327}, year={2011}}"
    ),
    "schaefer": (
        "@article{schaefer2018parcels, title={Local-Global Parcellation of the Human Cerebral Cortex from Intrinsic"
        " Functional Connectivity {MRI}}, author={Schaefer, Alexander and Kong, Ru and Gordon, Evan M and Laumann,"
        " Timothy O and Zuo, Xi-Nian and Holmes, Avram J and Eickhoff, Simon B and Yeo, B T Thomas},"
        " journal={Cerebral Cortex}, volume={28}, pages={3095--3114}, year={2018}}"
    ),
}


def bibtex(method: str, *, on_template: bool = False) -> str:
    """What to cite for a method, whose ideas are FPI's where it has no paper of its own, and for names of places."""
    keys = {"ascnet": ("ascnet",), "ensemble": ("fpi", "ascnet")}.get(method, ("fpi",))
    return "\n".join(PAPERS[key] for key in (*keys, *(("icbm", "schaefer") if on_template else ())))
