"""The script end to end on a data folder of toy scans, with baselines that need no network."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from mood.benchmark.baselines import methods_with_weights, trained_baseline
from mood.benchmark.command import options
from mood.benchmark.foreign import FOREIGN_PATCH
from mood.benchmark.group import Plan, ScanPool, cases_of, tasks_of
from mood.benchmark.manifest import TRAIN, read_manifest
from mood.evaluation.folder import evaluate_folder
from mood.methods.baselines.atlas import Atlas, AtlasSettings
from mood.methods.baselines.pca import Pca, PcaSettings
from mood.regions import BRAIN

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_detection.py"
GRID = ((28, 24, 20), (1.0, 1.0, 1.0), 2)


@pytest.fixture(autouse=True)
def small_grids(monkeypatch):
    monkeypatch.setattr(Atlas, "default_settings", classmethod(lambda cls, region: AtlasSettings(*GRID)))
    monkeypatch.setattr(Pca, "default_settings", classmethod(lambda cls, region: PcaSettings(*GRID, components=2)))
    monkeypatch.setattr("mood.benchmark.group.thread_count", lambda: 1)  # other processes would have the usual grids


def test_tables_pictures_predictions_and_a_last_line_of_json(data, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    arguments = ["--data", data, "--quick", "--region", "brain", "--methods", "atlas", "pca", "--cache", out / "cache"]
    arguments += ["--json", out / "a.json", "--pictures", out / "png", "--predictions", out / "kept"]
    arguments += ["--resamples", 10, "--groups", "1 mm", "2 mm", "other sites", "lesions"]
    monkeypatch.setattr(sys, "argv", ["bench_detection.py", *map(str, arguments)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    printed = capsys.readouterr().out
    last = json.loads(printed.splitlines()[-1])
    assert last["group"] == "brain, 1 mm"
    assert 0 < last["best_baseline_pixel_ap"] < 1
    assert last["mean_pixel_ap"] is None  # the default method was not asked for
    for text in ("brain, 2 mm", "brain, other sites", "brain, lesions", "uniform_addition", "ring_lesion", "g_lesion"):
        assert text in printed
    found = json.loads((out / "a.json").read_text())["results"]["brain"]
    assert set(found) == {"1 mm", "2 mm", "other sites", "lesions"}
    assert {path.name for path in (out / "png").iterdir()} == {
        "brain-1-mm.png", "brain-2-mm.png", "brain-other-sites.png", "brain-lesions.png"
    }  # fmt: skip
    assert_counted_again(out / "kept" / "brain", found["2 mm"]["published"]["atlas"])


def assert_counted_again(folder: Path, summary: dict) -> None:
    """`mood evaluate` on the kept files of one group gives the figures that were counted in memory."""
    for path in (folder / "toy_label").rglob("*"):
        if path.is_file() and (not path.name.startswith("e_") or any(h in path.name for h in ("lesion", "mass"))):
            path.unlink()
    again = evaluate_folder(folder / "toy_label", folder / "atlas", "sample", np.random.default_rng(0), resamples=10)
    assert again.average_precision.value == pytest.approx(summary["pooled"]["sample_ap"]["value"], abs=1e-6)
    again = evaluate_folder(folder / "toy_label", folder / "atlas", "pixel", np.random.default_rng(0), resamples=10)
    assert again.average_precision.value == pytest.approx(
        summary["pooled"]["pixel_ap"]["value"], rel=5e-2
    )  # near chance, where maps in steps of 2^-15 tie


def test_a_group_of_several_scans_has_patches_of_one_in_another(data):
    entries = [entry for entry in read_manifest(data) if entry.use == TRAIN]
    tasks = tasks_of("1 mm", entries, 4)
    cases = [case for task in tasks for case in cases_of(task, BRAIN, 0)]
    assert len(tasks) == 2 * 3
    foreign = [case.name for case in cases if case.kind == FOREIGN_PATCH]
    assert sorted(foreign) == [f"{name}_{repeat}_{FOREIGN_PATCH}" for name in "abc" for repeat in (0, 1)]
    assert len({case.name for case in cases}) == len(cases) == 3 * (1 + 2 * 9)
    alone = [case.kind for task in tasks_of("1 mm", entries[:1], 1) for case in cases_of(task, BRAIN, 0)]
    assert FOREIGN_PATCH not in alone
    assert len(alone) == 1 + 8


def test_scans_that_are_shared_out_come_to_the_same_figures(data, tmp_path, monkeypatch):
    entries = read_manifest(data)
    training = [entry for entry in entries if entry.use == TRAIN]
    trained_baseline("atlas", BRAIN, training, 1, tmp_path)
    [weights] = tmp_path.glob("atlas-brain-*")
    asked = options(["--data", str(data), "--methods", "mix3d", "--weights", str(weights)])  # mix3d has none
    plan = Plan(scans=2, cases=1, training_scans=3, steps=1, resamples=5)
    found = []
    for processes in (1, 2):
        monkeypatch.setattr("mood.benchmark.group.thread_count", lambda count=processes: count)
        with ScanPool(BRAIN, entries, asked, plan) as pool:
            found.append(pool.tallies("1 mm", training[:2])[weights.name])
    alone, shared = found
    assert alone.names == shared.names
    assert len(alone.names) == 2 * (1 + 9)
    assert alone.kinds == shared.kinds
    np.testing.assert_allclose(shared.sample_scores, alone.sample_scores, atol=1e-6)
    for one, other in zip(alone.counts, shared.counts, strict=True):
        assert one.positives.sum() == other.positives.sum()


def test_a_baseline_is_trained_once(data, tmp_path, monkeypatch):
    entries = [entry for entry in read_manifest(data) if entry.use == TRAIN]
    first = trained_baseline("atlas", BRAIN, entries, 1, tmp_path)
    assert [path.name for path in next(tmp_path.glob("atlas-brain-*")).glob("s*")] == ["state.weights.h5"]
    monkeypatch.setattr("mood.benchmark.baselines.train", None)
    again = trained_baseline("atlas", BRAIN, entries, 1, tmp_path)
    np.testing.assert_array_equal(first.mean, again.mean)
    with pytest.raises(TypeError):  # other scans are another training
        trained_baseline("atlas", BRAIN, entries[:2], 1, tmp_path)


def test_methods_without_weights_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr("mood.weights.store.PACKAGED", tmp_path)
    assert methods_with_weights(BRAIN, ["fpi", "ascnet", "atlas"]) == {}
