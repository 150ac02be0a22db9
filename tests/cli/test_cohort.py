import csv
import json
import sys

import nibabel as nib
import numpy as np
import pytest

from mood.cli import app as cli
from mood.engines import threads
from mood.regions import BRAIN
from mood.training.run import train

ARRAY = {f"SLURM_ARRAY_TASK_{name}": value for name, value in {"ID": "8", "MIN": "7", "COUNT": "2"}.items()}


@pytest.fixture
def call(monkeypatch, capsys, caplog):
    for variable in (threads.LIMIT, *threads.VARIABLES):  # they are as before when the test ends
        monkeypatch.setenv(variable, "1")

    def call(*arguments: object) -> tuple[int, str]:
        caplog.set_level("INFO")
        caplog.clear()
        monkeypatch.setattr(sys, "argv", ["mood", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        printed = capsys.readouterr()
        return int(stopped.value.code or 0), printed.out + printed.err + caplog.text

    return call


@pytest.fixture
def predict(call, tmp_path, rng):
    """predict('--part', '1/2') scores three scans with a small atlas."""
    (tmp_path / "in").mkdir()
    for i in range(3):
        data = rng.uniform(0.1, 0.9, (24, 20, 16)).astype(np.float32)
        nib.save(nib.Nifti1Image(data, np.eye(4)), tmp_path / "in" / f"h{i}.nii.gz")
    settings = {"grid_shape": (24, 20, 16), "spacing_mm": (1.0, 1.0, 1.0)}
    weights = train(tmp_path / "in", tmp_path / "weights", "atlas", BRAIN, settings)
    folders = ["-i", tmp_path / "in", "-o", tmp_path / "out", "-r", "brain", "-m", "atlas", "--weights", weights]
    return lambda *more: call("predict", *folders, *more)


def test_parts_are_scored_and_collected(call, predict, tmp_path, monkeypatch):
    status, text = predict("--part", "1/2", "--threads", "1")
    assert status == 0
    assert "part 1/2 of the scans, named by --part" in text
    assert "computing on 1 threads" in text
    assert "2 of 2 scans scored" in text.replace("\n", " ")
    status, text = call("collect", tmp_path / "out")
    assert status == 1
    assert "h1 MISSING" in text
    for name, value in ARRAY.items():
        monkeypatch.setenv(name, value)
    status, text = predict("--threads", "1")
    assert "part 2/2 of the scans, named by SLURM_ARRAY_TASK_ID" in text
    status, text = call("collect", tmp_path / "out", "--json")
    assert status == 0
    assert '"scan": "h1"' in text
    rows = list(csv.DictReader((tmp_path / "out" / "scores.csv").read_text().splitlines()))
    assert [(row["scan"], row["status"]) for row in rows] == [(f"h{i}", "done") for i in range(3)]
    assert json.loads((tmp_path / "out" / "run.json").read_text())["finished"]


def test_the_challenge_is_never_scored_in_parts(predict, tmp_path, monkeypatch):
    for name, value in ARRAY.items():
        monkeypatch.setenv(name, value)
    assert predict("--challenge")[0] == 0
    assert len(list((tmp_path / "out").glob("h*.nii.gz"))) == 3
    status, text = predict("--challenge", "--part", "1/2")
    assert (status, "not scored in parts" in text) == (2, True)


@pytest.mark.parametrize(
    "more", [("--part", "4/3"), ("--part", "x"), ("--part", "1/2", "--report"), ("--threads", "0")]
)
def test_what_cannot_be_meant_is_refused_before_anything_is_written(predict, tmp_path, more):
    status, _ = predict(*more)
    assert status == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--part", "1/2"), "--part is no option of an array"),
        (("--bids-out", "x"), "Leave it out; mood predict with it, when the array has ended"),
        (("--region", "leg"), "unknown region 'leg'"),
        (("--typo",), "--typo"),
        (("--container", "nowhere.sif"), "no such image"),
    ],
)
def test_what_an_array_cannot_do_is_said_before_it_is_submitted(call, tmp_path, more, words):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.nii.gz").touch()
    asked = ["-i", tmp_path / "in", "-o", tmp_path / "out", *(() if "--region" in more else ("-r", "brain"))]
    status, text = call("cluster", "slurm", *asked, *more)
    assert (status, words in text) == (2, True), text
    assert not (tmp_path / "out").exists()


def test_a_dry_run_prints_what_would_be_submitted(call, tmp_path):
    (tmp_path / "in").mkdir()
    for i in range(5):
        (tmp_path / "in" / f"s{i}.nii.gz").touch()
    asked = ["-i", tmp_path / "in", "-o", tmp_path / "out", "-r", "brain", "--mode", "sample", "--scans-per-task", "2"]
    status, text = call("cluster", "slurm", *asked, "--account", "lab", "--dry-run")
    assert status == 0
    assert "-r brain --mode sample --part" in text
    assert "#SBATCH --account=lab" in text
    assert f"sbatch --parsable --array=0-2%50 {tmp_path}/out/slurm/parts.sh 0" in text
    assert not (tmp_path / "out").exists()
