"""A training that is killed, damaged, started twice or given other scans. The atlas needs no network: it is fast."""

import csv
import json
import os
import signal
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest

from mood.errors import OutputError, TrainingError, UsageError
from mood.methods.baselines.atlas import Atlas
from mood.regions import BRAIN
from mood.training import checkpoints, loop, run
from mood.training.checkpoints import before
from mood.training.record import TrainingRecord
from mood.training.run import Schedule, train
from mood.weights.store import read_folder

SMALL = {"grid_shape": (32, 32, 16), "spacing_mm": (1.0, 1.0, 1.0)}
STATE, BEST = loop.STATE, loop.BEST
MOMENTS = range(0, 36, 3)  # at which a training is killed, of those at which it flushes a file


class Passes(Atlas):
    """An atlas that takes as many passes as the schedule has."""

    @property
    def finished(self):
        return False


@pytest.fixture(autouse=True)
def _atlas_with_many_states(monkeypatch):
    monkeypatch.setattr("mood.training.new_method.method_type", lambda name: Passes)
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_STATES", -1.0)


def trained(healthy, folder, epochs=2, **schedule):
    return train(healthy, folder, "atlas", BRAIN, SMALL, Schedule(**{"epochs": epochs, "check_every": 1} | schedule))


def steps(folder):
    return [row["step"] for row in csv.DictReader((folder / "log.csv").read_text().splitlines())]


def replace_scan(healthy, name):
    data = np.zeros((28, 24, 16), np.float32)
    data[5:20, 6:18, 2:12] = np.random.default_rng(9).uniform(0.3, 0.9, (15, 12, 10))
    nib.save(nib.Nifti1Image(data, np.eye(4)), healthy / name)


@pytest.mark.parametrize("name", [STATE, BEST])
@pytest.mark.parametrize("content", ["cut", "flipped", "empty"])
def test_fault_29_a_damaged_checkpoint_is_named_and_training_ends(healthy, tmp_path, name, content, caplog):
    trained(healthy, tmp_path, epochs=2, held_out=2)
    whole = (tmp_path / name).read_bytes()
    flipped = whole[:900] + bytes(50) + whole[950:]
    (tmp_path / name).write_bytes({"cut": whole[: len(whole) // 2], "flipped": flipped, "empty": b""}[content])
    (tmp_path / "config.json").unlink()
    trained(healthy, tmp_path, epochs=3, held_out=2)
    assert f"{name} is damaged or cut off; the one before it is used" in caplog.text
    assert read_folder(tmp_path).config.training.steps >= 5
    assert steps(tmp_path) == sorted(set(steps(tmp_path)), key=int)


def test_without_any_whole_state_training_begins_anew_and_says_so(healthy, tmp_path, caplog):
    trained(healthy, tmp_path, held_out=0)
    for path in (tmp_path / STATE, before(tmp_path / STATE)):
        path.write_bytes(b"")
    trained(healthy, tmp_path, held_out=0)
    assert "training begins anew" in caplog.text
    assert read_folder(tmp_path).config.training.steps == 10


def test_fault_02_and_03_killed_at_any_write_the_same_command_finishes(healthy, tmp_path, killed_at):
    whole = read_folder(trained(healthy, tmp_path / "whole", epochs=1, held_out=2)).config
    for moment in MOMENTS:
        folder = tmp_path / str(moment)
        code = killed_at(moment, lambda folder=folder: trained(healthy, folder, epochs=1, held_out=2))
        assert code == -signal.SIGKILL, moment
        config = read_folder(trained(healthy, folder, epochs=1, held_out=2)).config
        assert config.training.held_out_scans == whole.training.held_out_scans
        assert not list(folder.glob("**/.partial*"))
        assert not (folder / run.LOCK).exists()


def test_fault_15_scans_that_changed_end_a_training_that_has_begun(healthy, tmp_path):
    folder = tmp_path / "w"
    trained(healthy, folder)
    replace_scan(healthy, "s1.nii.gz")
    replace_scan(healthy, "new.nii.gz")
    (healthy / "s4.nii.gz").unlink()
    with pytest.raises(UsageError, match=r"1 added \(new\.nii\.gz\); 1 removed \(s4.*\); 1 replaced \(s1\.nii\.gz\)"):
        trained(healthy, folder, epochs=4)


def test_unlabelled_scans_that_come_later_are_a_change(healthy, tmp_path):
    record = TrainingRecord(tmp_path, {}, {"scans": sorted(healthy.iterdir())})
    assert record.changes() == ""
    record.write(with_hashes=False)
    again = TrainingRecord(tmp_path, {}, {"scans": record.scans["scans"], "unlabelled": record.scans["scans"][:1]})
    assert again.changes() == "1 added (s0.nii.gz)"


def test_the_digest_of_the_scans_knows_contents_and_not_dates(healthy, tmp_path):
    def digest(folder):
        folder.mkdir()
        TrainingRecord(folder, {}, {"scans": sorted(healthy.iterdir())}).write(with_hashes=True)
        return json.loads((folder / "training.json").read_text())["scans_sha256"]

    first = digest(tmp_path / "1")
    os.utime(healthy / "s1.nii.gz", (0, 0))
    assert digest(tmp_path / "2") == first
    replace_scan(healthy, "s1.nii.gz")
    assert digest(tmp_path / "3") != first


def test_row_d4_a_scan_in_metres_is_prepared_as_the_one_in_millimetres(healthy, tmp_path):
    prepared = {}
    for name, scale in (("mm", 1.0), ("metres", 1e-3)):
        for path in healthy.iterdir():
            image = nib.load(path)
            changed = nib.Nifti1Image(np.asarray(image.dataobj), np.diag([scale, scale, scale, 1]))
            (tmp_path / name).mkdir(exist_ok=True)
            nib.save(changed, tmp_path / name / path.name)
        trained(tmp_path / name, tmp_path / f"w-{name}", epochs=1, held_out=0)
        prepared[name] = {path.name: np.load(path) for path in (tmp_path / f"w-{name}" / "scans").glob("*.npy")}
    assert prepared["mm"]
    for name, data in prepared["mm"].items():
        assert data.any()
        np.testing.assert_array_equal(prepared["metres"][name], data)


def test_scans_that_were_copied_are_the_same(healthy, tmp_path):
    trained(healthy, tmp_path / "w")
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in healthy.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    assert read_folder(trained(copy, tmp_path / "w", epochs=3)).config.training.epochs == 3


def test_scans_that_changed_before_training_are_prepared_anew(healthy, tmp_path, caplog, monkeypatch):
    folder = tmp_path / "w"

    def interrupt(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(loop.Run, "go", interrupt)
        with pytest.raises(KeyboardInterrupt):
            trained(healthy, folder)
    before_change = {path.name: path.read_bytes() for path in (folder / "scans").iterdir()}
    replace_scan(healthy, "s1.nii.gz")
    trained(healthy, folder)
    assert "1 replaced (s1.nii.gz)" in caplog.text
    after = {path.name: path.read_bytes() for path in (folder / "scans").iterdir()}
    assert {name for name in after if after[name] != before_change[name]} == {"s1.npy"}


@pytest.mark.parametrize("content", [b"", b"no array", None])
def test_fault_29_a_damaged_prepared_scan_is_made_again(healthy, tmp_path, content, caplog):
    trained(healthy, tmp_path / "w")
    path = tmp_path / "w" / "scans" / "s2.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    trained(healthy, tmp_path / "w", epochs=3)
    assert path.read_bytes() == whole
    assert "s2.npy is damaged" in caplog.text


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"about": 1, "scans": 2}'])
def test_fault_29_a_damaged_training_record_is_said_and_what_to_do_helps(healthy, tmp_path, content):
    trained(healthy, tmp_path / "w")
    record = tmp_path / "w" / "training.json"
    record.write_bytes(content)
    with pytest.raises(UsageError, match=r"(?s)record of the training is damaged.*Remove it to go on"):
        trained(healthy, tmp_path / "w", epochs=3)
    record.unlink()
    assert read_folder(trained(healthy, tmp_path / "w", epochs=3)).config.training.epochs == 3


def test_a_prediction_record_beside_a_training_is_none_of_its_business(healthy, tmp_path):
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "run.json").write_text('{"about": {}, "scans": []}')
    trained(healthy, tmp_path / "w")
    assert json.loads((tmp_path / "w" / "run.json").read_text()) == {"about": {}, "scans": []}


def test_fault_29_a_second_training_in_the_folder_is_refused_while_the_first_goes_on(healthy, tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from mood.atomic import locked\n"
        "with locked(Path(sys.argv[1])): print('on', flush=True); time.sleep(600)"
    )
    (tmp_path / "w").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "w" / run.LOCK)], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline()
        with pytest.raises(UsageError, match=f"another process is at work.*process {other.pid} on"):
            trained(healthy, tmp_path / "w")
        other.send_signal(signal.SIGKILL)
    trained(healthy, tmp_path / "w")
    assert not (tmp_path / "w" / run.LOCK).exists()


