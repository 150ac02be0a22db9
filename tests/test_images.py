import io
import re

import nibabel as nib
import numpy as np
import pytest

from mood.errors import NoInputError, ScanError, UsageError
from mood.images import as_volume
from mood.volume import find_scans, load, save_map

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


def test_row_h1_images_of_freesurfer_and_pairs_are_scans_of_a_folder(scan, tmp_path, write):
    affine = np.array([[-2.0, 0, 0, 20], [0, 0, 2.5, -30], [0, -1.5, 0, 25], [0, 0, 0, 1]])
    folder = write(scan, "a.nii.gz", affine).parent
    nib.save(nib.MGHImage(scan, affine), folder / "b.mgz")
    nib.save(nib.Nifti1Pair(scan, affine), folder / "c.img")
    found = find_scans(folder)
    assert [path.name for path in found] == ["a.nii.gz", "b.mgz", "c.hdr"]
    expected = load(found[0])
    for path in (*found, folder / "c.img"):
        volume = load(path)
        np.testing.assert_allclose(volume.data, expected.data)
        np.testing.assert_allclose(volume.affine, affine, atol=1e-5)
        save_map(volume.data, volume.header, volume.affine, tmp_path / "map.nii.gz")
        np.testing.assert_allclose(nib.load(tmp_path / "map.nii.gz").affine, affine, atol=1e-5)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # nibabel leaves a file open
@pytest.mark.parametrize("name", ["b.mgz", "c.hdr", "d.mgh"])
def test_row_h1_a_damaged_one_is_a_sentence(scan, tmp_path, name):
    nib.save(nib.MGHImage(scan, np.eye(4)), tmp_path / "b.mgz")
    nib.save(nib.Nifti1Pair(scan, np.eye(4)), tmp_path / "c.img")
    (tmp_path / "c.img").unlink()
    (tmp_path / "d.mgh").write_bytes(b"hello" * 100)
    content = (tmp_path / "b.mgz").read_bytes()
    (tmp_path / "b.mgz").write_bytes(content[: len(content) // 2])
    with pytest.raises(ScanError, match=re.escape(name)):
        load(tmp_path / name)


def test_a_list_names_scans_from_its_own_folder(write, scan, tmp_path):
    first = write(scan, "a.nii.gz")
    (tmp_path / "list.txt").write_text(f"# controls\nin/a.nii.gz\n\n{first}\nin/gone.nii.gz\n")
    assert find_scans(tmp_path / "list.txt") == [tmp_path / "in" / "a.nii.gz", tmp_path / "in" / "gone.nii.gz"]
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfin/a.nii.gz\r\n  \r\n")  # as Windows writes it
    assert find_scans(tmp_path / "list.txt") == [tmp_path / "in" / "a.nii.gz"]
    (tmp_path / "list.txt").write_text("\n# none\n")
    with pytest.raises(NoInputError, match="names no scan"):
        find_scans(tmp_path / "list.txt")


def test_an_uncompressed_scan_that_is_overwritten_later_stays_as_it_was_read(write, scan):
    path = write(scan, "a.nii")
    volume = load(path)
    path.write_bytes(bytes(path.stat().st_size))
    np.testing.assert_array_equal(volume.data, scan)
