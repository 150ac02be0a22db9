import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mood.errors import UsageError
from mood.evaluation.places import find_places
from mood.evaluation.report.facts import ScanFiles
from mood.evaluation.report.findings import Finding
from mood.formats import bids_derivatives
from mood.formats.bids_derivatives import Derivative
from mood.volume import load, save_map, scan_name
from tests.formats.toy_data_set import bids_errors

STEM = Path("sub-01/ses-a/anat/sub-01_ses-a_desc-mood")


def derivative(scan: Path, folder: Path) -> Derivative:
    """Two places in a map of a scan, found as they are in a prediction."""
    volume = load(scan)
    score_map = np.zeros(volume.data.shape, np.float32)
    score_map[10:17, 20:27, 15:22] = 0.9
    score_map[24:28, 20:24, 15:18] = 0.7
    save_map(score_map, volume.header, volume.affine, folder / "map.nii.gz", (0.5, 1.0))
    labels, places = find_places(score_map, 0.6, volume.data > 0, volume.affine)
    files = ScanFiles(scan_name(scan), scan, folder / "map.nii.gz", None, 0.75, {})
    return Finding(files, volume, score_map, labels, places).derivative(0.6)


@pytest.fixture
def written(bids_root, tmp_path) -> Path:
    target = tmp_path / "derivatives"
    bids_derivatives.begin(target, bids_root, "method mix, region brain")
    for name in ("sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz", "sub-02/anat/sub-02_run-1_T1w.nii.gz"):
        bids_derivatives.save(target, derivative(bids_root / name, tmp_path), name)
    bids_derivatives.finish(target)
    return target


def test_the_validator_takes_the_derivatives(written):
    assert bids_errors(written) == []


def test_the_validator_is_asked_something(written):
    (written / f"{STEM}_probseg.nii.gz").rename(written / f"{STEM}_anomaly.nii.gz")
    assert any("anomaly" in error for error in bids_errors(written))


def test_images_lie_on_the_scans_voxels(written, bids_root):
    scan = nib.load(bids_root / "sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz")
    images = {kind: nib.load(written / f"{STEM}_{kind}.nii.gz") for kind in ("probseg", "mask", "dseg")}
    assert all(np.array_equal(image.affine, scan.affine) for image in images.values())
    values = {kind: np.asanyarray(image.dataobj) for kind, image in images.items()}
    np.testing.assert_array_equal(values["mask"], values["probseg"] > 0.6)
    assert [(values["dseg"] == number).sum() for number in (1, 2, 3)] == [343, 48, 0]


def test_texts_say_what_the_images_are(written):
    with (written / f"{STEM}_dseg.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["index"] for row in rows] == ["1", "2"]
    assert float(rows[0]["volume_ml"]) == pytest.approx(343 * 0.064, abs=0.01)
    assert rows[0]["color"].startswith("#")
    told = json.loads((written / f"{STEM}_probseg.json").read_text())
    assert told["SampleScore"] == 0.75
    assert told["Sources"] == ["bids:source:sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz"]
    description = json.loads((written / "dataset_description.json").read_text())
    assert description["GeneratedBy"][0]["Name"] == "mood"
    assert "method mix" in description["GeneratedBy"][0]["Description"]


def test_the_table_has_the_scans_of_every_run(written, bids_root, tmp_path):
    bids_derivatives.begin(written, bids_root, "method mix, region brain")
    name = "sub-01/ses-b/anat/sub-01_ses-b_T1w.nii.gz"
    bids_derivatives.save(written, derivative(bids_root / name, tmp_path), name)
    lines = bids_derivatives.finish(written).read_text().splitlines()
    assert lines[1:] == [
        "sub-01\tses-a\tsub-01_ses-a\t0.750000",
        "sub-01\tses-b\tsub-01_ses-b\t0.750000",
        "sub-02\tn/a\tsub-02_run-1\t0.750000",
    ]


@pytest.mark.parametrize("text", ['{"GeneratedBy": [{"Name": "fMRIPrep"}]}', '{"Name": "raw"}', "damaged"])
def test_a_data_set_of_others_is_left_alone(bids_root, tmp_path, text):
    (tmp_path / "dataset_description.json").write_text(text)
    with pytest.raises(UsageError, match="BIDS data set of something else"):
        bids_derivatives.begin(tmp_path, bids_root, "")
    assert (tmp_path / "dataset_description.json").read_text() == text
