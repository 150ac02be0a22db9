"""Toy scans that are never cubes, so that swapped axes fail."""

import gzip
import itertools
import logging
import os
import resource
import signal
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mood import atomic, compression, runtime
from mood.regions import REGIONS

runtime.prepare_training()
import keras  # noqa: E402 - on what trains, so that no test that predicts decides for those after it

os.environ.pop(runtime.VARIABLE)  # programs that tests start choose for themselves, as they do for users

SHAPE = (24, 20, 16)
# Files that take half a minute and more, the longest first: with two processes, one of them at the end is waited for.
LONGEST = (
    "methods/ascnet/test_convergence.py",
    "methods/test_contract.py",
    "training/test_run.py",
    "weights/test_golden.py",
    "test_tutorials.py",
    "cohort/test_slurm.py",
    "test_readme.py",
    "cohort/test_ray.py",
    "training/test_devices.py",
    "training/test_join.py",
    "test_predict.py",
    "methods/ascnet/test_workflow.py",
    "cli/test_app.py",
    "training/test_graphs.py",
    "training/test_quantise.py",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "store what the packaged weights say now as what they are to say (tests/weights/test_golden.py)"
    parser.addoption("--renew-golden", action="store_true", help=text)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first; within a file, and after these, the order stays."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Names of files whose bytes are no text are escaped in what is logged: processes cannot send them on otherwise."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Initial weights are the same in every run, whatever the order of the tests."""
    keras.utils.set_random_seed(zlib.crc32(item.nodeid.encode()))


@pytest.fixture(autouse=True)
def heard():
    """The signals are not ignored, though whatever started the tests may ignore them, and programs inherit that."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _the_log_is_left_as_it_was() -> Iterator[None]:
    """A command line that was told to be quiet would keep warnings from the tests after it."""
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


@contextmanager
def _without_graphs() -> Iterator[None]:
    """Within, TensorFlow runs without graphs: to trace ASC-Net's three takes longer than many small steps.

    Training with graphs is tested in tests/training and in tests/methods/ascnet/test_convergence.py.
    """
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="session")
def without_graphs() -> Callable[[], AbstractContextManager[None]]:
    """`with without_graphs()`: for weights that are only needed, however they came about."""
    return _without_graphs


@pytest.fixture(scope="module")
def eager() -> Iterator[None]:
    """The module's tests, from the first that asks for it on, run without graphs."""
    with _without_graphs():
        yield


@pytest.fixture
def quick_brain(monkeypatch) -> None:
    """Brains are scored with mix where no method is named: for what is tried of the default elsewhere."""
    monkeypatch.setitem(REGIONS, "brain", replace(REGIONS["brain"], default_method="mix"))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def scan(rng) -> np.ndarray:
    """(24, 20, 16) in [0, 1]: a block of texture in a background of exact zeros."""
    data = np.zeros(SHAPE, np.float32)
    data[4:19, 3:17, 2:13] = rng.uniform(0.2, 1.0, (15, 14, 11))
    return data


@pytest.fixture
def openvino() -> None:
    """For tests of that engine."""
    pytest.importorskip("openvino")


@pytest.fixture
def write(tmp_path):
    """write(data, name='scan.nii.gz', affine=..., **header) puts a NIfTI file into a folder."""

    def write(data: np.ndarray, name: str = "scan.nii.gz", affine: np.ndarray | None = None) -> Path:
        path = tmp_path / "in" / name
        path.parent.mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(data, np.diag([1.0, 2.0, 3.0, 1.0]) if affine is None else affine), path)
        return path

    return write


@pytest.fixture
def healthy(write, rng) -> Path:
    """A folder of five scans, each a block of texture, to train on."""
    for i in range(5):
        data = np.zeros((28, 24, 16), np.float32)
        data[3:25, 4:20, 1:15] = rng.uniform(0.3, 0.9, (22, 16, 14))
        path = write(data, f"s{i}.nii.gz", np.eye(4))
    return path.parent


@pytest.fixture
def small_disk():
    """`with small_disk(bytes)`: no file grows beyond that, as on a full disk."""

    @contextmanager
    def small_disk(size: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return small_disk


@pytest.fixture
def killed_at(monkeypatch):
    """killed_at(moment, work) does work in another process, killed when it flushes a file; its exit code, -9 if so."""

    def killed_at(moment: int, work: Callable[[], object]) -> int:
        child = os.fork()
        if child == 0:
            flush, moments = atomic._flush, itertools.count()

            def dies(path: Path) -> None:
                if next(moments) == moment:
                    os.kill(os.getpid(), signal.SIGKILL)
                flush(path)

            monkeypatch.setattr(atomic, "_flush", dies)
            try:
                work()
            finally:
                os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    return killed_at


@pytest.fixture(params=["ISA-L", "Python"])
def gzip_kind(request, monkeypatch) -> str:
    """Runs a test once with each implementation of gzip."""
    if request.param == "ISA-L":
        pytest.importorskip("isal")
    else:
        monkeypatch.setattr(compression, "GzipFile", gzip.GzipFile)
    return request.param