def test_fault_29_a_full_disk_is_said_and_training_goes_on_later(healthy, tmp_path, small_disk, monkeypatch):
    save = checkpoints.save

    def fills(path, write, facts):
        with small_disk(3000 if facts.get("step", 0) >= 7 else 10**9):
            save(path, write, facts)

    monkeypatch.setattr(checkpoints, "save", fills)
    with pytest.raises(OutputError, match=r"File too large.*state\.weights\.h5"):
        trained(healthy, tmp_path / "w", held_out=0)
    monkeypatch.setattr(checkpoints, "save", save)
    assert checkpoints.newest(tmp_path / "w" / STATE).facts["step"] == 6
    assert read_folder(trained(healthy, tmp_path / "w", epochs=3, held_out=0)).config.training.steps == 11


class Diverging(Passes):
    """What a learning rate of 1e30 does, at once or after a while, seen in the loss or in the maps only."""

    begins, seen_in = 1, "loss"

    def train_epoch(self, scans, rng):
        for step, losses in enumerate(super().train_epoch(scans, rng), start=1):
            if step >= self.begins and self.seen_in == "loss":
                losses = {"loss": float("nan")}
            if step >= self.begins and self.seen_in == "maps":
                self.mean = np.full_like(self.mean, np.nan)
            yield losses


@pytest.mark.parametrize("seen_in", ["loss", "maps"])
@pytest.mark.parametrize("begins", [1, 3])
@pytest.mark.parametrize("held_out", [0, 2])
def test_fault_29_a_training_that_diverges_says_so(healthy, tmp_path, monkeypatch, seen_in, begins, held_out):
    monkeypatch.setattr("mood.training.new_method.method_type", lambda name: Diverging)
    monkeypatch.setattr(Diverging, "begins", begins)
    monkeypatch.setattr(Diverging, "seen_in", seen_in)
    with pytest.raises(TrainingError, match=r"(?s)diverged.*lower learning rate"):
        trained(healthy, tmp_path / "w", held_out=held_out)
    kept = begins == 3 and (seen_in == "loss" or held_out == 2)
    assert (tmp_path / "w" / "config.json").exists() == kept
