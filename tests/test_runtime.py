import os
import subprocess
import sys
import tempfile

import keras
import pytest

from mood import runtime
from mood.errors import MoodError, UsageError


@pytest.fixture
def fresh(monkeypatch):
    """fresh('jax', {'jax', 'torch'}) is a process that has not imported Keras: KERAS_BACKEND and what is installed."""

    def fresh(asked: str, installed: set[str]) -> None:
        monkeypatch.setenv("KERAS_BACKEND", asked)
        monkeypatch.setattr(runtime, "_tentative", set())
        monkeypatch.delitem(sys.modules, "keras", raising=False)
        monkeypatch.setattr(runtime, "installed", lambda package: package in installed)

    return fresh


def test_the_environment_chooses_the_backend(fresh):
    fresh("torch", {"tensorflow", "torch"})
    assert runtime.fixed_backend() == runtime.prepare() == "torch"


@pytest.mark.parametrize(
    ("installed", "chosen"), [({"jax", "torch"}, "jax"), ({"torch"}, "torch"), ({"tensorflow", "jax"}, "tensorflow")]
)
def test_else_the_first_that_is_installed(fresh, installed, chosen):
    fresh("", installed)
    assert runtime.fixed_backend() is None
    assert runtime.prepare() == os.environ["KERAS_BACKEND"] == chosen


def test_a_choice_of_its_own_can_be_changed_until_keras_is_imported(fresh):
    fresh("", {"tensorflow", "openvino"})
    runtime.prepare_import()
    assert os.environ["KERAS_BACKEND"] == "tensorflow"
    assert runtime.fixed_backend() is None
    assert runtime.prepare(("openvino",)) == os.environ["KERAS_BACKEND"] == "openvino"
    assert runtime.fixed_backend() == "openvino"


def test_what_keras_was_imported_on_stays(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "openvino")
    assert runtime.prepare(("openvino",)) == runtime.fixed_backend() == keras.backend.backend()


@pytest.fixture
def gpu(monkeypatch):
    """gpu(code) is a machine with a GPU at which the first convolution does this."""

    def gpu(code: str, seconds: float = 60.0) -> None:
        monkeypatch.setattr(runtime, "has_gpu", lambda: True)
        monkeypatch.setattr(runtime, "FIRST_CONVOLUTION", (sys.executable, "-c", code))
        monkeypatch.setattr(runtime, "FIRST_SECONDS", seconds)

    for name in (runtime.CHECKED, runtime.VISIBLE):
        monkeypatch.setenv(name, "before")  # so that it is as it was afterwards
        monkeypatch.delenv(name)
    return gpu


@pytest.mark.parametrize(
    ("code", "seconds", "said"),
    [
        ("import sys; print('first\\nno kernel image', file=sys.stderr); sys.exit(1)", 60.0, "no kernel image"),
        ("import os; os.abort()", 60.0, "status -6"),
        ("import time; time.sleep(60)", 0.5, "longer than 0.5 s"),
    ],
)
def test_a_gpu_that_fails_is_left_with_a_sentence(gpu, caplog, code, seconds, said):
    gpu(code, seconds)
    runtime.leave_failing_gpu()
    assert os.environ[runtime.VISIBLE] == "-1"
    (line,) = caplog.messages
    assert said in line
    assert "computing on the CPU. It needs NVIDIA's driver 525 or newer" in line


def test_a_gpu_that_works_is_used_and_looked_at_once(gpu, caplog):
    gpu("")
    runtime.leave_failing_gpu()
    gpu("raise SystemExit(1)")
    runtime.leave_failing_gpu()
    assert runtime.VISIBLE not in os.environ
    assert caplog.messages == []


def test_the_first_convolution_passes_a_tensorflow_for_processors():
    tensorflow = pytest.importorskip("tensorflow")
    if tensorflow.config.list_physical_devices("GPU"):
        pytest.skip("there is a GPU")
    done = subprocess.run(runtime.FIRST_CONVOLUTION, capture_output=True, text=True, check=False)
    assert done.returncode == int(tensorflow.test.is_built_with_cuda()), done.stderr


def test_without_a_backend_it_says_what_to_install(fresh):
    fresh("", set())
    runtime.prepare_import()  # the command may need none
    with pytest.raises(MoodError, match=r"pip install 'mood-ood\[cpu\]'"):
        runtime.prepare()


def test_fault_14_an_unknown_or_missing_backend_is_a_sentence(fresh):
    fresh("torch", {"tensorflow"})
    with pytest.raises(UsageError, match="'torch', but PyTorch is not installed"):
        runtime.prepare()
    with pytest.raises(UsageError, match="'torch', but PyTorch is not installed"):
        runtime.fixed_backend()
    fresh("abacus", {"tensorflow"})
    with pytest.raises(UsageError, match=r"'abacus'\. Choose one of: tensorflow, jax, torch, openvino"):
        runtime.prepare()


@pytest.mark.parametrize(("asked", "installed"), [("openvino", {"tensorflow", "openvino"}), ("", {"openvino"})])
def test_openvino_does_not_train(fresh, asked, installed):
    fresh(asked, installed)
    with pytest.raises(MoodError, match="OpenVINO runs networks but does not train them"):
        runtime.prepare_training()


def test_what_trains_is_chosen_for_training(fresh):
    fresh("", {"torch", "openvino"})
    assert runtime.prepare_training() == "torch"


def test_temporary_files_go_to_the_output_when_nothing_else_can_be_written(monkeypatch, tmp_path):
    def nowhere():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", "/nowhere")
    runtime.ensure_temporary_folder(tmp_path)
    assert os.environ["TMPDIR"] == tempfile.tempdir == str(tmp_path)


def test_the_device_is_named(monkeypatch):
    assert "CPU" in runtime.device()
    monkeypatch.setattr(runtime, "gpus", lambda: ["some GPU"])
    assert runtime.device() == "some GPU"


def test_mixed_precision_ends_with_its_block(monkeypatch):
    monkeypatch.setattr(runtime, "gpus", lambda: ["some GPU"])
    policy = keras.mixed_precision.global_policy
    with runtime.mixed_precision():
        assert policy().name == "mixed_bfloat16"
    assert policy().name == "float32"
    with pytest.raises(ZeroDivisionError), runtime.mixed_precision():
        1 / 0  # noqa: B018
    assert policy().name == "float32"


WATCHED = """
import sys
seen = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "os.fork", "os.posix_spawn"):
        seen.append((event, arguments))
sys.addaudithook(watch)
from mood import engines
engine = engines.choose("openvino")
import keras
import numpy as np
inputs = keras.Input((None, None, 1))
run = engine.runner(keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs)))
run(np.ones((1, 8, 6, 1), np.float32))
assert not seen, seen
"""


def test_fault_19_openvino_reports_nothing_over_the_network(tmp_path):
    pytest.importorskip("openvino")
    quiet = ("KERAS_BACKEND", "CI", "TF_BUILD", "JENKINS_URL")  # the last three alone would keep it silent
    environment = {key: value for key, value in os.environ.items() if key not in quiet}
    command = [sys.executable, "-c", WATCHED]
    done = subprocess.run(command, capture_output=True, text=True, env=environment | {"HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "intel").exists()  # where it keeps the name that it gives this user


def test_programs_that_are_started_choose_their_backend_unless_the_user_did(monkeypatch):
    monkeypatch.setenv(runtime.VARIABLE, "tensorflow")
    assert runtime.asked_environment()[runtime.VARIABLE] == "tensorflow"
    monkeypatch.setattr(runtime, "_tentative", {"tensorflow"})
    assert runtime.VARIABLE not in runtime.asked_environment()
