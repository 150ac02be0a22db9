"""Tables for people and JSON for programs say the same numbers."""

import json

import pytest
from rich.console import Console

from mood.errors import OutputError
from mood.evaluation.objects import ObjectCounts
from mood.evaluation.results import Estimate, Evaluation, Scores, render_kinds, render_table, save_evaluations

NAN = float("nan")
PIXEL = Evaluation(
    mode="pixel",
    cases=7,
    missing={"case3": "there is no such file"},
    average_precision=Estimate(0.3123, 0.214, 0.396),
    auroc=Estimate(0.9126, 0.88, 0.94),
    dice=0.4567,
    threshold=0.125,
    objects=ObjectCounts(6, 2, 3),
    kinds={"sink_source": Scores(3, Estimate(0.777, 0.7, 0.8), Estimate(0.888, 0.8, 0.9))},
    per_case=({"case": "case1", "anomalous_voxels": 0, "average_precision": NAN},),
)
SAMPLE = Evaluation("sample", 7, {}, Estimate(0.654, 0.6, 0.7), Estimate(0.5, NAN, NAN))
NOTHING = Estimate(NAN, NAN, NAN)
HEALTHY = Evaluation("pixel", 4, {}, NOTHING, NOTHING, NAN, NAN, ObjectCounts())


def rendered(table, width=80):
    console = Console(width=width)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_methods_stand_side_by_side_with_intervals():
    text = rendered(render_table({"fpi": PIXEL, "ascnet": SAMPLE}), width=120)
    fpi, ascnet = (next(line for line in text.splitlines() if name in line) for name in ("fpi", "ascnet"))
    for number in ("7 (1 lost)", "0.312 [0.21, 0.40]", "0.913 [0.88, 0.94]", "0.457 (at 0.125)"):
        assert number in fpi
    for ratio in (12 / 17, 6 / 8, 6 / 9):
        assert f"{ratio:.3f}" in fpi
    assert "0.654 [0.60, 0.70]" in ascnet
    assert "lost" not in ascnet


def test_intervals_are_not_broken_on_a_narrow_terminal():
    text = rendered(render_table({"a-method-with-a-long-name": PIXEL}))
    assert "0.312 [0.21, 0.40]" in text
    assert "0.913 [0.88, 0.94]" in text
    for ratio in (12 / 17, 6 / 8, 6 / 9):
        assert f"{ratio:.3f}" in text


def test_pixel_columns_only_for_pixels():
    text = rendered(render_table({"ascnet": SAMPLE}))
    assert text.startswith("Scans: the sample scores against labels")
    assert "Dice" not in text
    assert "undefined" not in text


def test_undefined_numbers_are_a_dash():
    text = rendered(render_table({"fpi": HEALTHY}))
    assert "nan" not in text
    assert text.count("–") == 7  # six cells, and what they mean
    assert "–: undefined" in text
    assert "nan" not in rendered(render_table({"ascnet": SAMPLE}))


def test_kinds_have_their_own_table():
    table = rendered(render_kinds({"fpi": PIXEL, "ascnet": SAMPLE}))
    assert "0.777 [0.70, 0.80]" in table
    assert "0.888 [0.80, 0.90]" in table
    assert "ascnet" not in table
    assert table.startswith("Voxels: the maps against labels, kind by kind")
    assert render_kinds({"ascnet": SAMPLE}) is None


def test_json_holds_every_number_and_no_nan(tmp_path):
    path = tmp_path / "scores.json"
    save_evaluations({"fpi": PIXEL, "ascnet": SAMPLE}, path)
    content = json.loads(path.read_text())
    assert content["fpi"]["average_precision"] == {"value": 0.3123, "low": 0.214, "high": 0.396}
    assert content["fpi"]["objects"]["f1"] == PIXEL.objects.f1
    assert content["fpi"]["objects"]["true_positives"] == 6
    assert content["fpi"]["kinds"]["sink_source"]["auroc"]["value"] == 0.888
    assert content["fpi"]["missing"] == PIXEL.missing
    assert content["fpi"]["per_case"][0]["average_precision"] is None
    assert content["ascnet"]["auroc"]["low"] is None
    assert content["ascnet"]["objects"] is None
    assert list(tmp_path.iterdir()) == [path]


def test_unwritable_json_is_an_error(tmp_path):
    with pytest.raises(OutputError, match="nowhere"):
        save_evaluations({}, tmp_path / "nowhere" / "scores.json")
