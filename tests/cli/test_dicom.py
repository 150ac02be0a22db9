"""The whole way of a series: in, scored with small weights, and out again on its own images."""

import sys

import numpy as np
import pytest

pytest.importorskip("pydicom")
pytest.importorskip("dcm2niix")
pytest.importorskip("highdicom")

import highdicom
import nibabel as nib
import pydicom

import mood
from mood.cli import app as cli
from mood.errors import UsageError
from mood.regions import ABDOM
from mood.training.run import train as train_folder
from tests.formats.toy_series import SHAPE, body, make_series


@pytest.fixture
def weights(tmp_path, rng):
    (tmp_path / "healthy").mkdir()
    for i in range(4):
        image = nib.Nifti1Image(body(rng).transpose(2, 1, 0), np.diag([3.0, 2.0, 6.0, 1.0]))
        nib.save(image, tmp_path / f"healthy/s{i}.nii.gz")
    settings = {"grid_shape": (24, 30, 24), "spacing_mm": (3.0, 2.0, 3.0)}
    return train_folder(tmp_path / "healthy", tmp_path / "weights", "atlas", ABDOM, settings)


@pytest.fixture
def call(monkeypatch, capsys):
    """call('report', ...) runs a command in this process and returns exit status and printed text."""

    def call(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["mood", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        printed = capsys.readouterr()
        return int(stopped.value.code or 0), " ".join((printed.out + printed.err).split())

    return call


@pytest.fixture
def predict(call, tmp_path, weights):
    """predict('CASE', ...) scores a series."""
    asked = ["-o", tmp_path / "out", "-r", "abdom", "--weights", weights]
    return lambda source, *more: call("predict", "-i", tmp_path / source, *asked, *more)


def test_a_series_becomes_a_map_and_dicom_objects_on_its_images(predict, tmp_path, rng):
    data = body(rng)
    data[5:9, 12:20, 8:14] = 400  # where the training scans have soft tissue
    make_series(tmp_path / "CASE", data)
    status, text = predict("CASE", "--dicom-out", "seg,pm")
    assert status == 0, text
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == [
        "CASE.nii.gz", "CASE.nii.gz.txt", "CASE_pm.dcm", "CASE_seg.dcm", "run.json", "scores.csv",
    ]  # fmt: skip
    score_map = nib.load(out / "CASE.nii.gz").get_fdata()
    read = highdicom.pm.ParametricMap.from_dataset(pydicom.dcmread(out / "CASE_pm.dcm"))
    frames = read.get_frames(dtype=np.float64)
    assert frames.shape == SHAPE
    np.testing.assert_allclose(np.sort(frames.ravel()), np.sort(score_map.ravel()), atol=1e-6)
    segmentation = highdicom.seg.segread(out / "CASE_seg.dcm")
    assert "ml" in segmentation.get_segment_description(1).segment_label
    for name in ("CASE_seg.dcm", "CASE_pm.dcm"):  # a study holds them beside the series, where they were sent back
        (out / name).rename(tmp_path / "CASE" / name)
    status, text = predict("CASE", "--dicom-out", "seg")
    assert status == 0
    assert "1 were done before" in text


def test_a_report_takes_the_series_that_was_scored(predict, call, tmp_path, rng):
    make_series(tmp_path / "CASE", body(rng))
    assert predict("CASE")[0] == 0
    status, text = call("report", "-i", tmp_path / "CASE", "-p", tmp_path / "out", "-o", tmp_path / "report")
    assert status == 0, text
    assert "CASE" in (tmp_path / "report/index.html").read_text()
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        "files", "index.html", "regions.csv", "scans",
    ]  # fmt: skip


def test_python_scores_a_series_too(predict, weights, tmp_path, rng):
    make_series(tmp_path / "CASE", body(rng))
    assert predict("CASE")[0] == 0
    result = mood.score(tmp_path / "CASE", region="abdom", weights=weights)
    assert result.sample_score == pytest.approx(float((tmp_path / "out/CASE.nii.gz.txt").read_text()), abs=1e-5)
    assert (result.name, result.map.shape) == ("CASE", SHAPE[::-1])
    with pytest.raises(UsageError, match="the series is CT, and the region takes MR"):
        mood.score(tmp_path / "CASE", region="brain")


def test_what_cannot_be_done_with_a_series_is_a_sentence_and_a_status(predict, tmp_path, rng):
    make_series(tmp_path / "TILTED", body(rng), shift_mm=2.0, GantryDetectorTilt=18.43)
    make_series(tmp_path / "BRAIN", body(rng), modality="MR")
    (paths := make_series(tmp_path / "GAP", body(rng)))[4].unlink()
    for source, more, expected, words in (
        ("TILTED", ["--dicom-out", "pm"], 2, "its slices were shifted back"),
        ("BRAIN", [], 2, "the series is MR, and the region takes CT"),
        ("GAP", [], 1, "slices are missing"),
        ("healthy", ["--series", "3"], 2, "the input is no DICOM series"),
        ("GAP", ["--dicom-out", "rtstruct"], 2, "unknown DICOM object"),
        ("GAP", ["--dicom-out", "seg", "--mode", "sample"], 2, "Leave out --mode sample, or --dicom-out"),
        ("GAP", ["-o", str(tmp_path / "GAP")], 2, "the output folder is the input folder"),
    ):
        status, text = predict(source, *more)
        assert (status, words in text) == (expected, True), text
    for path in paths:
        path.unlink(missing_ok=True)
    status, text = predict("GAP")
    assert status == 3
    assert "holds no .nii" in text


def test_where_one_series_is_no_input_it_is_said(call, tmp_path, rng):
    make_series(tmp_path / "CASE", body(rng))
    status, text = call("cluster", "slurm", "-i", tmp_path / "CASE", "-o", tmp_path / "out", "-r", "abdom", "--dry-run")
    assert status == 3
    assert "the folder holds DICOM, of which" in text


def test_without_its_libraries_dicom_is_refused_with_what_to_install(predict, tmp_path, rng, monkeypatch):
    make_series(tmp_path / "CASE", body(rng))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    status, text = predict("CASE")
    assert status == 2
    assert "mood-ood[dicom]" in text
