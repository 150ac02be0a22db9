"""Maps and labels are read as the official scorer reads them, from whatever type and scaling they have."""

import nibabel as nib
import numpy as np
import pytest

from mood.errors import ScanError
from mood.evaluation.label_files import case_name, find_pairs, read_label_map, read_sample_score, read_score_map

SHAPE = (24, 20, 16)


def save(voxels, path, dtype=np.float32, scaling=(1.0, 0.0)):
    """Write a NIfTI file with stored values and a scaling of our choice."""
    image = nib.Nifti1Image(voxels.astype(dtype), np.diag([0.9, 1.1, 1.3, 1.0]))
    image.header.set_data_dtype(dtype)
    image.header.set_slope_inter(*scaling)
    nib.save(image, path)


@pytest.mark.parametrize(
    ("dtype", "scaling"),
    [
        (np.float32, (1.0, 0.0)),
        (np.float64, (1.0, 0.0)),
        (np.uint16, (2.0**-15, 0.0)),
        (np.uint16, (1 / 65535, 0.0)),
        (np.int16, (1 / 32000, 0.1)),
        (np.uint8, (1.0, 0.0)),
        (np.float32, (1 / 3, -0.2)),
    ],
)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_maps_are_read_bit_for_bit_as_nibabel_reads_float16(tmp_path, dtype, scaling, suffix):
    path = tmp_path / f"map{suffix}"
    stored = np.random.default_rng(0).uniform(-1, 2, SHAPE)
    largest = 1 if np.issubdtype(dtype, np.floating) else min(np.iinfo(dtype).max / 2, 1 / scaling[0])
    lowest = 0 if np.issubdtype(dtype, np.unsignedinteger) else -np.inf
    save(np.maximum(stored * largest, lowest), path, dtype, scaling)
    expected = np.clip(nib.load(path).get_fdata(dtype=np.float16), 0, 1)
    read = read_score_map(path, SHAPE)
    assert read.dtype == np.float16
    np.testing.assert_array_equal(read, expected)
    assert len(np.unique(read)) > 1


def test_label_voxels_are_rounded(tmp_path):
    path = tmp_path / "label.nii.gz"
    values = np.array([-1, -0.3, 0, 0.4, 0.5, 0.6, 1, 1.5, 2, 3, 0, 1]).reshape(2, 3, 2)
    save(values, path)
    official = np.clip(np.rint(nib.load(path).get_fdata()).astype(int), 0, 1) == 1
    assert 0 < official.sum() < official.size
    np.testing.assert_array_equal(read_label_map(path), official)


def test_pairs_go_by_name_and_ignore_what_is_no_label(tmp_path):
    labels, predictions = tmp_path / "labels", tmp_path / "predictions"
    for folder in (labels, predictions):
        folder.mkdir()
    for name in ("b.nii", "a.nii.gz", ".hidden.nii.gz", "notes.md", "a.nii.gz.txt"):
        (labels / name).touch()
    pixel = find_pairs(labels, predictions, "pixel")
    assert [pair.name for pair in pixel] == ["a", "b"]
    assert [pair.prediction for pair in pixel] == [predictions / "a.nii.gz", predictions / "b.nii"]
    assert [pair.label.name for pair in find_pairs(labels, predictions, "sample")] == ["a.nii.gz.txt"]


@pytest.mark.parametrize(("file", "mode"), [("x.1.nii.gz", "pixel"), ("x.1.nii.gz.txt", "sample")])
def test_case_name_is_without_suffixes(tmp_path, file, mode):
    assert case_name(tmp_path / file, mode) == "x.1"


@pytest.mark.parametrize(
    ("content", "score"),
    [("0.25\nrest", 0.25), ("7", 1.0), ("-1", 0.0), ("1e-9", 1e-9), (" inf ", np.inf), ("-inf", -np.inf)],
)
def test_sample_score_is_the_clipped_first_line_where_that_is_finite(tmp_path, content, score):
    path = tmp_path / "x.nii.gz.txt"
    path.write_text(content)
    assert read_sample_score(path) == score


def test_running_out_of_memory_is_not_an_unreadable_file(tmp_path, monkeypatch):
    path = tmp_path / "map.nii.gz"
    save(np.zeros(SHAPE), path)

    def exhausted(path):
        raise MemoryError

    monkeypatch.setattr(nib, "load", exhausted)
    with pytest.raises(MemoryError):
        read_score_map(path, SHAPE)


def test_errors_name_the_file_and_the_shapes(tmp_path):
    path = tmp_path / "map.nii.gz"
    with pytest.raises(ScanError, match=r"no such file.*map\.nii\.gz"):
        read_score_map(path, SHAPE)
    save(np.zeros(SHAPE), path)
    with pytest.raises(ScanError, match=r"\(24, 20, 16\), its label \(16, 20, 24\).*map\.nii\.gz"):
        read_score_map(path, SHAPE[::-1])
