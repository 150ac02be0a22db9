import gzip
import os
from contextlib import contextmanager
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mood.compression import is_whole_map
from mood.errors import NoInputError, OutputError, ScanError
from mood.run_record import read_score
from mood.volume import find_scans, load, save_map, save_score, scan_name

OBLIQUE = np.array([[0, -1.5, 0.3, 7], [2.0, 0, 0, -5], [0.1, 0, 3.0, 2], [0, 0, 0, 1]])


@pytest.fixture
def as_nobody(tmp_path):
    """as_nobody() is without root's rights on files while it lasts; folders above stay open to it."""

    @contextmanager
    def as_nobody():
        if os.geteuid():
            yield
            return
        for folder in (tmp_path, *tmp_path.parents[:-2]):
            folder.chmod(folder.stat().st_mode | 0o011)
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    return as_nobody


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_every_data_type_is_read_as_float32(write, scan, dtype, suffix, gzip_kind):
    stored = (scan * 100).astype(dtype)
    volume = load(write(stored, f"scan{suffix}"))
    assert volume.data.dtype == np.float32
    np.testing.assert_array_equal(volume.data, stored.astype(np.float32))


@pytest.mark.parametrize("order", ["<", ">"])
def test_byte_order_and_scaling_are_applied(tmp_path, scan, order, gzip_kind):
    image = nib.Nifti1Image((scan * 100).astype(np.int16), np.eye(4), nib.Nifti1Header(endianness=order))
    image.header.set_slope_inter(0.5, -3.0)
    nib.save(image, tmp_path / "scan.nii.gz")
    expected = (scan * 100).astype(np.int16) * np.float32(0.5) - np.float32(3)
    np.testing.assert_allclose(load(tmp_path / "scan.nii.gz").data, expected, rtol=1e-6)


def test_a_trailing_axis_of_length_one_is_no_fourth_dimension(write, scan):
    assert load(write(scan[..., None])).data.shape == scan.shape


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwritten(compressed: bytes) -> bytes:
    """Compressed bytes with some in the middle lost."""
    half = len(compressed) // 2
    return compressed[:half] + bytes(1000) + compressed[half + 1000 :]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda p: p.unlink(), "no such file"),
        (lambda p: p.write_bytes(b""), "empty"),
        (lambda p: p.write_bytes(b"not a scan at all" * 50), "cannot be read as NIfTI"),
        (lambda p: p.write_bytes(gzip.compress(b"not a scan at all" * 50)), "cannot be read as NIfTI"),
        (truncated, "damaged or cut off"),
        (lambda p: p.write_bytes(gzip.compress(gzip.decompress(p.read_bytes())[:-7])), "damaged or cut off"),
        (lambda p: p.write_bytes(overwritten(p.read_bytes())), "damaged or cut off"),
    ],
)
def test_a_file_that_is_no_whole_scan_is_refused_by_name(write, scan, damage, words, gzip_kind):
    path = write(scan)
    damage(path)
    with pytest.raises(ScanError, match=words) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_a_truncated_uncompressed_file_is_refused(write, scan):
    path = write(scan, "scan.nii")
    truncated(path)
    with pytest.raises(ScanError, match="damaged or cut off"):
        load(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.zeros((5, 4, 3, 2), np.float32), "not 3-D"),
        (np.zeros((5, 4), np.float32), "not 3-D"),
        (np.full((5, 4, 3), 7, np.float32), "every voxel has the value 7"),
        (np.ones((5, 4, 3), np.complex64), "complex64"),
    ],
)
def test_what_is_no_scan_is_refused(write, data, words):
    with pytest.raises(ScanError, match=words):
        load(write(data))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted(write, scan, value):
    scan[3, 2, 1] = value
    with pytest.raises(ScanError, match="1 of 7680 voxels"):
        load(write(scan))


def test_a_float64_beyond_float32_is_not_finite(write, scan):
    big = scan.astype(np.float64)
    big[0, 0, 0] = 1e300
    with pytest.raises(ScanError, match="NaN or infinite"):
        load(write(big))


