"""ASC-Net's two stages in compiled graphs, as users run them, to their end."""

import csv

import pytest

from mood.methods.ascnet import workflow
from mood.methods.ascnet.adversarial import rebuilt
from mood.methods.ascnet.intruders import with_intruders
from mood.methods.ascnet.workflow import continue_training, create_networks, load_networks
from tests.methods.ascnet.ellipses import ellipses, write_arrays

SMALL = {
    "width": 8,
    "momentum": 0.9,
    "learning_rate": 6e-3,
    "discriminator_learning_rate": 1e-4,
    "adversarial_weight": 0.003,
    "phase_steps": 20,
    "stable_checks": 3,
    "most_rounds": 60,
}


@pytest.fixture
def kept_once_a_stage(monkeypatch):
    """Networks and pictures are not written after each round, which takes as long as the round does."""
    save = workflow._save
    monkeypatch.setattr(workflow, "_save", lambda method, folder: method.rounds.done or save(method, folder))
    monkeypatch.setattr(workflow.AscNet, "draw_check", lambda *_: None)


def dice(found, true):
    return 2 * (found & true).sum() / (found.sum() + true.sum())


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_stages_end_by_themselves_and_segment_bright_and_dark_intruders(tmp_path, rng, kept_once_a_stage):
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
