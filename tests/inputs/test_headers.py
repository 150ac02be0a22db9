"""Headers as people have them. Each is written by changing bytes of a plain file, as its makers did."""

import gzip
import os
import struct

import nibabel as nib
import numpy as np
import pytest

from mood.conform import conform
from mood.errors import ScanError
from mood.regions import BRAIN, Grid
from mood.volume import load, save_map

S, P, U = 280, 76, 123  # offsets of srow, pixdim and xyzt_units
GRID = Grid((64, 64, 64), (3.4, 3.4, 3.4))
AFFINE = np.array([[2.0, 0, 0, -70], [0, 2.0, 0, -80], [0, 0, 2.0, -60], [0, 0, 0, 1]])
NAN = float("nan")


@pytest.fixture
def brain(rng):
    data = np.zeros((84, 100, 84), np.uint8)
    data[2:80, 4:94, 3:79] = rng.integers(20, 255, (78, 90, 76))
    return data


@pytest.fixture
def header(tmp_path, brain):
    """header(*edits) writes a plain file with some bytes changed: (offset, format, values...)."""

    def header(*edits, cut=None):
        image = nib.Nifti1Image(brain, AFFINE)
        image.set_sform(AFFINE, 1)
        image.set_qform(AFFINE, 1)
        image.header.set_xyzt_units("mm")
        content = bytearray(image.to_bytes())
        for offset, form, *values in edits:
            struct.pack_into("<" + form, content, offset, *values)
        path = tmp_path / "scan.nii"
        path.write_bytes(content[:348] + content[352:] if cut else content)
        return path

    return header


def metres(factor, unit):
    rows = AFFINE[:3].copy() * factor
    return ((P, "4f", 1, *[2 * factor] * 3), (S, "12f", *rows.ravel()), (268, "3f", *rows[:, 3]), (U, "b", unit))


RIGHT = {
    "metres": metres(1e-3, 1),
    "metres said to be millimetres": metres(1e-3, 2),
    "metres of no unit": metres(1e-3, 0),
    "centimetres": metres(0.1, 2),
    "micrometres": metres(1e3, 3),
    "micrometres said to be millimetres": metres(1e3, 2),
    "millimetres said to be metres": metres(1.0, 1),
    "millimetres said to be micrometres": metres(1.0, 3),
    "a sform of 1 mm": ((S, "12f", *np.column_stack([np.eye(3), AFFINE[:3, 3]]).ravel()),),
    "a sform of zeros": ((S, "12f", *[0.0] * 12),),
    "a sform with one Inf": ((S, "f", float("inf")),),
    "a sform with one NaN": ((S, "f", NAN),),
    "a quaternion with NaN": ((256, "f", NAN),),
    "a quaternion with NaN alone": ((256, "f", NAN), (252, "hh", 1, 0)),
    "a degenerate sform": ((S, "12f", *[1.0, 1, 1, 0] * 3),),
    "pixdim and qform of 1 mm": ((P, "4f", 1, 1, 1, 1),),
    "pixdim of NaN": ((P, "4f", 1, NAN, NAN, NAN),),
    "no codes": ((252, "hh", 0, 0),),
    "vox_offset 0": ((108, "f", 0.0),),
    "vox_offset 8": ((108, "f", 8.0),),
    "vox_offset NaN": ((108, "f", NAN),),
    "vox_offset negative": ((108, "f", -352.0),),
    "vox_offset 348": ((108, "f", 348.0),),
    "vox_offset Inf": ((108, "f", float("inf")),),
    "the magic of NIfTI-2": ((344, "4s", b"n+2\0"),),
    "a magic without its end": ((344, "4s", b"n+1x"),),
    "decimetres": metres(1e-2, 0),
    "a sform of 4 mm": ((S, "12f", *(AFFINE[:3] * 2).ravel()),),
    "a sform of 1e30": ((S, "f", 1e30),),
    "pixdim of 0": ((P, "4f", 1, 0, 0, 0),),
    "codes that do not exist": ((252, "hh", 99, -3),),
    "a negative time unit": ((U, "b", -1),),
    "a qform of another orientation": ((256, "3f", 0, 0, 1),),
    "a shear": ((S, "12f", *(AFFINE[:3] @ (np.eye(4) + 0.1 * np.eye(4, k=1))).ravel()),),
    "a fourth axis of 1": ((40, "5h", 4, 84, 100, 84, 1),),
    "sizes of axes that are not there": ((40, "8h", 3, 84, 100, 84, 9, -3, 77, 0),),
    "qfac 0": ((P, "f", 0.0),),
    "slope NaN": ((112, "f", NAN),),
}


@pytest.mark.parametrize("edits", RIGHT.values(), ids=RIGHT.keys())
def test_fault_10_and_rows_c_and_f1_a_header_that_is_wrong_gives_the_scan_that_is_right(header, edits, tmp_path):
    right, _ = conform(load(header()), BRAIN, GRID)
    volume = load(header(*edits))
    data, placement = conform(volume, BRAIN, GRID)
    aligned = max(np.corrcoef(data.ravel(), other.ravel())[0, 1] for other in (right, right[::-1]))
    assert aligned > 0.9
    score_map = placement.restore(data)
    assert score_map.shape == volume.data.shape
    save_map(score_map, volume.header, volume.affine, tmp_path / "map.nii.gz")
    assert np.isfinite(nib.load(tmp_path / "map.nii.gz").affine).all()


