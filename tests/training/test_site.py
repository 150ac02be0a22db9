import csv
import json

import numpy as np
import pytest

from mood.cli.app import run
from mood.detector import load_detector
from mood.errors import NoInputError, UsageError
from mood.methods import load_method
from mood.predict import predict_folder
from mood.regions import BRAIN
from mood.training.run import train
from mood.training.site import calibrate_to_site
from mood.weights.store import read_folder

GRID = {"grid_shape": (24, 20, 16), "spacing_mm": (8.0, 8.0, 8.0)}
EIGHT = np.diag([8.0, 8.0, 8.0, 1.0])


@pytest.fixture
def weights(write, rng, tmp_path):
    folder = tmp_path / "healthy"
    folder.mkdir()
    for number in range(5):
        put(np.clip(rng.normal(0.5, 0.1, (15, 14, 11)), 0.1, 1), f"s{number}.nii.gz", write, folder)
    return train(folder, tmp_path / "weights", "atlas", BRAIN, GRID)


@pytest.fixture
def own(write, rng, tmp_path):
    """Healthy scans of a scanner that is noisier from scan to scan, and one that cannot be read."""
    folder = tmp_path / "own"
    folder.mkdir()
    for number in range(6):
        put(np.clip(rng.normal(0.5, 0.05 + 0.02 * number, (15, 14, 11)), 0.1, 1), f"own{number}.nii.gz", write, folder)
    put(np.zeros((15, 14, 11)), "own9.nii.gz", write, folder)
    return folder


def put(block, name, write, folder):
    path = write(np.pad(block, ((4, 5), (3, 3), (2, 3))).astype(np.float32), name, EIGHT)
    path.rename(folder / name)


def test_weights_are_copied_with_what_their_scores_mean_at_the_site(weights, own, tmp_path):
    (own / "own9.nii.gz").unlink()
    detector = load_detector("brain", weights=weights)
    found = calibrate_to_site(detector, own, tmp_path / "mine", 0.25)
    mine = read_folder(tmp_path / "mine")
    assert mine.calibration == found
    assert mine.sha256 == detector.weights.sha256
    assert found.scans == len(found.site.scores) == 6
    assert list(found.site.scores) == sorted(found.site.scores)
    assert found.site.threshold == found.site.scores[5]  # the 6th of 6: fewer than one in four of 7
    assert len(found.site.false_places) == 5
    data = np.random.default_rng(1).random((24, 20, 16), dtype=np.float32)
    np.testing.assert_array_equal(load_method(mine).score_volume(data), detector.method.score_volume(data))


def test_predicting_with_them_ranks_and_flags(weights, own, write, tmp_path):
    (own / "own9.nii.gz").unlink()
    calibrate_to_site(load_detector("brain", weights=weights), own, tmp_path / "mine", 0.25)
    odd = np.random.default_rng(5).uniform(0.1, 1.0, (15, 14, 11))
    put(odd, "odd.nii.gz", write, own)
    for _ in range(2):  # what is known of a scan is known when it is skipped
        detector = load_detector("brain", weights=tmp_path / "mine")
        predict_folder(own, tmp_path / "out", detector.method, "sample", about=detector.about())
        rows = {row["scan"]: row for row in csv.DictReader((tmp_path / "out" / "scores.csv").read_text().splitlines())}
        assert (rows["odd"]["flag"], float(rows["odd"]["share"])) == ("yes", pytest.approx(1 / 7, abs=1e-3))
        assert [rows[f"own{number}"]["flag"] for number in range(6)] == ["no"] * 6
    about = json.loads((tmp_path / "out" / "run.json").read_text())["about"]
    assert about["scores"] == "ranks among 6 healthy scans of this scanner"
    plain = load_detector("brain", weights=weights)
    assert "scanner" in plain.about()["scores"] or "not calibrated" in plain.about()["scores"]
    with pytest.raises(UsageError, match="other scores"):
        predict_folder(own, tmp_path / "out", plain.method, "sample", about=plain.about())


def test_a_scan_that_cannot_be_read_is_left_out(weights, own, tmp_path, caplog):
    found = calibrate_to_site(load_detector("brain", weights=weights), own, tmp_path / "mine", 0.05)
    assert found.scans == 6
    assert any("own9" in record.message for record in caplog.records if record.levelname == "ERROR")


def test_weights_are_not_replaced_by_their_calibrated_copy(weights, own, write, tmp_path):
    detector = load_detector("brain", weights=weights)
    with pytest.raises(UsageError, match="would replace"):
        calibrate_to_site(detector, own, weights, 0.05)
    only_bad = tmp_path / "bad"
    only_bad.mkdir()
    (own / "own9.nii.gz").rename(only_bad / "own9.nii.gz")
    with pytest.raises(NoInputError, match="no scan could be read"):
        calibrate_to_site(detector, only_bad, tmp_path / "mine", 0.05)
    assert not (tmp_path / "mine").exists()


def test_the_command_says_how_many_scans_there_were_and_how_few_they_are(weights, own, tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        run(["calibrate", "-r", "brain", "-i", str(own), "--weights", str(weights), "-o", str(tmp_path / "mine")])
    assert left.value.code == 0
    told = capsys.readouterr().out
    assert "Calibrated on 6 healthy scans." in told
    assert "a rate of 0.05 takes 19" in told
    assert "False places a scan:" in told
