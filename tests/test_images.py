import io

import nibabel as nib
import numpy as np
import pytest

from mood.errors import ScanError, UsageError
from mood.images import as_volume
from mood.volume import load, save_map

AFFINE = np.array([[0, 2.0, 0, -20], [-1.5, 0, 0, 30], [0, 0, 3.0, 5], [0, 0, 0, 1]])


def test_text_path_image_and_volume_are_one_scan(write, scan):
    path = write(scan, affine=AFFINE)
    expected = load(path)
    for given in (str(path), path, nib.load(path), expected):
        volume = as_volume(given)
        np.testing.assert_array_equal(volume.data, expected.data)
        np.testing.assert_array_equal(volume.affine, AFFINE)
        assert volume.data.dtype == np.float32
        assert volume.path == path


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_an_image_in_memory_needs_no_file(scan, tmp_path, dtype):
    data = (scan * 200).astype(dtype)
    image = nib.Nifti1Image(data, AFFINE)
    assert image.get_filename() is None
    volume = as_volume(image)
    np.testing.assert_array_equal(volume.data, data.astype(np.float32))
    save_map(scan, volume.header, volume.affine, tmp_path / "map.nii.gz")
    np.testing.assert_allclose(nib.load(tmp_path / "map.nii.gz").get_fdata(), scan, atol=2**-15)
    np.testing.assert_array_equal(image.get_fdata(), data)


def test_what_was_changed_in_memory_counts(write, scan):
    image = nib.load(write(scan))
    changed = nib.Nifti1Image(image.get_fdata() * 2, image.affine, image.header)
    np.testing.assert_allclose(as_volume(changed).data, 2 * scan, rtol=1e-6)


@pytest.mark.parametrize("kind", [nib.Nifti2Image, nib.Spm99AnalyzeImage, nib.MGHImage])
def test_an_image_of_another_type_gets_a_map_of_nifti(scan, tmp_path, kind):
    image = kind(scan, np.diag([1.0, 2.0, 3.0, 1.0]))
    volume = as_volume(image)
    np.testing.assert_array_equal(volume.data, scan)
    save_map(scan, volume.header, volume.affine, tmp_path / "map.nii.gz")
    np.testing.assert_allclose(nib.load(tmp_path / "map.nii.gz").affine, image.affine)


def test_an_image_that_was_read_from_bytes(scan):
    image = nib.Nifti1Image.from_bytes(nib.Nifti1Image(scan[..., None], AFFINE).to_bytes())
    np.testing.assert_array_equal(as_volume(image).data, scan)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda scan: np.stack([scan, scan], axis=-1), "4-D"),
        (lambda scan: scan[0], "2-D"),
        (lambda scan: np.where(scan > 0.9, np.nan, scan), "NaN"),
        (lambda scan: np.zeros_like(scan), "every voxel has the value 0"),
        (lambda scan: scan.astype(np.complex64), "of type complex64"),
        (lambda scan: scan.astype(np.float64) * 1e300, "infinite"),
    ],
)
def test_an_image_that_is_no_scan_is_a_sentence(scan, change, message):
    with pytest.raises(ScanError, match=message):
        as_volume(nib.Nifti1Image(change(scan), AFFINE))


def test_an_image_whose_file_is_gone_or_cut(write, scan):
    path = write(scan, "scan.nii")
    image = nib.load(path)
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(ScanError, match="cannot be read"):
        as_volume(image)
    path.unlink()
    with pytest.raises(ScanError, match="cannot be read"):
        as_volume(image)


@pytest.mark.parametrize("thing", [np.ones((3, 4, 5)), io.BytesIO(), None, 7])
def test_what_is_no_image_is_a_sentence(thing):
    with pytest.raises(UsageError, match=f"a scan cannot be a {type(thing).__name__}"):
        as_volume(thing)
