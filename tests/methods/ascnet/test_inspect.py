import sys

import pytest

from mood.cli import app as cli
from mood.errors import UsageError
from mood.methods import load_method
from mood.methods.ascnet.inspect import inspect_scans
from mood.regions import BRAIN
from mood.training.run import Schedule, train
from mood.weights.store import read_folder

# Without graphs Keras remarks on a network of one input that is given as a list.
pytestmark = [
    pytest.mark.usefixtures("eager"),
    pytest.mark.filterwarnings("ignore:The structure of `inputs` doesn't match:UserWarning"),
]
SMALL = {"grid_shape": (32, 32, 16), "spacing_mm": (1.0, 1.0, 1.0), "width": 1, "batch_size": 8, "phase_steps": 3}


def call(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["mood", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)


def test_training_with_unlabelled_scans_and_a_panel_of_the_result(healthy, tmp_path, monkeypatch, capsys):
    folder = train(healthy, tmp_path / "w", "ascnet", BRAIN, SMALL, Schedule(epochs=1, held_out=1), unlabelled=healthy)
    assert read_folder(folder).method == "ascnet"
    assert list(folder.glob("check-*.png"))
    assert len(list((folder / "unlabelled").glob("*.npy"))) == 5
    panel = tmp_path / "panel.png"
    options = ["-i", healthy, "-o", panel, "-r", "brain", "--weights", folder]
    assert call(monkeypatch, "inspect", *options, "--threshold", 0.7) == 0
    assert "0.700" in capsys.readouterr().out
    assert panel.read_bytes().startswith(b"\x89PNG")
    assert call(monkeypatch, "inspect", *options, "--threshold", 2) == 2


def test_methods_without_cuts_have_no_panel(healthy, tmp_path):
    small = {key: SMALL[key] for key in ("grid_shape", "spacing_mm")}
    folder = train(healthy, tmp_path / "w", "atlas", BRAIN, small)
    with pytest.raises(UsageError, match="makes no cuts"):
        inspect_scans([], load_method(read_folder(folder)), tmp_path / "panel.png")


def test_packing_from_the_command_line(healthy, tmp_path, monkeypatch, capsys):
    assert call(monkeypatch, "pack", "-i", healthy, "-o", tmp_path / "arrays", "-r", "brain", "--side", 32) == 0
    assert "reference" in capsys.readouterr().out
    assert call(monkeypatch, "pack", "-i", healthy, "-o", tmp_path / "arrays", "-r", "brain", "--side", 30) == 2
