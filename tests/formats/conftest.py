"""Toy data sets: small brains in BIDS, small series in DICOM."""

from pathlib import Path

import numpy as np
import pytest

from tests.formats.toy_data_set import make_data_set


@pytest.fixture
def bids_root(tmp_path, rng: np.random.Generator) -> Path:
    return make_data_set(tmp_path / "data set", rng)
