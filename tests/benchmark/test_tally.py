import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from mood.benchmark.operating import Found
from mood.benchmark.tables import (
    HARDER,
    PUBLISHED,
    describe,
    render_cases,
    render_group,
    render_kinds,
    render_objects,
    to_json,
    verdict,
)
from mood.benchmark.tally import Tally, summarise
from mood.evaluation.objects import ObjectCounts

SHAPE = (12, 10, 8)
KINDS = ["reflection", "uniform_shift"]


def drawn_cases(seed=0):
    """(kind, map, label, sample score): two healthy cases and two of each of three kinds."""
    rng = np.random.default_rng(seed)
    for kind in ["healthy", *KINDS, "ring_lesion"] * 2:
        label = np.zeros(SHAPE, np.uint8)
        if kind != "healthy":
            label[2:5, 3:7, 1:6] = 1
        score_map = np.clip(rng.normal(0.3, 0.2, SHAPE) + 0.2 * label, 0, 1).astype(np.float32)
        yield kind, score_map, label, float(rng.random())


def tallied(cases) -> Tally:
    tally = Tally()
    for case in cases:
        tally.add(*case)
    return tally


def pooled(cases, kinds):
    kept = [case for case in cases if case[0] in kinds]
    truth = np.concatenate([case[2].ravel() for case in kept])
    scores = np.concatenate([case[1].astype(np.float16).ravel() for case in kept])
    return truth, scores, [case[0] != "healthy" for case in kept], [case[3] for case in kept]


def test_figures_are_those_of_scikit_learn():
    cases = list(drawn_cases())
    summary = summarise(tallied(cases), KINDS, np.random.default_rng(0), resamples=30)
    aps, aurocs = [], []
    for kind in KINDS:
        truth, scores, anomalous, sample_scores = pooled(cases, (kind, "healthy"))
        aps.append(average_precision_score(truth, scores))
        aurocs.append(roc_auc_score(anomalous, sample_scores))
        found = summary.kinds[kind]
        assert found.cases == 4
        assert found.pixel_ap.value == pytest.approx(aps[-1], abs=1e-12)
        assert found.pixel_auroc.value == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
        assert found.sample_auroc.value == pytest.approx(aurocs[-1], abs=1e-12)
    assert summary.mean_pixel_ap.value == pytest.approx(np.mean(aps), abs=1e-12)
    assert summary.mean_sample_auroc.value == pytest.approx(np.mean(aurocs), abs=1e-12)
    truth, scores, anomalous, sample_scores = pooled(cases, (*KINDS, "healthy"))
    assert summary.pooled.cases == 6
    assert summary.pooled.pixel_ap.value == pytest.approx(average_precision_score(truth, scores), abs=1e-12)
    assert summary.pooled.sample_ap.value == pytest.approx(average_precision_score(anomalous, sample_scores))
    assert summary.pooled.chance == pytest.approx(truth.mean())


def test_intervals_hold_the_estimate_and_a_seed_repeats_them():
    first, second = (summarise(tallied(drawn_cases()), KINDS, np.random.default_rng(3), resamples=50) for _ in range(2))
    assert repr(first) == repr(second)  # a NaN is no other NaN
    assert first.mean_pixel_ap.low < first.mean_pixel_ap.value < first.mean_pixel_ap.high


def test_lesions_without_healthy_cases_have_no_sample_scores():
    lesions = [("lesion", *case[1:]) for case in drawn_cases() if case[0] != "healthy"]
    summary = summarise(tallied(lesions), ["lesion"], np.random.default_rng(0), resamples=10)
    assert np.isnan([summary.mean_sample_auroc.value, summary.pooled.sample_ap.value]).all()
    assert 0 < summary.mean_pixel_ap.value < 1