@pytest.mark.parametrize(("qcode", "scode"), [(1, 0), (0, 2), (1, 4), (0, 0)])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_a_map_keeps_the_geometry_of_its_scan(tmp_path, scan, qcode, scode, kind):
    affine = OBLIQUE if scode else np.diag([2.0, 1.5, 3.0, 1.0])
    image = kind((scan * 9).astype(np.int16), affine)
    image.set_qform(affine, qcode, strip_shears=True)
    image.set_sform(affine, scode)
    image.header.set_xyzt_units("mm", "sec")
    image.header["descrip"] = b"a scan"
    nib.save(image, tmp_path / "scan.nii.gz")
    volume = load(tmp_path / "scan.nii.gz")
    save_map(scan, volume.header, volume.affine, tmp_path / "map.nii.gz")
    before, after = nib.load(tmp_path / "scan.nii.gz"), nib.load(tmp_path / "map.nii.gz")
    assert type(after) is kind
    changed = {key for key in before.header if before.header[key].tobytes() != after.header[key].tobytes()}
    assert changed <= {"datatype", "bitpix", "scl_slope", "scl_inter", "cal_max", "cal_min"}
    np.testing.assert_array_equal(before.affine, after.affine)
    np.testing.assert_allclose(after.get_fdata(), scan, atol=2**-16)


def test_a_map_of_a_method_says_how_to_show_it(write, scan, tmp_path):
    volume = load(write(scan))
    save_map(scan, volume.header, volume.affine, tmp_path / "map.nii.gz", (0.25, 0.5))
    header = nib.load(tmp_path / "map.nii.gz").header
    assert (float(header["cal_min"]), float(header["cal_max"])) == (0.25, 0.5)
    assert header.get_intent() == ("estimate", (), "mood")


def test_a_map_keeps_zero_and_one_exactly_and_never_leaves_the_range(tmp_path, write, scan):
    volume = load(write(scan))
    score_map = np.linspace(-0.5, 1.5, scan.size, dtype=np.float32).reshape(scan.shape)
    score_map.flat[:2] = 0.0, 1.0
    save_map(score_map, volume.header, volume.affine, tmp_path / "map.nii.gz")
    back = nib.load(tmp_path / "map.nii.gz").get_fdata()
    assert (back.flat[0], back.flat[1], back.min(), back.max()) == (0.0, 1.0, 0.0, 1.0)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("endianness", ["<", ">"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_a_map_file_is_what_nibabel_would_write(tmp_path, scan, gzip_kind, kind, endianness, order):
    header = kind.header_class(endianness=endianness)
    header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"a note of some length"))
    header.set_data_shape((*scan.shape, 1))
    save_map(np.asarray(scan, order=order), header, OBLIQUE, tmp_path / "map.nii.gz")
    header = header.copy()
    header.set_data_dtype(np.uint16)
    header["cal_max"] = 1.0
    stored = np.rint(scan[..., None] * 2**15).astype(np.uint16)
    image = kind(stored, OBLIQUE, header)
    image.header.set_slope_inter(2**-15, 0)
    assert gzip.decompress((tmp_path / "map.nii.gz").read_bytes()) == image.to_bytes()


def test_writing_twice_gives_the_same_bytes(tmp_path, write, scan):
    volume = load(write(scan))
    for name in ("a.nii.gz", "b.nii.gz"):
        save_map(scan, volume.header, volume.affine, tmp_path / name)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_a_score_is_one_number_in_range(tmp_path):
    save_score(1.7, tmp_path / "x.nii.gz.txt")
    assert (tmp_path / "x.nii.gz.txt").read_text() == "1.000000\n"


