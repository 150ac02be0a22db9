"""Signals sent to the program from outside, at any moment of it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mood.cli import app, stopping
from mood.regions import BRAIN
from mood.training.run import train as train_folder

WORDS = {"SIGINT": "interrupted", "SIGTERM": "SIGTERM", "SIGHUP": "SIGHUP"}
SCANS = 60


@pytest.fixture
def command(tmp_path, write, rng):
    """Predicts so many small scans with the atlas that it can be met at work."""
    data = rng.uniform(0.1, 0.9, (24, 20, 16)).astype(np.float32)
    first = write(data, "s000.nii.gz", np.eye(4))
    for name in ("s001", "s002"):
        write(data[::-1] * 0.9, f"{name}.nii.gz", np.eye(4))
    settings = {"grid_shape": (24, 20, 16), "spacing_mm": (1.0, 1.0, 1.0)}
    weights = train_folder(first.parent, tmp_path / "weights", "atlas", BRAIN, settings)
    for i in range(3, SCANS):
        (first.parent / f"s{i:03d}.nii.gz").hardlink_to(first)
    options = ["-m", "atlas", "-r", "brain", "--weights", weights, "-i", first.parent, "-o", tmp_path / "out"]
    return [sys.executable, "-m", "mood", "predict", *map(str, options)]


def start(command: list[str]) -> subprocess.Popen:
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition, process) -> None:
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def scores(out: Path) -> set[str]:
    return {path.name.partition(".")[0] for path in out.glob("*.nii.gz.txt")} if out.exists() else set()


@pytest.mark.parametrize("name", WORDS)
def test_fault_23_a_signal_leaves_a_true_record_a_sentence_and_its_status(command, tmp_path, name):
    process = start(command)
    wait_for(lambda: len(scores(tmp_path / "out")) > 3, process)
    process.send_signal(getattr(signal, name))
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + getattr(signal, name), said
    assert WORDS[name] in said.splitlines()[-1]
    assert "Traceback" not in said
    rows = json.loads((tmp_path / "out" / "run.json").read_text())["scans"]
    assert len(rows) == SCANS
    assert {row["scan"] for row in rows if row["status"] == "done"} == scores(tmp_path / "out")
    assert not list((tmp_path / "out").glob(".partial*"))


def catches(process: subprocess.Popen, number: int) -> bool:
    """Whether a process answers a signal itself."""
    caught = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{process.pid}/status").read_text())
    return bool(caught and int(caught[1], 16) >> (number - 1) & 1)


@pytest.mark.parametrize(("name", "seconds"), [("SIGINT", 0.0), ("SIGTERM", 0.3), ("SIGINT", 0.8), ("SIGHUP", 1.5)])
def test_fault_23_a_signal_at_the_start_is_a_sentence_too(command, name, seconds):
    process = start(command)
    wait_for(lambda: catches(process, signal.SIGHUP), process)  # Python itself catches SIGINT before it is ours
    time.sleep(seconds)
    process.send_signal(getattr(signal, name))
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + getattr(signal, name), said
    assert "Traceback" not in said


def test_an_interruption_while_commands_are_put_together_is_a_sentence(capsys):
    def program(arguments: list[str], prog_name: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as left:
        app.run([], program)
    assert left.value.code == 143
    assert "SIGTERM" in capsys.readouterr().err


def test_a_signal_is_heard_when_networks_have_come_and_gone():
    """Each core of OpenVINO moves the stack of signals, and where several end it is unmapped."""
    pytest.importorskip("openvino")
    code = (
        "import os, signal, openvino as ov\n"
        "from openvino import opset13 as ops\n"
        "from mood.engines.openvino import graph_forward\n"
        "def runner():\n"
        "    x = ops.parameter([1, 4], ov.Type.f32)\n"
        "    return graph_forward(ov.Model([ops.relu(x)], [x], 'relu'))\n"
        "first, second = runner(), runner()\n"
        "first = None\n"
        "second = None\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('heard'))\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, text=True, capture_output=True)
    assert (ended.returncode, ended.stdout) == (0, "heard\n"), ended.stderr


def test_fault_23_a_second_interruption_is_no_traceback(command, tmp_path):
    process = start(command)
    wait_for(lambda: scores(tmp_path / "out"), process)
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said.count("interrupted"), "Traceback" in said) == (130, 1, False)
    json.loads((tmp_path / "out" / "run.json").read_text())


def test_fault_23_a_signal_at_the_very_end_changes_nothing():
    code = "import atexit, os, signal; atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))\n"
    code += "from mood.cli import stopping; stopping.begin()"
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_fault_23_what_the_caller_wants_ignored_is_ignored(command):
    """As nohup does."""
    code = "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); from mood.cli import stopping\n"
    code += "stopping.begin(); sys.exit(signal.getsignal(signal.SIGHUP) != signal.SIG_IGN)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_second_signal_after_a_while_ends_the_process_at_once():
    code = (
        "import os, signal, time; from mood.cli import stopping; stopping.begin(); stopping.PATIENCE = 0\n"
        "for _ in range(2):\n    try: os.kill(os.getpid(), 15); time.sleep(5)\n    except BaseException: pass"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, text=True, capture_output=True, env=os.environ)
    assert (ended.returncode, ended.stderr.count("SIGTERM")) == (143, 1)


def test_importing_is_told_from_everything_else(tmp_path, monkeypatch):
    (tmp_path / "looks_up.py").write_text(
        "import sys\nfrom mood.cli import stopping\nfound = stopping._importing(sys._getframe())\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import looks_up

    assert looks_up.found
    assert not stopping._importing(sys._getframe())
