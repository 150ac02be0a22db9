"""The three command lines of FPI's authors, in the order their users run them."""

import runpy
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mood.regions import BRAIN
from mood.synthesis.toy import make_cases
from mood.training.run import Schedule, train
from mood.volume import find_scans, load, scan_name

SCRIPTS = Path(__file__).parent.parent / "scripts"
SMALL = {"grid_shape": (32, 32, 16), "spacing_mm": (1.0, 1.0, 1.0), "width": 1, "batch_size": 8}


@pytest.fixture
def script(monkeypatch, capsys):
    """script('pred_simple', *arguments) runs it as a program: exit status and what it printed."""

    def script(name: str, *arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(str(SCRIPTS / f"{name}.py"), run_name="__main__")
        printed = capsys.readouterr()
        return int(stopped.value.code or 0), printed.out + printed.err

    return script


def test_placed_weights_predict_and_are_scored(script, healthy, tmp_path, monkeypatch):
    train(healthy, tmp_path / "restore_dir" / "brain", "fpi", BRAIN, SMALL, Schedule(steps=1, held_out=1))
    scans = ((scan_name(path), load(path)) for path in find_scans(healthy))
    make_cases(scans, tmp_path, BRAIN, np.random.default_rng(0), kinds=("healthy", "uniform_addition"))
    monkeypatch.chdir(tmp_path)
    for mode in ("sample", "pixel"):
        status, text = script("pred_simple", "-i", "brain/toy", "-o", "out", "-m", mode, "-d", "brain")
        assert status == 0, text
        status, text = script("eval_simple", "-l", f"brain/toy_label/{mode}", "-o", "out", "-mode", mode, "-d", "brain")
        assert status == 0, text
        assert "average precision" in text
    assert nib.load("out/s0_healthy.nii.gz").shape == (28, 24, 16)


def test_training_takes_the_published_settings(script, tmp_path):
    (tmp_path / "void").mkdir()
    status, text = script("train_simple", "-i", tmp_path / "void", "-o", tmp_path / "w", "-d", "brain")
    assert status == 3
    assert "holds no .nii" in text


@pytest.mark.parametrize("name", ["train_simple", "pred_simple", "eval_simple"])
def test_an_unknown_region_is_refused(script, name):
    status, text = script(name, "-i", "a", "-l", "a", "-o", "b", "-m", "sample", "-d", "leg")
    assert status == 2
    assert "leg" in text or "unrecognized" in text