@pytest.mark.parametrize("packed", [False, True])
def test_voxels_that_begin_right_after_the_header(header, brain, packed):
    for offset in (348.0, 0.0):
        path = header((108, "f", offset), cut=True)
        if packed:
            path.write_bytes(gzip.compress(path.read_bytes()))
        np.testing.assert_array_equal(load(path).data, brain)


def test_row_h6_what_nibabel_mends_is_said_once_and_with_the_scan(header, caplog, capfd):
    caplog.set_level("INFO")
    path = header((P, "4f", 0, -2, -2, -2))
    load(path)
    said = [record.getMessage() for record in caplog.records]
    assert said
    assert len(set(said)) == len(said)
    assert all(text.startswith(str(path)) for text in said)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("order", ["<", ">"])
def test_voxels_after_extensions_are_found_where_the_offset_is_0(brain, tmp_path, kind, order, packed):
    image = kind(brain, AFFINE, kind.header_class(endianness=order))
    image.header.extensions.extend(nib.nifti1.Nifti1Extension("comment", b"some words " * n) for n in (3, 9))
    content = bytearray(image.to_bytes())
    offset, form = (108, "f") if kind is nib.Nifti1Image else (168, "q")
    struct.pack_into(order + form, content, offset, 0)
    path = tmp_path / "scan.nii"
    path.write_bytes(gzip.compress(content) if packed else content)
    volume = load(path)
    np.testing.assert_array_equal(volume.data, brain)
    assert len(volume.header.extensions) == 2


@pytest.mark.parametrize(
    "name", ["metres said to be millimetres", "a sform of 1 mm", "a sform of zeros", "vox_offset 0"]
)
def test_what_was_repaired_is_said_with_the_scan(header, name, caplog):
    path = header(*RIGHT[name])
    conform(load(path), BRAIN, GRID)
    assert caplog.records
    assert all(str(path) in record.getMessage() for record in caplog.records)


WRONG = {
    "an unknown data type": (((70, "h", 999),), "data code 999"),
    "RGB": (((70, "hh", 128, 24),), "RGB"),
    "a negative size": (((42, "h", -72),), "cannot be read as NIfTI"),
    "dimensions of FreeSurfer": (((40, "4h", 3, -1, 1, 1),), "cannot be read as NIfTI"),
    "eight dimensions": (((40, "h", 8),), "8 dimensions"),
    "no dimensions": (((40, "h", 0),), "no voxels"),
    "32 TiB": (((40, "4h", 3, 32767, 32767, 32767),), "MOOD_MAX_VOXELS"),
    "an offset beyond all files": (((108, "f", 9.9e9),), "begin at byte"),
    "an infinite intercept": (((112, "2f", 1.0, float("inf")),), "intercept"),
    "an axis of no voxels": (((42, "h", 0),), "no voxels"),
    "no voxels along a fourth axis": (((40, "5h", 4, 84, 100, 84, 0),), "no voxels"),
    "two dimensions": (((40, "h", 2),), "2-D"),
    "RGBA": (((70, "hh", 2304, 32),), "RGB"),
    "bits": (((70, "hh", 1, 1),), "binary"),
    "long doubles": (((70, "hh", 1536, 128),), "float128"),
    "an intercept of NaN": (((112, "2f", 1.0, NAN),), "intercept"),
    "another magic": (((344, "4s", b"xyz\0"),), "magic"),
}


@pytest.mark.parametrize(("edits", "words"), WRONG.values(), ids=WRONG.keys())
def test_fault_24_and_row_g_a_header_that_cannot_be_meant_is_a_sentence(header, edits, words):
    path = header(*edits)
    with pytest.raises(ScanError, match=words) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_fault_17_voxels_a_million_times_longer_than_wide_are_a_sentence(header):
    sides = (1e-6, 300.0, 300.0)
    path = header((P, "4f", 1, *sides), (S, "12f", *np.column_stack([np.diag(sides), [0, 0, 0]]).ravel()))
    with pytest.raises(ScanError, match="of no body"):
        conform(load(path), BRAIN, GRID)


def test_fault_18_a_small_file_of_many_zeros_is_refused_before_memory_is_taken(tmp_path, monkeypatch):
    image = nib.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4))
    content = bytearray(image.to_bytes())
    struct.pack_into("<4h", content, 40, 3, 100, 100, 100)
    (tmp_path / "bomb.nii.gz").write_bytes(gzip.compress(bytes(content) + bytes(10**6)))
    monkeypatch.setenv("MOOD_MAX_VOXELS", "999999")
    with pytest.raises(ScanError, match="1000000 voxels, and no more than 999999"):
        load(tmp_path / "bomb.nii.gz")


def test_row_h3_suffixes_that_lie_are_read_by_content(header, brain, tmp_path):
    content = header().read_bytes()
    (tmp_path / "a.nii.gz").write_bytes(content)
    (tmp_path / "b.nii").write_bytes(gzip.compress(content))
    for name in ("a.nii.gz", "b.nii"):
        np.testing.assert_array_equal(load(tmp_path / name).data, brain)


def test_row_h4_what_is_no_file_is_said(header, tmp_path):
    (tmp_path / "folder.nii.gz").mkdir()
    (tmp_path / "link.nii.gz").symlink_to("../.git/annex/objects/gone")
    (tmp_path / "ring.nii.gz").symlink_to("ring.nii.gz")
    os.mkfifo(tmp_path / "pipe.nii.gz")
    for name, words in (
        ("folder", "folder"),
        ("link", "annex/objects/gone"),
        ("ring", "may not be read"),
        ("pipe", "no regular file"),
    ):
        with pytest.raises(ScanError, match=words):
            load(tmp_path / f"{name}.nii.gz")