def test_nothing_half_written_stays(tmp_path, write, scan, gzip_kind, small_disk):
    volume = load(write(scan))
    (tmp_path / "out").mkdir()
    with small_disk(2000), pytest.raises(OutputError, match="File too large"):
        save_map(scan, volume.header, volume.affine, tmp_path / "out" / "map.nii.gz")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_map_that_is_cut_short_is_no_whole_map(tmp_path, write, scan):
    volume, path = load(write(scan)), tmp_path / "map.nii.gz"
    save_map(scan, volume.header, volume.affine, path)
    assert is_whole_map(path)
    content = path.read_bytes()
    for cut in (b"", content[:1], content[:200], content[: len(content) // 2], content[:-1], b"no map" * 99):
        path.write_bytes(cut)
        assert not is_whole_map(path)
    path.unlink()
    assert not is_whole_map(path)


@pytest.mark.parametrize("text", ["", "high\n", "nan\n", "1.5\n", "-0.1\n", "0.5 0.6\n"])
def test_a_damaged_score_is_none(tmp_path, text):
    (tmp_path / "score.txt").write_text(text)
    assert read_score(tmp_path / "score.txt") is None
    save_score(0.25, tmp_path / "score.txt")
    assert read_score(tmp_path / "score.txt") == 0.25


def test_a_name_of_the_greatest_length_is_written(tmp_path, write, scan):
    volume, path = load(write(scan)), tmp_path / ("n" * 248 + ".nii.gz")
    save_map(scan, volume.header, volume.affine, path)
    assert is_whole_map(path)


def test_scans_are_found_by_name_without_their_labels(tmp_path):
    for name in ("b.nii.gz", "a.nii", "a_label.nii.gz", "lone_label.nii.gz", ".hidden.nii.gz", "notes.txt"):
        (tmp_path / name).touch()
    assert [scan_name(p) for p in find_scans(tmp_path)] == ["a", "b", "lone_label"]


def test_fault_33_what_is_left_out_of_a_folder_is_named_in_one_line(tmp_path, caplog):
    for name in ("a.NII.GZ", "b.Nii", "a_label.nii.gz", "c.nrrd", "d.dcm", ".hidden.nii.gz"):
        (tmp_path / name).touch()
    (tmp_path / "deeper").mkdir()
    assert [scan_name(p) for p in find_scans(tmp_path)] == ["a", "b"]
    (record,) = caplog.records
    assert record.getMessage().endswith("a_label.nii.gz, c.nrrd, d.dcm, deeper/")
    assert [scan_name(p) for p in find_scans(tmp_path, with_labels=True)] == ["a", "a_label", "b"]


def test_one_file_is_a_scan(write, scan):
    path = write(scan)
    assert find_scans(path) == [path]


def test_a_folder_without_scans_is_no_input(tmp_path):
    with pytest.raises(NoInputError, match=r"no \.nii"):
        find_scans(tmp_path)
    with pytest.raises(NoInputError, match="no such input folder"):
        find_scans(tmp_path / "missing")


@pytest.mark.parametrize("mode", [0o000, 0o644, 0o311], ids=oct)
def test_a_folder_that_may_not_be_read_is_a_sentence(write, scan, mode, as_nobody):
    folder = write(scan).parent
    folder.chmod(mode)
    try:
        with as_nobody(), pytest.raises(NoInputError, match="the input may not be read"):
            find_scans(folder)
    finally:
        folder.chmod(0o755)


def test_the_repr_teaches_shape_spacing_orientation_and_size(write, scan):
    assert repr(load(write(scan))) == "Volume(scan.nii.gz: 24 x 20 x 16, 1 x 2 x 3 mm, RAS, 0 MiB)"


@pytest.mark.parametrize("place", [0.1, 0.5])
def test_fault_24_a_compressed_file_with_a_run_of_zeros_is_a_sentence(write, rng, gzip_kind, place):
    path = write(rng.random((30, 28, 26)).astype(np.float32))
    content = bytearray(path.read_bytes())
    start = int(len(content) * place)
    content[start : start + 4000] = bytes(4000)
    path.write_bytes(content)
    with pytest.raises(ScanError, match="damaged"):
        load(path)


@pytest.mark.parametrize("place", range(12, 60, 3))
def test_fault_24_a_compressed_header_that_is_damaged_is_a_sentence_or_read(write, scan, gzip_kind, place):
    path = write(scan)
    content = bytearray(path.read_bytes())
    content[place : place + 3] = b"\xff\x00\xff"
    path.write_bytes(content)
    with pytest.raises(ScanError):
        load(path)


def test_fault_11_a_score_that_is_no_number_is_not_written(tmp_path):
    with pytest.raises(ScanError, match="score is nan"):
        save_score(float("nan"), tmp_path / "a.txt")
    assert not (tmp_path / "a.txt").exists()
