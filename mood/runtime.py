"""What Keras runs on. `prepare()` decides it, at the moment when a command runs and before anything imports keras."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mood.errors import MoodError, UsageError
from mood.installation import advice

# OpenVINO and NNCF report their use over the network through this package, and do without when it is not there.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

log = logging.getLogger(__name__)

TITLES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch", "openvino": "OpenVINO"}
BACKENDS = tuple(TITLES)  # the best first
TRAINING_BACKENDS = BACKENDS[:3]  # the last one predicts only
LIBRARIES = ("keras", *BACKENDS, "nncf", "numpy", "scipy", "sklearn", "h5py", "nibabel")  # that numbers depend on
VARIABLE = "KERAS_BACKEND"  # what Keras reads when it is first imported
CHECKED, VISIBLE = "MOOD_GPU_CHECKED", "CUDA_VISIBLE_DEVICES"
DRIVER = "NVIDIA's driver 525 or newer, and a GPU of compute capability 6.0 or newer"  # of CUDA 12 and its TensorFlow
# By its path, and without its folder among those that are imported from, where a module is called keras.
FIRST_CONVOLUTION = (sys.executable, "-P", str(Path(__file__).parent / "engines" / "first_convolution.py"))
FIRST_SECONDS = 120.0
_tentative: set[str] = set()  # a value of it that nobody asked for


def prepare(backends: Sequence[str] = BACKENDS) -> str:
    """Decide what Keras runs on, unless it has been imported already, and keep the logs of all backends quiet.

    Parameters
    ----------
    backends : sequence of str
        Those that serve, the best first. The one that the user named in `KERAS_BACKEND` comes before the others.
        When none of these is installed, any one is taken.

    Returns
    -------
    str
        The backend's name.

    Raises
    ------
    UsageError
        When the one that the user named is unknown or not installed.
    MoodError
        When no backend is installed.
    """
    quieten()
    if "keras" in sys.modules:
        return str(fixed_backend())
    asked = _asked()
    chosen = _checked(asked) if asked in backends or asked not in (None, *BACKENDS) else None
    chosen = chosen or next(filter(installed, (*backends, *BACKENDS)), None)
    if chosen is None:
        raise MoodError("no engine for the networks is installed", fix=advice("cpu", "gpu"))
    _tentative.clear()
    os.environ[VARIABLE] = chosen
    if chosen == "tensorflow":
        leave_failing_gpu()
    return chosen


def prepare_training() -> str:
    """As `prepare`, for a backend that trains; `MoodError` where it only predicts."""
    fixed = fixed_backend()
    backend = prepare((fixed,) if fixed else TRAINING_BACKENDS)
    if backend not in TRAINING_BACKENDS:
        fix = f"{advice('cpu', 'gpu')}, and start anew without {VARIABLE}"
        raise MoodError(f"{TITLES[backend]} runs networks but does not train them", fix=fix)
    return backend


def prepare_import() -> None:
    """See that an import of keras finds a backend; `prepare` may decide otherwise until it happens."""
    quieten()
    backend = next(filter(installed, BACKENDS), None)
    if backend and not os.environ.get(VARIABLE) and "keras" not in sys.modules:
        _tentative.add(backend)
        os.environ[VARIABLE] = backend


def asked_environment() -> dict[str, str]:
    """The environment for programs that choose for themselves: without a backend that nobody asked for."""
    return {name: value for name, value in os.environ.items() if name != VARIABLE or _asked()}


def fixed_backend() -> str | None:
    """What Keras runs on, or is to run on because the user or `prepare` said so; None while this is open.

    Raises
    ------
    UsageError
        When the one that the user named is unknown or not installed.
    """
    if "keras" in sys.modules:
        return str(sys.modules["keras"].backend.backend())
    asked = _asked()
    return asked and _checked(asked)


def installed(package: str) -> bool:
    """Whether a package can be imported, told without importing it."""
    return importlib.util.find_spec(package) is not None


def _asked() -> str | None:
    value = os.environ.get(VARIABLE)
    return None if value in _tentative else value or None


def _checked(asked: str | None) -> str:
    if asked not in TITLES:
        fix = f"Choose one of: {', '.join(BACKENDS)}; or unset it"
        raise UsageError(f"{VARIABLE} names no backend that Keras can run on: '{asked}'", fix=fix)
    if not installed(asked):
        fix = f"Install it, or unset {VARIABLE}"
        raise UsageError(f"{VARIABLE} is '{asked}', but {TITLES[asked]} is not installed", fix=fix)
    return asked


def quieten() -> None:
    """Keep what backends print about themselves from the user, and leave GPU memory to others."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    for noisy in ("absl", "jax", "tensorflow"):  # the last one warns of each new shape of slices
        logging.getLogger(noisy).setLevel(logging.ERROR)


