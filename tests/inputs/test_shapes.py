"""Shapes that can be no head or torso, or that a careless grid resamples to nothing."""

import nibabel as nib
import numpy as np
import pytest

from mood.predict import predict_folder
from mood.regions import ABDOM, BRAIN
from mood.training.new_method import new_method


@pytest.fixture
def method(rng, request):
    """The atlas needs no network; what is tested here is the way of a scan, the same for all."""
    region = getattr(request, "param", BRAIN)
    method = new_method("atlas", region, {"grid_shape": (40, 36, 32), "spacing_mm": (4.0, 4.0, 4.0)})
    for _ in method.train_epoch(list(rng.random((3, 40, 36, 32), dtype=np.float32)), rng):
        pass
    return method


@pytest.mark.parametrize("shape", [(8, 8, 8), (4, 5, 7), (163842, 1, 1), (60, 70, 1)], ids=str)
def test_row_h7_content_that_can_be_no_head_is_said_and_its_map_has_its_shape(shape, write, rng, tmp_path, method):
    path = write(rng.uniform(0.2, 1.0, shape).astype(np.float32))
    [outcome] = predict_folder(path, tmp_path / "out", method)
    assert outcome.status == "done"
    assert outcome.fit
    score_map = nib.load(tmp_path / "out" / "scan.nii.gz")
    assert score_map.shape == shape
    assert np.isfinite(score_map.get_fdata()).all()


def test_nilearn_3898_one_slice_is_not_resampled_to_nothing(write, rng, tmp_path, method):
    predict_folder(write(rng.uniform(0.2, 1.0, (60, 70, 1)).astype(np.float32)), tmp_path / "out", method)
    assert nib.load(tmp_path / "out" / "scan.nii.gz").get_fdata().max() > 0


def test_row_h7_one_voxel_is_a_sentence(write, tmp_path, method):
    [outcome] = predict_folder(write(np.full((1, 1, 1), 0.5, np.float32)), tmp_path / "out", method)
    assert (outcome.status, "every voxel has the value" in outcome.message) == ("failed", True), outcome.message


@pytest.mark.slow
@pytest.mark.parametrize("method", [ABDOM], indirect=True, ids=lambda region: region.name)
def test_totalsegmentator_240_a_ct_of_800_slices_is_scored(rng, tmp_path, method):
    data = np.full((512, 512, 800), -1000, np.int16)  # air
    data[80:430, 140:400] = rng.integers(-100, 150, (350, 260, 1))
    nib.save(nib.Nifti1Image(data, np.diag([0.8, 0.8, 1.0, 1.0])), tmp_path / "scan.nii")
    [outcome] = predict_folder(tmp_path / "scan.nii", tmp_path / "out", method)
    assert outcome.status == "done", outcome.message
    score_map = nib.load(tmp_path / "out" / "scan.nii.gz")
    assert score_map.shape == data.shape
    assert np.asarray(score_map.dataobj[200:210, 200:210, 400]).max() > 0
