import os
import sys
import tempfile

import pytest

from mood import runtime
from mood.errors import MoodError


def test_the_environment_chooses_the_backend(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert runtime.prepare() == "torch"


@pytest.mark.parametrize(
    ("installed", "chosen"), [({"jax", "torch"}, "jax"), ({"torch"}, "torch"), ({"tensorflow", "jax"}, "tensorflow")]
)
def test_else_the_first_that_is_installed(monkeypatch, installed, chosen):
    monkeypatch.setenv("KERAS_BACKEND", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name in installed or None)
    assert runtime.prepare() == chosen


def test_without_a_backend_it_says_what_to_install(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MoodError, match=r"pip install 'mood\[cpu\]'"):
        runtime.prepare()


@pytest.mark.parametrize(
    ("asked", "environment", "installed", "gpu", "backend", "engine"),
    [
        ("auto", "", {"tensorflow", "openvino"}, False, "openvino", "openvino"),
        ("auto", "", {"tensorflow", "openvino"}, True, "tensorflow", "keras"),
        ("auto", "", {"tensorflow"}, False, "tensorflow", "keras"),
        ("auto", "", {"openvino"}, True, "openvino", "openvino"),
        ("auto", "jax", {"jax", "openvino"}, False, "jax", "keras"),
        ("keras", "", {"torch", "openvino"}, False, "torch", "keras"),
        ("keras", "openvino", {"torch", "openvino"}, False, "torch", "keras"),
        ("openvino", "jax", {"jax", "openvino"}, True, "openvino", "openvino"),
    ],
)
def test_the_engine_decides_the_backend(monkeypatch, asked, environment, installed, gpu, backend, engine):
    monkeypatch.setenv("KERAS_BACKEND", environment)
    monkeypatch.setenv("MOOD_ENGINE", "")
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name in installed or None)
    monkeypatch.setattr(runtime, "_has_gpu", lambda: gpu)
    assert runtime.choose_engine(asked) == engine
    assert os.environ["KERAS_BACKEND"] == backend


def test_openvino_does_not_train(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "openvino")
    with pytest.raises(MoodError, match="does not train"):
        runtime.check_can_train()


def test_temporary_files_go_to_the_output_when_nothing_else_can_be_written(monkeypatch, tmp_path):
    def nowhere():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", "/nowhere")
    runtime.prepare(tmp_path)
    assert os.environ["TMPDIR"] == tempfile.tempdir == str(tmp_path)
    with pytest.raises(FileNotFoundError):
        runtime.prepare()


def test_the_device_is_named():
    assert runtime.device()
