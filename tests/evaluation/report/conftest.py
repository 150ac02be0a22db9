"""Facts, and a small folder of scans with predictions."""

from pathlib import Path

import pytest

from mood.calibration import Calibration
from mood.evaluation.report.facts import RunFacts
from mood.evaluation.report.rarity import RarityScale
from mood.regions import BRAIN
from tests.evaluation.report.toy_folder import RARE_VALUES, make_folders


@pytest.fixture
def facts() -> RunFacts:
    scale = RarityScale(Calibration(0.0, 1.0, RARE_VALUES), measured=True)
    return RunFacts(BRAIN, scale, 3.0)


@pytest.fixture
def folders(tmp_path, rng) -> Path:
    return make_folders(tmp_path, rng)
