"""Rarity, sentences, checks, charts and tables: each from plain facts."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mood.calibration import Calibration
from mood.evaluation.places import Place
from mood.evaluation.report import charts, checks, sentences
from mood.evaluation.report.cohort import site_banner
from mood.evaluation.report.facts import Agreement, Reference, ScanFiles, ScanSummary
from mood.evaluation.report.rarity import STEPS, RarityScale, one_in
from mood.evaluation.report.viewer_files import fsleyes_colours, itksnap_labels, slicer_colours
from mood.installation import DISTRIBUTION
from mood.weights.config import Bench, TrainingFacts, WeightsConfig

PLACE = Place(1, 3.14, 0.7, 0.4, (10.0, 20.0, 5.0), (-12.0, -0.3, 8.0), (10, 21, 5), "left", "left, upper, front", True)


def summary(name="sub-01", places=(PLACE,), score=0.9, **more) -> ScanSummary:
    decades = [4.2] * len(places)
    return ScanSummary(
        name, "p.html", score=score, places=places, peak_decades=decades, counts=[1] * len(STEPS), **more
    )


@pytest.mark.parametrize(
    ("decades", "words"),
    [
        (2, "1 in 100"),
        (2.5, "1 in 300"),
        (3, "1 in 1,000"),
        (4.2, "1 in 20,000"),
        (5, "rarer than 1 in 100,000"),
        (0, "1 in 1"),
    ],
)
def test_rarity_in_words(decades, words):
    assert one_in(decades) == words


def test_values_become_decades_and_back():
    scale = RarityScale(Calibration(0.0, 1.0, (0.2, 0.4, 0.6, 0.8, 1.0)), measured=True)
    np.testing.assert_allclose(scale.decades(np.array([0, 0.2, 0.6, 0.7, 1.0])), [0, 1, 3, 3.5, 5], atol=1e-4)
    assert scale.value_at(3) == pytest.approx(0.6)
    assert scale.value_at(3.5) == pytest.approx(0.7)


def test_a_folder_without_calibration_is_its_own_scale(rng):
    values = rng.uniform(0, 1, 100_000)
    scale = RarityScale.of_maps([values[:50_000], values[50_000:]])
    assert not scale.measured
    assert scale.value_at(2) == pytest.approx(0.99, abs=0.002)
    assert RarityScale.of_maps([]).value_at(3) == 0


def test_the_headline_counts_places(facts):
    small = replace(PLACE, number=2, volume_ml=0.4)
    alone = Reference()
    assert "nothing stands out" in sentences.headline(summary(places=()), facts, alone)
    assert "1 place stands out: 3.1 ml, left, upper, front." in sentences.headline(summary(), facts, alone)
    two = sentences.headline(summary(places=(PLACE, small)), facts, alone)
    assert "2 places stand out; the larger, 3.1 ml, lies left, upper, front." in two
    assert "the largest" in sentences.headline(summary(places=(PLACE, small, small)), facts, alone)


def test_few_healthy_scans_are_counted_and_many_told_in_hundredths(facts):
    names = [f"h{i}" for i in range(60)]
    many = Reference(names, [0.95] * 3 + [0.1] * 57, [[0] * len(STEPS)] * 60)
    assert "5 in 100 healthy scans of yours (n = 60) look this unusual" in sentences.headline(summary(), facts, many)
    few = Reference(["h1", "h2"], [0.95, 0.1], [[0] * len(STEPS), [3] * len(STEPS)])
    assert "1 of your 2 healthy scans looks this unusual" in sentences.headline(summary(), facts, few)
    assert sentences.slider_labels((3.0,), replace(few, counts=[[0], [3]])) == [
        "about 1.5 false places a healthy scan (n = 2); 1 in 1,000 healthy voxels"
    ]


def test_a_healthy_scan_is_not_compared_with_itself():
    one, other = summary("h1", score=0.5), summary("h2", score=0.7)
    reference = Reference.of([one, other, summary("x")], ["h1", "h2"])
    assert list(reference.without(one).scores) == [0.7]
    assert reference.without(summary("x")) is reference
    assert reference.false_places() == [1.0] * len(STEPS)
    assert Reference().false_places() is None


def test_a_place_in_a_sentence():
    words = sentences.place_sentence("sub-01", PLACE, 4.2)
    assert words == (
        "sub-01, place 1: 3.1 ml, left, upper, front, centre at (-12, 0, 8) mm, at its peak as rare as 1 in 20,000 "
        "healthy voxels. It touches the edge of the body."
    )


def test_what_to_cite_and_how_it_was_done(facts):
    run = replace(facts, record={"about": {"method": "ascnet", "weights": "a" * 64}, "versions": {DISTRIBUTION: "9.9"}})
    text = sentences.methods_text(run)
    assert "mood-ood 9.9, method ascnet (weights with SHA-256 aaaaaaaaaaaa…)" in text
    assert "ASC-Net" in sentences.bibtex("ascnet")
    assert sentences.bibtex("ensemble").count("@") == 2
    assert sentences.bibtex("mix", on_template=True).count("@") == 3


def test_what_members_were_trained_on_is_told_of_each(facts):
    own = WeightsConfig("joint", "brain", {}, training=TrainingFacts(note="Nothing."))
    detail = WeightsConfig("detail", "brain", {}, training=TrainingFacts(training_scans=115, note="One site."))
    normative = WeightsConfig("normative", "brain", {}, training=TrainingFacts(training_scans=83, note="Another."))
    run = replace(facts, weights=own, members=[detail, normative])
    assert sentences.trained_on(run) == "detail: One site. normative: Another."
    assert "trained on 115 and 83 healthy scans" in sentences.methods_text(run)
    assert sentences.trained_on(replace(facts, weights=own)) == "Nothing."
    assert sentences.trained_on(facts) == ""


@pytest.mark.parametrize(
    ("bench", "words"),
    [
        (None, "Not recorded, neither on planted outliers nor on real lesions."),
        (Bench("1 mm"), "Not recorded, neither on planted outliers nor on real lesions."),
        (Bench("1 mm", 0.65), "precision 0.650. On real lesions: not measured; expect far less."),
        (
            Bench("1 mm", 0.65, 0.9, 6, 0.05, 0.005),
            "0.900. On 6 scans with real lesions: average precision 0.050, where ",
        ),
    ],
)
def test_what_the_weights_reached_is_told_on_planted_outliers_and_on_lesions(bench, words):
    assert words in sentences.reached(bench)


@pytest.mark.parametrize(
    ("row", "name", "state"),
    [
        ({}, "likeness", "amber"),
        ({}, "fit", "amber"),
        ({"fit": "yes"}, "fit", "good"),
        ({"fit": "no: its skull is on"}, "fit", "amber"),
        ({}, "skull", "amber"),
        ({"strip": "by us"}, "skull", "good"),
    ],
)
def test_checks_say_what_is_known_and_what_is_not(facts, row, name, state):
    files = ScanFiles("sub-01", Path("x"), Path("y"), None, 0.5, row)
    found = {check.name: check for check in checks.scan_checks(files, facts, np.array([1.0, 1.0, 1.0]), False)}
    assert found[name].state == state
    assert found[name].state == "good" or found[name].reason
    assert "map" not in found


@pytest.mark.parametrize(
    ("figure", "state"), [(0.66, "good"), (0.53, "amber"), ("x", "amber"), (float("nan"), "amber")]
)
def test_likeness_is_told_where_it_was_measured(facts, figure, state):
    known = replace(facts, record={"scans": [{"scan": "sub-01", "figures": {"correlation": figure}}, 7]})
    files = ScanFiles("sub-01", Path("x"), Path("y"), None, 0.5)
    found = {check.name: check for check in checks.scan_checks(files, known, np.ones(3), False)}
    assert found["likeness"].state == state
    assert ("0.66" in found["likeness"].text) == (figure == 0.66)


def test_coarse_voxels_and_empty_maps_are_amber(facts):
    run = replace(facts, weights=WeightsConfig("mix", "brain", {"spacing_mm": [2.0, 2.0, 2.0], "smoothing_mm": 7.5}))
    files = ScanFiles("sub-01", Path("x"), Path("y"), None, 0.5)
    fine, coarse = (
        {check.name: check for check in checks.scan_checks(files, run, np.array([1.0, 1.0, mm]), mm > 3)}
        for mm in (1.0, 6.0)
    )
    assert fine["resolution"].state == "good"
    assert coarse["resolution"].state == "amber"
    assert coarse["map"].state == "amber"
    assert "7.5 mm" in fine["size"].text


def test_charts_are_svg_with_words_for_who_cannot_see_them():
    healthy = Reference(['h"<1>'], [0.2], [[0]])
    drawn = [
        charts.profile_chart([0.0, 3.5, 5.0, 1.0], 3.0),
        charts.dots_chart(summary(), [summary(), summary('h"<1>', score=0.2)], healthy),
        charts.agreement_chart(Agreement(0.5, 0.4, [0.0, 1.0], [1.0, 0.2])),
    ]
    for chart in drawn:
        assert ElementTree.fromstring(chart).attrib["aria-label"]
    assert drawn[0].count('class="bar-high"') == 2
    assert "number 1 from the top" in drawn[1]
    assert charts.profile_chart([], 3.0) == charts.agreement_chart(None) == ""
    assert charts.dots_chart(None, [summary(score=None)], Reference()) == ""


def test_a_banner_only_where_one_site_holds_the_flags():
    people = [summary(f"s{i}", places=(PLACE,) if i < 4 else ()) for i in range(10)]
    half = {f"s{i}": {"site": "A" if i < 5 else "B"} for i in range(10)}
    assert site_banner(people, half).startswith("4 of 4 scans")
    even = {f"s{i}": {"site": "A" if i % 2 else "B"} for i in range(10)}
    assert site_banner(people, even) == ""
    assert site_banner(people, {f"s{i}": {"age": "A" if i < 5 else "B"} for i in range(10)}) == ""
    assert site_banner(people, {f"s{i}": {"site": "A"} for i in range(10)}) == ""
    assert site_banner(people[3:], half) == ""  # a single flag proves nothing


def test_label_files_follow_each_viewers_form():
    snap = itksnap_labels([PLACE]).splitlines()
    assert snap[0].startswith("0 ")
    assert snap[1].split(None, 7)[7] == '"1 left upper front 3.1 ml"'
    number, *colours = fsleyes_colours([PLACE]).split()[:4]
    assert number == "1"
    assert all(0 <= float(each) <= 1 for each in colours)
    slicer = slicer_colours([PLACE]).splitlines()[-1].split()
    assert slicer[:2] == ["1", "1_left_upper_front_3.1_ml"]
    assert len(slicer) == 6
    assert itksnap_labels([]).count("\n") == 1
