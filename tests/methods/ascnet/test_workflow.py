import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mood.errors import NoInputError, TrainingError, UsageError
from mood.methods.ascnet.adversarial import rebuilt
from mood.methods.ascnet.arrays import INPUTS, MASKS, REFERENCE
from mood.methods.ascnet.intruders import with_intruders
from mood.methods.ascnet.workflow import (
    COMPLETE,
    DISCRIMINATOR,
    GENERATOR,
    continue_training,
    create_networks,
    load_networks,
)

SCRIPTS = Path(__file__).parents[3] / "scripts"
SMALL = {
    "width": 8,
    "momentum": 0.9,
    "learning_rate": 2e-3,
    "discriminator_learning_rate": 1e-4,
    "adversarial_weight": 0.003,
    "phase_steps": 20,
    "stable_checks": 4,
    "most_rounds": 60,
}
TINY = SMALL | {"width": 1, "batch_size": 4, "phase_steps": 2, "most_rounds": 2}


def ellipses(count, rng, side=32):
    """(count, side, side): one grey ellipse each, slightly noisy, on a background of 0."""
    rows, columns = np.mgrid[:side, :side]
    images = np.zeros((count, side, side), np.float32)
    for image in images:
        (row, column), (a, b) = rng.uniform(13, 19, 2), rng.uniform(9, 13, 2)
        inside = ((rows - row) / a) ** 2 + ((columns - column) / b) ** 2 < 1
        image[inside] = np.clip(0.55 + 0.04 * rng.standard_normal(inside.sum()), 0, 1)
    return images


def write_arrays(folder, count, rng):
    folder.mkdir()
    inputs, masks = with_intruders(ellipses(count, rng), rng)
    for name, images in ((REFERENCE, ellipses(count, rng)), (INPUTS, inputs), (MASKS, masks.astype(np.uint8))):
        np.save(folder / name, images[..., None])
    return folder


def dice(found, true):
    return 2 * (found & true).sum() / (found.sum() + true.sum())


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_stages_end_by_themselves_and_segment_bright_and_dark_intruders(tmp_path, rng):
    data = write_arrays(tmp_path / "data", 320, rng)
    create_networks(tmp_path / "networks", (32, 32), SMALL)
    for stage in (1, 2):
        assert continue_training(data, tmp_path / "networks", stage).split
    rounds = list(csv.DictReader((tmp_path / "networks" / "rounds.csv").read_text().splitlines()))
    assert len(rounds) < 2 * SMALL["most_rounds"]
    method = load_networks(tmp_path / "networks")
    images, label = with_intruders(ellipses(100, rng), rng)
    found = method.levels.mask(rebuilt(method.network, images[..., None])[2])
    assert dice(found, label) > 0.6
    bright = label & (images > 0.7)
    dark = label & (images < 0.35)
    assert found[bright].mean() > 0.6
    assert found[dark].mean() > 0.6


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_arrays(tmp_path_factory.mktemp("arrays") / "data", 12, np.random.default_rng(1))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """Networks after stage 1, and the losses of its steps."""
    networks, steps = tmp_path_factory.mktemp("trained") / "networks", []
    create_networks(networks, (32, 32), TINY)
    assert {path.name for path in networks.iterdir()} == {GENERATOR, DISCRIMINATOR, COMPLETE, "settings.json"}
    with pytest.raises(UsageError, match="stage 1 has not ended"):
        continue_training(data, networks, 2)
    continue_training(data, networks, 1, pictured=2, on_step=steps.append)
    return networks, steps


def test_a_stage_writes_networks_pictures_and_a_table(trained, data):
    networks, steps = trained
    assert sum("checked" in step for step in steps) == 2
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


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_an_interrupted_stage_goes_on_as_if_nothing_had_happened(trained, data, tmp_path):
    seen = []

    def interrupt(losses):
        if any("checked" in step for step in seen):
            raise KeyboardInterrupt
        seen.append(losses)

    create_networks(tmp_path / "n", (32, 32), TINY)
    with pytest.raises(KeyboardInterrupt):
        continue_training(data, tmp_path / "n", 1, on_step=interrupt)
    resumed = []
    continue_training(data, tmp_path / "n", 1, on_step=resumed.append)
    _, steps = trained
    second_round = steps[len(seen) :]
    assert len(resumed) == len(second_round)
    for one, other in zip(resumed, second_round, strict=True):
        assert one == pytest.approx(other, rel=1e-3)


def test_diverging_training_keeps_the_last_networks(data, tmp_path, monkeypatch):
    create_networks(tmp_path / "n", (32, 32), TINY)
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


def test_the_scripts_run_in_order(data, trained, tmp_path):
    pairs = [f"{name}={json.dumps(value)}" for name, value in TINY.items()]
    steps = [
        ["create_networks.py", tmp_path / "n", 32, 32, *pairs, "seed=3"],
        ["continue_training_stage_1.py", data, trained[0]],
        ["continue_training_stage_2.py", data, tmp_path / "none"],
    ]
    done = [
        subprocess.run([sys.executable, SCRIPTS / step[0], *map(str, step[1:])], capture_output=True, text=True)
        for step in steps
    ]
    assert [each.returncode for each in done] == [0, 0, 3], done
    assert load_networks(tmp_path / "n").rounds.done == 0
    assert "stage 1 has ended" in done[1].stdout
    assert "Run create_networks.py first" in done[2].stderr


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
