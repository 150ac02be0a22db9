import nibabel as nib
import numpy as np
import pytest

from mood.methods.base import Method
from mood.regions import BRAIN
from mood.training.new_method import new_method

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
