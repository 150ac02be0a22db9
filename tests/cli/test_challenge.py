"""What becomes of scans when the process that scores them dies, hangs or cannot start; a stand-in scores them."""

import logging
import multiprocessing
import os
import signal
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from rich.console import Console

from mood.cli.challenge import Task, Watch, predict
from mood.cli.scans import ScanProgress
from mood.cohort.outputs import Outputs
from mood.errors import OutputError, UsageError
from mood.run_record import Outcome
from mood.volume import load, save_map, save_score

SECONDS = 4.0


def score(task, paths, careful, mouth):
    """Does what the name of a scan says."""
    mouth.send(("ready", "stand-in"))
    for path in paths:
        kind, attempts = path.name.partition(".")[0][2:], task.target / f".{path.name}"
        attempts.write_text(attempts.read_text() + "+" if attempts.exists() else "+")
        if kind == "kills" or (kind == "kills_others" and not careful):
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "hangs":
            time.sleep(60)
        volume = load(path)
        save_map(volume.data, volume.header, volume.affine, task.target / path.name)
        save_score(0.25, task.target / f"{path.name}.txt")
        mouth.send(("done", Outcome(path.name.partition(".")[0], "done", 0.25)))


def dies_while_it_starts(task, paths, careful, mouth):
    os.kill(os.getpid(), signal.SIGKILL)


def is_not_installed(task, paths, careful, mouth):
    raise ImportError("no module named tensorflow")


def is_misconfigured(task, paths, careful, mouth):
    raise UsageError("KERAS_BACKEND is 'numpie'", fix="Unset it")


def finds_the_disk_full(task, paths, careful, mouth):
    mouth.send(("ready", "stand-in"))
    raise OutputError("no space left on device", fix="Free some")


@pytest.fixture
def watch(write, scan, tmp_path):
    """watch('a_kills', ...) makes scans of these names, in the order of their first letters, and a watch over them."""

    def watch(*names, work=score, seconds=100.0):
        (tmp_path / "out").mkdir()
        paths = [write(scan, f"{name}.nii.gz") for name in names]
        task = Task(tmp_path / "out", "brain", None, "both", None, "auto", "float32", seconds)
        return Watch(task, paths, ScanProgress(Console(quiet=True)), work=work)

    return watch


def attempts(out: Path, name: str) -> int:
    return len((out / f".{name}.nii.gz").read_text())


def scores(out: Path) -> dict[str, float]:
    return {path.name.partition(".")[0]: float(path.read_text()) for path in sorted(out.glob("*.txt"))}


def test_a_scan_that_kills_the_process_costs_itself_alone(watch, tmp_path):
    names = ("a_fine", "b_fine", "c_kills", "d_kills", "e_fine")
    watching = watch(*names)
    assert watching.go() == 0
    out = tmp_path / "out"
    assert scores(out) == {name: 0.5 if "kills" in name else 0.25 for name in names}
    assert [attempts(out, name) for name in names] == [1, 1, 2, 2, 1]
    assert [one.status for one in watching.outcomes] == ["failed" if "kills" in name else "done" for name in names]
    assert "memory ran out" in watching.outcomes[2].message
    for name in names:
        score_map = nib.load(out / f"{name}.nii.gz")
        assert score_map.shape == load(tmp_path / "in" / f"{name}.nii.gz").data.shape
        assert bool(np.asanyarray(score_map.dataobj).any()) == ("fine" in name)
    assert not multiprocessing.active_children()


def test_a_scan_that_was_lost_beside_others_is_tried_alone(watch, tmp_path):
    assert watch("a_fine", "b_kills_others", "c_fine").go() == 0
    assert set(scores(tmp_path / "out").values()) == {0.25}


def test_a_scan_that_takes_too_long_is_ended_and_not_tried_again(watch, tmp_path):
    watching = watch("a_fine", "b_hangs", "c_fine", seconds=SECONDS)
    begin = time.monotonic()
    assert watching.go() == 0
    assert time.monotonic() - begin < 55
    assert scores(tmp_path / "out") == {"a_fine": 0.25, "b_hangs": 0.5, "c_fine": 0.25}
    assert attempts(tmp_path / "out", "b_hangs") == 1
    assert f"longer than {SECONDS:g} s" in watching.outcomes[1].message


def test_killed_before_the_first_scan_every_scan_has_the_fall_back(watch, tmp_path, caplog):
    assert watch("a_fine", "b_fine", work=dies_while_it_starts).go() == 0
    assert scores(tmp_path / "out") == {"a_fine": 0.5, "b_fine": 0.5}
    assert "memory ran out before the first scan" in caplog.text


@pytest.mark.parametrize("work", [is_not_installed, is_misconfigured])
def test_fault_14_a_fault_of_the_set_up_is_3_and_makes_up_nothing(watch, tmp_path, work):
    assert watch("a_fine", work=work).go() == 3
    assert scores(tmp_path / "out") == {}


def test_a_full_disk_is_2(watch):
    assert watch("a_fine", work=finds_the_disk_full).go() == 2


def test_0_only_where_every_scan_has_its_output(watch, monkeypatch, caplog):
    watching = watch("a_fine")
    paths = list(watching.remaining)
    monkeypatch.setattr(Watch, "go", lambda self: 0)
    with caplog.at_level(logging.ERROR):
        assert predict(watching.task, paths, Console(quiet=True), as_json=False) == 1
    assert "without an output: a_fine.nii.gz" in caplog.text
    volume = load(paths[0])
    save_map(volume.data, volume.header, volume.affine, Outputs(watching.task.target).of(paths[0])["pixel"])
    save_score(0.5, Outputs(watching.task.target).of(paths[0])["sample"])
    assert predict(watching.task, paths, Console(quiet=True), as_json=False) == 0