def test_each_case_by_itself_and_chance_of_each_kind_are_those_of_scikit_learn():
    cases, tally = list(drawn_cases()), Tally()
    for number, case in enumerate(cases):
        tally.add(*case, name=f"{number}_{case[0]}")
    summary = summarise(tally, KINDS, np.random.default_rng(0), resamples=5)
    assert list(summary.cases) == [f"{number}_{case[0]}" for number, case in enumerate(cases) if case[0] in KINDS]
    kind, score_map, label, _ = cases[1]
    alone = summary.cases[f"1_{kind}"]
    assert alone.pixel_ap == pytest.approx(
        average_precision_score(label.ravel(), score_map.astype(np.float16).ravel()), abs=1e-12
    )
    assert alone.chance == pytest.approx(label.mean())
    truth, *_ = pooled(cases, (kind, "healthy"))
    assert summary.kinds[kind].chance == pytest.approx(truth.mean())


def test_objects_add_up_over_a_kind_and_places_are_a_mean_over_healthy_scans():
    found = {"healthy": Found(ObjectCounts(), 3), "reflection": Found(ObjectCounts(1, 2, 1))}
    tally, places = Tally(), iter((3, 6))
    for case in drawn_cases():
        one = Found(ObjectCounts(), next(places)) if case[0] == "healthy" else found.get(case[0])
        tally.add(*case, found=one)
    summary = summarise(tally, KINDS, np.random.default_rng(0), resamples=5)
    assert summary.kinds["reflection"].object_f1 == pytest.approx(2 * 2 / (2 * 2 + 4 + 2))
    assert np.isnan(summary.kinds["uniform_shift"].object_f1)  # never measured
    assert summary.false_places == 4.5
    assert np.isnan(summarise(tallied(drawn_cases()), KINDS, np.random.default_rng(0), resamples=5).false_places)


@pytest.fixture
def group():
    """A default method that is right, beside two baselines that guess."""

    def summary(cases, kinds):
        return summarise(tallied(cases), kinds, np.random.default_rng(0), resamples=10)

    right = [(kind, label.astype(np.float32), label, score) for kind, _, label, score in drawn_cases()]
    rows = {"fpi": right, "atlas": list(drawn_cases(1)), "pca": list(drawn_cases(2))}
    sets = {PUBLISHED: KINDS, HARDER: ["ring_lesion"]}
    return {name: {method: summary(cases, kinds) for method, cases in rows.items()} for name, kinds in sets.items()}


def test_the_verdict_sets_the_default_beside_the_best_baseline(group):
    found = verdict(group, "fpi")
    means = {name: group[PUBLISHED][name].mean_pixel_ap.value for name in ("atlas", "pca")}
    assert found["mean_pixel_ap"] == 1.0
    assert found["best_baseline_pixel_ap"] == max(means.values()) == means[found["best_baseline"]]
    assert (found["kinds_above_every_baseline"], found["kinds"]) == (2, 2)
    assert (found["all_kinds_above_every_baseline"], found["all_kinds"]) == (3, 3)
    missing = verdict(group, "ascnet")
    assert missing["mean_pixel_ap"] is None
    assert missing["kinds_above_every_baseline"] == 0


def test_tables_and_json_hold_every_method(group):
    title = describe("brain, 1 mm", 2, group)
    assert "2 scans" in title
    assert render_group(title, group).row_count == 6
    for render in (render_kinds, render_cases):
        table = render(title, group)
        assert [column.header for column in table.columns][1:] == ["chance", "fpi", "atlas", "pca"]
        assert table.row_count >= 3
    assert list(render_kinds(title, group).columns[2].cells) == ["1.000"] * 3
    objects = render_objects(title, group)
    assert list(objects.columns[0].cells)[-1] == "false places a healthy scan"
    assert set(objects.columns[1].cells) == {"–"}
    text = json.dumps(to_json({"brain": {"1 mm": group}}, {"seed": 0}, verdict(group, "fpi")), allow_nan=False)
    assert json.loads(text)["results"]["brain"]["1 mm"][PUBLISHED]["fpi"]["mean_pixel_ap"]["value"] == 1.0
