"""The only place that names a Keras backend. Call `prepare()` before anything imports keras."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import tempfile
from pathlib import Path

from mood.errors import MoodError, UsageError

log = logging.getLogger(__name__)

BACKENDS = ("tensorflow", "jax", "torch", "openvino")  # the last one predicts only
ENGINES = ("auto", "keras", "openvino")
PRECISIONS = ("float32", "int8")


def prepare(output: Path | None = None) -> str:
    """Choose the backend, a temporary folder that can be written, and quiet logs.

    `KERAS_BACKEND` decides when it is set, else the first of TensorFlow, JAX, PyTorch and OpenVINO that is installed.

    Parameters
    ----------
    output : pathlib.Path, optional
        Where to put temporary files when nothing else can be written (read-only containers).

    Returns
    -------
    str
        The backend's name.

    Raises
    ------
    MoodError
        When no backend is installed.
    """
    _ensure_temporary_folder(output)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # leave GPU memory to others
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    backend = os.environ.get("KERAS_BACKEND") or _first_installed()
    os.environ["KERAS_BACKEND"] = backend
    for noisy in ("absl", "tensorflow"):  # the latter warns of each new shape of slices
        logging.getLogger(noisy).setLevel(logging.ERROR)
    return backend


def _first_installed() -> str:
    for backend in BACKENDS:
        if importlib.util.find_spec(backend):
            return backend
    raise MoodError("no engine for the networks is installed", fix="Run: pip install 'mood[cpu]' or 'mood[gpu]'")


def choose_engine(name: str) -> str:
    """Decide what runs trained networks from now on; call it before anything imports keras.

    Parameters
    ----------
    name : {'auto', 'keras', 'openvino'}
        `auto` is OpenVINO where it is installed, nobody set `KERAS_BACKEND` and there is no GPU, for it starts
        sooner and takes less memory; else Keras on its backend.

    Returns
    -------
    str
        'keras' or 'openvino'.

    Raises
    ------
    UsageError
        When there is no such engine, or it is not installed.
    """
    if name not in ENGINES:
        raise UsageError(f"unknown engine '{name}'", fix=f"Choose one of: {', '.join(ENGINES)}")
    installed = importlib.util.find_spec("openvino") is not None
    if name == "openvino" and not installed:
        raise UsageError("OpenVINO is not installed", fix="Run: pip install 'mood[openvino]'")
    if "keras" not in sys.modules:
        backend = os.environ.get("KERAS_BACKEND") or ("openvino" if installed and not _has_gpu() else "")
        if name != "auto":
            backend = "openvino" if name == "openvino" else backend.replace("openvino", "")
        os.environ["KERAS_BACKEND"] = backend or _first_installed()
    if name != "auto":
        os.environ["MOOD_ENGINE"] = name
    return engine()


def choose_precision(name: str) -> str:
    """Decide how precisely trained networks compute from now on; call it after `choose_engine`.

    Parameters
    ----------
    name : {'float32', 'int8'}
        `int8` runs the graphs that `mood quantise` wrote beside the weights, with OpenVINO.

    Raises
    ------
    UsageError
        When there is no such precision, or the engine has no int8.
    """
    if name not in PRECISIONS:
        raise UsageError(f"unknown precision '{name}'", fix=f"Choose one of: {', '.join(PRECISIONS)}")
    if name == "int8" and os.environ.get("MOOD_ENGINE") == "keras":
        raise UsageError("the engine keras has no int8", fix="Leave out --engine, or choose openvino")
    if name == "int8":
        choose_engine("openvino")
    os.environ["MOOD_PRECISION"] = name
    return name


def precision() -> str:
    """How precisely trained networks compute: 'float32' or 'int8'."""
    return os.environ.get("MOOD_PRECISION", "float32")


def _has_gpu() -> bool:
    """Whether a backend could find a GPU, told without importing one."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/kfd").exists()


def engine() -> str:
    """What runs trained networks: 'keras' or 'openvino'."""
    chosen = {os.environ.get("MOOD_ENGINE"), os.environ.get("KERAS_BACKEND")}
    return "openvino" if "openvino" in chosen else "keras"


def check_can_train() -> None:
    """`MoodError` where the backend only predicts."""
    if os.environ.get("KERAS_BACKEND") == "openvino":
        fix = "Run: pip install 'mood[cpu]' or 'mood[gpu]', and unset KERAS_BACKEND"
        raise MoodError("OpenVINO runs networks but does not train them", fix=fix)


def _ensure_temporary_folder(output: Path | None) -> None:
    """Importing a backend needs one, and a read-only container may have none but the output."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        if output is None:
            raise
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


def train_in_mixed_precision() -> None:
    """Let networks that are built from now on compute in bfloat16 where there is a GPU; weights stay float32."""
    import keras

    keras.mixed_precision.set_global_policy("mixed_bfloat16" if gpus() else "float32")


def device() -> str:
    """What the networks run on, for logs and run records."""
    return ", ".join(gpus()) or f"CPU ({os.cpu_count()} cores{', OpenVINO' if engine() == 'openvino' else ''})"


def jit_compile() -> bool | str:
    """The value for `keras.Model.compile(jit_compile=...)`.

    On a CPU, TensorFlow's own kernels are faster than XLA's; JAX is nothing without it.
    """
    import keras

    return bool(gpus()) if keras.backend.backend() == "tensorflow" else "auto"
