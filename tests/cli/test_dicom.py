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

from mood.cli import app as cli
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
def predict(monkeypatch, capsys, tmp_path, weights):
    """predict('CASE', ...) scores a series in this process and returns exit status and printed text."""

    def predict(source: str, *more: str) -> tuple[int, str]:
        arguments = ["predict", "-i", tmp_path / source, "-o", tmp_path / "out", "-r", "abdom", "--weights", weights]
        monkeypatch.setattr(sys, "argv", ["mood", *map(str, arguments), *more])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        printed = capsys.readouterr()
        return int(stopped.value.code or 0), " ".join((printed.out + printed.err).split())

    return predict


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
    status, text = predict("CASE", "--dicom-out", "seg")
    assert status == 0
    assert "1 were done before" in text


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
    ):
        status, text = predict(source, *more)
        assert (status, words in text) == (expected, True), text
    for path in paths:
        path.unlink(missing_ok=True)
    status, text = predict("GAP")
    assert status == 3
    assert "holds no .nii" in text


def test_without_its_libraries_dicom_is_refused_with_what_to_install(predict, tmp_path, rng, monkeypatch):
    make_series(tmp_path / "CASE", body(rng))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    status, text = predict("CASE")
    assert status == 2
    assert "mood-ood[dicom]" in text
