"""Training on several devices does what it does on one with the same batches: the same losses."""

import csv
import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack

import numpy as np
import pytest

from mood.cli import app as cli
from mood.training.own_folder import own_folder

pytest.importorskip("tensorflow")

SETTINGS = {"grid_shape": (32, 32, 16), "batch_size": 6, "width": 4, "tasks": ["fpi"], "learning_rate": 1e-3}
PROGRAM = """
import json, sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from pathlib import Path
from mood.regions import get_region
from mood.training.loop import Schedule
from mood.training.run import train
source, target, method, settings = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4])
schedule = Schedule(epochs=1, steps=3, check_every=3, held_out=1)
for devices in (1, 2):
    losses = []
    train(source, target / str(devices), method, get_region("brain"), settings, schedule,
          on_step=lambda progress, loss: losses.append(loss), on_devices=devices)
    print(json.dumps(losses))
"""


def environment(**more):
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "KERAS_BACKEND": "tensorflow"} | more


@pytest.mark.slow
def test_two_devices_do_the_same_as_one(healthy, tmp_path):
    """With a network that normalises batches and a loss of the whole batch."""
    words = [str(healthy), str(tmp_path), "mix", json.dumps(SETTINGS)]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=False, env=environment()
    )
    assert done.returncode == 0, done.stderr[-2000:]
    one, two = map(json.loads, done.stdout.strip().splitlines()[-2:])
    assert len(one) == 3
    assert one[0] - one[2] > 1e-3  # it learns, so that gradients count
    np.testing.assert_allclose(two, one, atol=1e-4)


def free_ports(count):
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


@pytest.mark.slow
def test_two_hosts_do_the_same_as_one_and_the_first_leaves_files(healthy, tmp_path):
    (tmp_path / "hosts").write_text("".join(f"127.0.0.1:{port}\n" for port in free_ports(2)))
    options = ["-i", healthy, "-r", "brain", "-m", "autoencoder", "--steps", "3", "--epochs", "1", "--check-every", "3"]
    options += ["--held-out", "1", "--set", "grid_shape=32,32,16", "--set", "batch_size=6", "--set", "width=4"]
    shared = ["-o", tmp_path / "two", "--hosts", tmp_path / "hosts"]
    (tmp_path / "temporary").mkdir()
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "mood", "train", *options, *shared],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(MOOD_HOST=host, TMPDIR=str(tmp_path / "temporary")),
        )
        for host in ("1", "2")
    ]
    try:
        with pytest.raises(SystemExit) as alone:  # meanwhile, in this process
            cli.run(["train", *map(str, options), "-o", str(tmp_path / "one")])
        said = [process.communicate(timeout=250)[0] for process in running]
    finally:
        for process in running:
            process.kill()
    assert [process.returncode for process in running] == [0, 0], "\n".join(said)[-4000:]
    assert alone.value.code == 0
    assert list((tmp_path / "temporary").glob("mood-train-*")) == []
    assert loss(tmp_path / "two") == pytest.approx(loss(tmp_path / "one"), abs=1e-4)
    assert (tmp_path / "two" / "model.weights.h5").is_file()


def loss(folder):
    return float(list(csv.DictReader((folder / "log.csv").read_text().splitlines()))[-1]["loss"])


def test_other_hosts_go_on_from_the_state_of_the_first(tmp_path, monkeypatch):
    monkeypatch.setattr("mood.engines.devices.leaves_files", lambda: False)
    (tmp_path / "state.weights.h5").write_text("state")
    (tmp_path / "lock").touch()
    (tmp_path / "scans").mkdir()
    with own_folder(tmp_path, "lock") as folder:
        assert [path.name for path in folder.iterdir()] == ["state.weights.h5"]
        (folder / "best.weights.h5").touch()
    assert not folder.exists()
    assert not (tmp_path / "best.weights.h5").exists()
