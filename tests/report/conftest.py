"""A small folder of scans with predictions: two places in one, none in another, and a name full of markup."""

import json
from pathlib import Path

import numpy as np
import pytest

from mood.calibration import Calibration
from mood.regions import BRAIN
from mood.report.facts import RunFacts
from mood.report.rarity import RarityScale
from tests.report.toy_folder import HOSTILE, RARE_VALUES, TWO, a_map, a_scan, save, write_rows


@pytest.fixture
def facts() -> RunFacts:
    scale = RarityScale(Calibration(0.0, 1.0, RARE_VALUES), measured=True)
    return RunFacts(BRAIN, scale, 3.0)


@pytest.fixture
def folders(tmp_path, rng) -> Path:
    """`in`, `out` and `labels` with the scans `sub-01` (two places, a label), `sub-02` (none) and a hostile name."""
    for name in ("in", "out", "labels", "weights"):
        (tmp_path / name).mkdir()
    scans = {"sub-01": a_map(*TWO), "sub-02": a_map(), HOSTILE: a_map(TWO[0])}
    for name, score_map in scans.items():
        save(tmp_path / "in" / f"{name}.nii.gz", a_scan(rng))
        save(tmp_path / "out" / f"{name}.nii.gz", score_map)
        (tmp_path / "out" / f"{name}.nii.gz.txt").write_text(f"{score_map.max():.6f}\n")
    save(tmp_path / "labels" / "sub-01.nii.gz", (a_map(TWO[0]) > 0.4).astype(np.uint8))
    settings = {"grid_shape": [40, 48, 36], "spacing_mm": [3.0, 3.0, 3.0], "slice_axis": 2, "smoothing_mm": 7.5}
    calibration = Calibration(0.0, 1.0, RARE_VALUES).to_dict()
    training = {"note": "Toy <data>.", "training_scans": 3, "held_out_scans": ["h1", "h2"]}
    config = {"method": "mix", "region": "brain", "settings": settings, "training": training, "sha256": "abc123"}
    (tmp_path / "weights" / "config.json").write_text(json.dumps(config | {"calibration": calibration}))
    about = {"method": "mix", "region": "brain", "weights": "abc123"}
    (tmp_path / "out" / "run.json").write_text(json.dumps({"about": about, "versions": {"mood": "0.1"}}))
    write_rows(tmp_path, [{"scan": name, "status": "done", "message": ""} for name in scans])
    return tmp_path
