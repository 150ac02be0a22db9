from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mood.methods.base import Method
from mood.regions import BRAIN
from mood.training.new_method import new_method
from mood.training.run import train

SHAPE = (24, 20, 16)


@pytest.fixture
def method(rng) -> Method:
    """The atlas needs no network; parts are the same for all methods."""
    method = new_method("atlas", BRAIN, {"grid_shape": SHAPE, "spacing_mm": (1.0, 1.0, 1.0)})
    for _ in method.train_epoch(list(rng.random((3, *SHAPE), dtype=np.float32)), rng):
        pass
    return method


@pytest.fixture
def cohort(tmp_path, rng):
    """A folder of seven scans."""
    (tmp_path / "in").mkdir()
    for i in range(7):
        data = rng.uniform(0.1, 0.9, SHAPE).astype(np.float32)
        nib.save(nib.Nifti1Image(data, np.eye(4)), tmp_path / "in" / f"s{i}.nii.gz")
    return tmp_path / "in"


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    """A folder of atlas weights, for command lines; they load at once."""
    folder = tmp_path_factory.mktemp("cohort")
    (folder / "healthy").mkdir()
    make_scans(folder / "healthy", 3)
    settings = {"grid_shape": SHAPE, "spacing_mm": (1.0, 1.0, 1.0)}
    return train(folder / "healthy", folder / "weights", "atlas", BRAIN, settings)


def make_scans(folder: Path, count: int, finer: int = 1) -> None:
    rng = np.random.default_rng(0)
    for i in range(count):
        data = rng.uniform(0.1, 0.9, [finer * n for n in SHAPE]).astype(np.float32)
        nib.save(nib.Nifti1Image(data, np.diag([1 / finer] * 3 + [1])), folder / f"s{i:02}.nii.gz")


@pytest.fixture
def slow_scans(tmp_path):
    """slow_scans(count) is a folder of scans of which each takes a while, so that a test can come in between."""

    def slow_scans(count: int) -> Path:
        (tmp_path / "in").mkdir()
        make_scans(tmp_path / "in", count, finer=4)
        return tmp_path / "in"

    return slow_scans