def has_gpu() -> bool:
    """Whether a backend could find a GPU, told without importing one."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/kfd").exists()


def leave_failing_gpu() -> None:
    """Compute on the processor where the GPU fails at a first convolution, and say so; looked at once."""
    if not has_gpu() or os.environ.get(CHECKED) or os.environ.get(VISIBLE) in ("", "-1"):
        return
    os.environ[CHECKED] = "1"  # for the processes that this one starts, too
    try:
        done = subprocess.run(FIRST_CONVOLUTION, capture_output=True, text=True, check=False, timeout=FIRST_SECONDS)
        status, said = done.returncode, done.stderr.strip()
    except subprocess.TimeoutExpired:
        status, said = 1, f"it takes longer than {FIRST_SECONDS:g} s"
    if status:
        os.environ[VISIBLE] = "-1"
        reason = said.splitlines()[-1][:200] if said else f"the process ended with status {status}"
        log.warning("the GPU cannot be used (%s); computing on the CPU. It needs %s.", reason, DRIVER)


def ensure_temporary_folder(output: Path) -> None:
    """Importing a backend needs one, and a read-only container may have none but the output."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        tempfile.tempdir = os.environ["TMPDIR"] = str(output)


def seed_initial_weights(seed: int) -> None:
    """Make the next network start from the same random weights each time; Keras draws them globally."""
    import keras

    keras.utils.set_random_seed(seed)


def gpus() -> list[str]:
    """The names of the GPUs that the backend uses."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        found = [tf.config.experimental.get_device_details(g) for g in tf.config.list_physical_devices("GPU")]
        return [details.get("device_name", "GPU") for details in found]
    if keras.backend.backend() == "jax":
        import jax

        return [d.device_kind for d in jax.devices() if d.platform == "gpu"]
    if keras.backend.backend() == "torch":
        import torch

        return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return []


@contextlib.contextmanager
def mixed_precision() -> Iterator[None]:
    """Within, networks are built to compute in bfloat16 where there is a GPU; their weights are float32 all the same.

    For training alone: what measures or predicts is built outside, where the policy is what it was before.
    """
    with computing_in("mixed_bfloat16" if gpus() else "float32"):
        yield


@contextlib.contextmanager
def computing_in(policy: str) -> Iterator[None]:
    """Within, networks are built with a policy of Keras."""
    import keras

    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(policy)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def device() -> str:
    """What Keras computes on, for logs and records."""
    return ", ".join(gpus()) or f"CPU ({os.cpu_count()} cores)"


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of tensors compiled for the shapes that it meets, where the backend compiles at all.

    What it closes over is compiled in, so large arrays should be among its arguments.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function


def jit_compile() -> bool | str:
    """The value for `keras.Model.compile(jit_compile=...)`.

    On a CPU, TensorFlow's own kernels are faster than XLA's; JAX is nothing without it.
    """
    import keras

    return bool(gpus()) if keras.backend.backend() == "tensorflow" else "auto"
