import nibabel as nib
import numpy as np
import pytest

from mood.submission.predictions import FAULT, folder_findings, prediction_findings

SHAPE = (24, 20, 16)


@pytest.fixture
def found(tmp_path, write, rng):
    """found(prediction, mode) gives the codes of what is wrong with it; a dict changes a sound map's header."""
    scan = write(rng.uniform(0, 1, SHAPE).astype(np.float32), "s.nii.gz")
    folder = tmp_path / "out"
    folder.mkdir()

    def found(prediction, mode="pixel"):
        if isinstance(prediction, str):
            (folder / "s.nii.gz.txt").write_text(prediction)
        elif isinstance(prediction, bytes):
            (folder / "s.nii.gz").write_bytes(prediction)
        elif prediction is not None:
            nib.save(nib.Nifti1Image(prediction.astype(np.float32), nib.load(scan).affine), folder / "s.nii.gz")
        return [(finding.code, finding.grave == FAULT) for finding in prediction_findings(scan, folder, mode)]

    return found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0.25\n", []),
        ("0\n", []),
        ("nan\n", [("nan", True)]),
        ("1.5\n", [("range", True)]),
        ("-inf\n", [("range", True)]),
        ("", [("format", True)]),
        ("score: 0.5\n", [("format", True)]),
        ("0.5\n0.5\n", [("format", False)]),
    ],
)
def test_a_score_is_one_number_between_0_and_1(found, text, wanted):
    assert found(text, "sample") == wanted


def test_a_map_has_the_shape_of_the_scan_and_values_between_0_and_1(found, rng):
    sound = rng.uniform(0, 1, SHAPE)
    assert found(sound) == []
    assert found(sound * 255) == [("range", True)]
    assert found(sound - 0.5) == [("range", True)]
    assert found(np.where(sound > 0.9, np.nan, sound)) == [("nan", True)]
    assert found(np.where(sound > 0.9, np.inf, sound)) == [("nan", True)]
    assert found(sound.T) == [("shape", True)]
    assert found(sound * 0) == [("empty", False)]
    assert found(b"no image") == [("format", True)]


def test_a_prediction_that_is_not_there_is_a_fault(found):
    assert found(None) == found(None, "sample") == [("missing", True)]


def test_a_map_that_lies_elsewhere_is_a_note(tmp_path, write, rng):
    data = rng.uniform(0, 1, SHAPE).astype(np.float32)
    scan = write(data, "s.nii.gz")
    nib.save(nib.Nifti1Image(data, np.eye(4)), tmp_path / "s.nii.gz")
    assert [(f.code, f.grave) for f in prediction_findings(scan, tmp_path, "pixel")] == [("place", "note")]


def test_of_a_scan_that_cannot_be_read_no_shape_is_asked(tmp_path, rng):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "s.nii.gz").write_text("not a scan")
    nib.save(nib.Nifti1Image(np.zeros((8, 9, 10), np.float32), np.eye(4)), tmp_path / "s.nii.gz")
    assert list(prediction_findings(tmp_path / "in" / "s.nii.gz", tmp_path, "pixel")) == []


def test_what_nobody_asked_for_and_what_others_own(tmp_path):
    (tmp_path / "s.nii.gz").touch()
    (tmp_path / "half").mkdir()
    uid = tmp_path.stat().st_uid
    assert [(f.code, f.where) for f in folder_findings(tmp_path, ["s.nii.gz"], uid)] == [("extra", "half")]
    assert [f.code for f in folder_findings(tmp_path, ["s.nii.gz", "half"], uid + 1)] == ["owner", "owner"]
