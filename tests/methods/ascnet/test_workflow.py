import csv
import json
import runpy
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mood.errors import NoInputError, TrainingError, UsageError
from mood.methods.ascnet.workflow import (
    COMPLETE,
    DISCRIMINATOR,
    GENERATOR,
    continue_training,
    create_networks,
    load_networks,
)
from tests.methods.ascnet.ellipses import write_arrays

SCRIPTS = Path(__file__).parents[3] / "scripts"
# Without graphs Keras remarks on a network of one input that is given as a list. With them: test_convergence.py.
pytestmark = [
    pytest.mark.usefixtures("eager"),
    pytest.mark.filterwarnings("ignore:The structure of `inputs` doesn't match:UserWarning"),
]
TINY = {"width": 1, "batch_size": 4, "phase_steps": 2, "most_rounds": 2, "momentum": 0.9, "learning_rate": 2e-3}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_arrays(tmp_path_factory.mktemp("arrays") / "data", 12, np.random.default_rng(1))


@pytest.fixture(scope="module")
def created(eager, tmp_path_factory):
    """New networks."""
    networks = tmp_path_factory.mktemp("created") / "networks"
    create_networks(networks, (32, 32), TINY)
    assert {path.name for path in networks.iterdir()} == {GENERATOR, DISCRIMINATOR, COMPLETE, "settings.json"}
    return networks


@dataclass
class Trained:
    """Networks after stage 1, the losses of its steps, and what lay in the folder when its second round began."""

    networks: Path
    steps: list[dict]
    first_round: list[dict]
    interrupted: Path


@pytest.fixture(scope="module")
def trained(created, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    networks = Path(shutil.copytree(created, folder / "networks"))
    done = Trained(networks, [], [], folder / "interrupted")

    def keep(losses):
        if any("checked" in step for step in done.steps) and not done.first_round:
            done.first_round = done.steps[:]
            shutil.copytree(networks, done.interrupted)
        done.steps.append(losses)

    with pytest.raises(UsageError, match="stage 1 has not ended"):
        continue_training(data, networks, 2)
    continue_training(data, networks, 1, pictured=2, on_step=keep)
    return done


def test_a_stage_writes_networks_pictures_and_a_table(trained, data):
    networks = trained.networks
    assert sum("checked" in step for step in trained.steps) == 2
    before = (networks / COMPLETE).read_bytes()
    continue_training(data, networks, 1)
    assert (networks / COMPLETE).read_bytes() == before
    for name in ("ID1", "ID2", "ID3"):
        assert [path.name for path in sorted((networks / name).iterdir())] == ["000000.png", "000001.png"]
    assert len(list(networks.glob("stage-1-round-*.png"))) == 2
    rows = list(csv.DictReader((networks / "rounds.csv").read_text().splitlines()))
    assert [row["round"] for row in rows] == ["1", "2"]
    assert 0 <= float(rows[-1]["dice"]) <= 1
    assert float(rows[-1]["reconstruction"]) > 0


def test_an_interrupted_stage_goes_on_as_if_nothing_had_happened(trained, data):
    resumed = []
    continue_training(data, trained.interrupted, 1, on_step=resumed.append)
    second_round = trained.steps[len(trained.first_round) :]
    assert len(resumed) == len(second_round) == len(trained.first_round)
    for one, other in zip(resumed, second_round, strict=True):
        assert one == pytest.approx(other, rel=1e-3)


def test_diverging_training_keeps_the_last_networks(data, created, tmp_path, monkeypatch):
    shutil.copytree(created, tmp_path / "n")
    before = (tmp_path / "n" / COMPLETE).read_bytes()
    nothing = lambda *_: lambda count, rng: np.full((count, 32, 32, 1), np.nan, np.float32)  # noqa: E731
    monkeypatch.setattr("mood.methods.ascnet.workflow.draw_from", nothing)
    with pytest.raises(TrainingError, match="not a number"):
        continue_training(data, tmp_path / "n", 1)
    assert (tmp_path / "n" / COMPLETE).read_bytes() == before


def test_bad_input_is_refused_before_training(data, tmp_path):
    with pytest.raises(NoInputError, match="create_networks"):
        continue_training(data, tmp_path / "none", 1)
    with pytest.raises(UsageError, match="multiples of 16"):
        create_networks(tmp_path / "n", (30, 32))
    with pytest.raises(UsageError, match="no setting is called colour"):
        create_networks(tmp_path / "n", (32, 32), {"colour": 1})
    create_networks(tmp_path / "n", (48, 32), TINY)
    with pytest.raises(UsageError, match="holds networks already"):
        create_networks(tmp_path / "n", (48, 32), TINY)
    with pytest.raises(UsageError, match=r"\[48, 32\] and the arrays hold \[32, 32\]"):
        continue_training(data, tmp_path / "n", 1)


def test_the_scripts_run_in_order(data, trained, tmp_path, monkeypatch, capsys):
    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        try:
            runpy.run_path(str(SCRIPTS / name), run_name="__main__")
        except SystemExit as stopped:
            return stopped.code
        return 0

    pairs = [f"{name}={json.dumps(value)}" for name, value in TINY.items()]
    assert run("create_networks.py", tmp_path / "n", 32, 32, *pairs, "seed=3") == 0
    assert load_networks(tmp_path / "n").rounds.done == 0
    assert run("continue_training_stage_1.py", data, trained.networks) == 0
    assert "stage 1 has ended" in capsys.readouterr().out
    assert run("continue_training_stage_2.py", data, tmp_path / "none") == 3
    assert "Run create_networks.py first" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "{", "[]", '{"settings": {}}'])
def test_damaged_settings_of_networks_are_said(tmp_path, content):
    (tmp_path / "settings.json").write_text(content)
    with pytest.raises(UsageError, match=r"settings are damaged.*settings\.json"):
        load_networks(tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"no HDF5" * 100])
def test_damaged_or_missing_networks_are_said(tmp_path, content):
    (tmp_path / "settings.json").write_text('{"settings": {"width": 2}, "side": [16, 16], "seed": 0}')
    if content is not None:
        (tmp_path / COMPLETE).write_bytes(content)
    with pytest.raises(UsageError, match="damaged or missing"):
        load_networks(tmp_path)
