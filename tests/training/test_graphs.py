"""Training in compiled graphs, as users run it; most other tests of training do without, for tracing takes long."""

import csv

import keras
import numpy as np

from mood import runtime
from mood.methods import load_method
from mood.regions import BRAIN
from mood.training import run as training_run
from mood.training.run import Schedule, train
from mood.weights.store import read_folder

SMALL = {"grid_shape": (32, 32, 16), "spacing_mm": (1.0, 1.0, 1.0), "width": 1, "batch_size": 8}


def losses(folder):
    return [float(row["loss"]) for row in csv.DictReader((folder / "log.csv").read_text().splitlines())]


def test_training_lowers_the_loss(healthy, tmp_path):
    plan = Schedule(steps=30, check_every=10, held_out=1)
    logged = losses(train(healthy, tmp_path / "w", "fpi", BRAIN, SMALL, plan))
    assert logged[-1] < 0.8 * logged[0]


def test_a_gpu_trains_in_mixed_precision_and_keeps_float32_weights(healthy, tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "gpus", lambda: ["some GPU"])
    policies = {}

    def observe(method, scans):
        policies["calibration"] = method.network.layers[-1].compute_dtype
        return calibration(method, scans)

    calibration = training_run.measure_calibration
    monkeypatch.setattr(training_run, "measure_calibration", observe)
    plan = Schedule(steps=3, check_every=3, held_out=1)
    policy = keras.mixed_precision.global_policy
    training = lambda *_: policies.setdefault("training", policy().name)  # noqa: E731
    folder = train(healthy, tmp_path / "w", "autoencoder", BRAIN, SMALL, plan, on_step=training)
    assert policies == {"training": "mixed_bfloat16", "calibration": "float32"}
    assert policy().name == "float32"
    assert np.isfinite(losses(folder)).all()
    monkeypatch.undo()
    method = load_method(read_folder(folder))
    assert all(variable.dtype == "float32" for variable in method.network.weights)
