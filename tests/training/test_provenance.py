import hashlib
import json
import os
import sys

import pytest

from mood.installation import DISTRIBUTION, revision
from mood.regions import BRAIN
from mood.training import provenance
from mood.training.run import Schedule, train
from mood.weights.card import NOT_RECORDED, summary
from mood.weights.store import read_folder

SMALL = {"grid_shape": (28, 24, 16), "spacing_mm": (1.0, 1.0, 1.0)}


@pytest.fixture
def typed(monkeypatch):
    """The command line that is recorded."""
    monkeypatch.setattr(sys, "argv", ["/opt/venv/bin/mood", "train", "-i", "my scans", "--set", "width=2"])
    return "mood train -i 'my scans' --set width=2"


def trained(healthy, folder, **options):
    return read_folder(train(healthy, folder, "atlas", BRAIN, SMALL, Schedule(epochs=1, held_out=2), **options))


def steps(weights):
    return json.loads((weights.path / "config.json").read_text())["training"]["provenance"]


def test_training_records_command_code_versions_and_scans(healthy, tmp_path, typed):
    (step,) = steps(trained(healthy, tmp_path / "weights"))
    assert (step["step"], step["command"], step["code"]) == ("train", typed, revision())
    assert {"python", DISTRIBUTION, "numpy", "nibabel", "keras"} <= set(step["versions"])
    assert step["scans"] == 5
    lines = [
        f"{path.name} {path.stat().st_size} {hashlib.sha256(path.read_bytes()).hexdigest()}\n"
        for path in sorted(healthy.iterdir())
    ]
    assert step["scans_sha256"] == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_the_digest_knows_content_and_name_but_not_the_folder(healthy, tmp_path):
    scans = sorted(healthy.iterdir())
    before = provenance.list_digest(scans)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for scan in scans:
        (moved / scan.name).symlink_to(scan)
    assert provenance.list_digest(reversed(sorted(moved.iterdir()))) == before
    changed = bytearray(scans[0].read_bytes())
    changed[-1] ^= 1
    scans[0].write_bytes(changed)
    assert provenance.list_digest(scans) != before
    changed[-1] ^= 1
    scans[0].write_bytes(changed)
    assert provenance.list_digest(scans) == before
    assert provenance.list_digest([*scans[1:], scans[0].rename(healthy / "z.nii.gz")]) != before


def test_a_scan_that_was_left_out_is_not_in_the_list(healthy, tmp_path):
    whole = provenance.list_digest(healthy.iterdir())
    (healthy / "broken.nii.gz").write_text("no scan")
    (step,) = steps(trained(healthy, tmp_path / "weights"))
    assert (step["scans"], step["scans_sha256"]) == (5, whole)


def test_what_training_started_from_stands_before_it(healthy, tmp_path, typed):
    first = trained(healthy, tmp_path / "first")
    second = trained(healthy, tmp_path / "second", start_from=first.path)
    assert steps(second)[0] == steps(first)[0]
    assert [step["step"] for step in steps(second)] == ["train", "train"]


def test_a_further_step_stands_behind_those_before(healthy, tmp_path):
    weights = trained(healthy, tmp_path / "weights")
    more = provenance.with_step(weights, provenance.step("quantise", sorted(healthy.iterdir())[:2]))
    assert [step.step for step in provenance.steps_of(more)] == ["train", "quantise"]
    assert provenance.steps_of(more)[1].scans == 2
    assert [step.step for step in provenance.steps_of(weights, more)] == ["train", "train", "quantise"]


def test_unlabelled_scans_have_a_list_of_their_own(healthy, tmp_path):
    scans = sorted(healthy.iterdir())
    step = provenance.step("train", scans[:2], healthy)
    assert (step.scans, step.unlabelled) == (2, 5)
    assert step.unlabelled_sha256 == provenance.list_digest(scans)


@pytest.mark.parametrize(
    ("program", "named"),
    [("/a/mood/__main__.py", "mood"), ("/a/mood", "mood"), ("a/train_simple.py", "train_simple.py")],
)
def test_the_command_is_as_it_would_be_typed(monkeypatch, program, named):
    monkeypatch.setattr(sys, "argv", [os.fspath(program), "a b"])
    assert provenance.command() == f"{named} 'a b'"


def test_card_and_summary_show_it(healthy, tmp_path, typed):
    weights = trained(healthy, tmp_path / "weights")
    card = (weights.path / "card.md").read_text()
    (step,) = steps(weights)
    for shown in (typed, step["code"], step["scans_sha256"], f"numpy {step['versions']['numpy']}"):
        assert shown in card
    assert NOT_RECORDED not in card
    assert any(typed in line for line in summary(weights.config))
