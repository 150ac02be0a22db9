import zlib

import nibabel as nib
import numpy as np
import pytest

from mood.errors import ScanError
from mood.formats.mha import read_mha, write_mha

SHAPE = (24, 20, 16)
# As ITK wrote it for an image that is turned by 0.3 rad, and the affine that ITK gave the same image as NIfTI.
ITK_HEADER = """\
ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = {compressed}
TransformMatrix = 0.95533648912560598 0.29552020666133955 0 -0.29552020666133955 0.95533648912560598 0 0 0 -1
Offset = 10 -20 30
CenterOfRotation = 0 0 0
AnatomicalOrientation = RAS
ElementSpacing = 1 2 3
DimSize = 24 20 16
ElementType = {kind}
ElementDataFile = LOCAL
"""
COS, SIN = 0.955336489, 0.295520207
ITK_AFFINE = [[-COS, 2 * SIN, 0, -10], [-SIN, -2 * COS, 0, 20], [0, 0, -3, 30], [0, 0, 0, 1]]


@pytest.fixture
def mha(tmp_path):
    """mha(voxels, **changes) writes a file as ITK does; a change of a header word, or None to leave it out."""

    def mha(voxels, kind="MET_FLOAT", compressed=False, **changes):
        head = ITK_HEADER.format(compressed=compressed, kind=kind)
        for word, value in changes.items():
            lines = [line for line in head.splitlines() if not line.startswith(word)]
            head = "\n".join([*([] if value is None else [f"{word} = {value}"]), *lines]) + "\n"
        path = tmp_path / "scan.mha"
        path.write_bytes(head.encode() + (zlib.compress(voxels) if compressed else voxels))
        return path

    return mha


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("kind", "dtype"), [("MET_FLOAT", "<f4"), ("MET_SHORT", "<i2"), ("MET_UCHAR", "u1"), ("MET_DOUBLE", "<f8")]
)
def test_what_itk_wrote_is_read_as_itk_reads_it(mha, rng, kind, dtype, compressed):
    voxels = rng.uniform(0, 200, SHAPE).astype(dtype)
    data, header = read_mha(mha(voxels.tobytes(order="F"), kind, compressed))
    np.testing.assert_array_equal(data, voxels.astype(np.float32))
    np.testing.assert_allclose(header.get_best_affine(), ITK_AFFINE, atol=1e-6)


def test_the_byte_order_is_that_of_the_header(mha, rng):
    voxels = rng.integers(-500, 500, SHAPE).astype(">i2")
    data, _ = read_mha(mha(voxels.tobytes(order="F"), "MET_SHORT", BinaryDataByteOrderMSB="True"))
    np.testing.assert_array_equal(data, voxels)


@pytest.mark.parametrize("axes", ["RAS", "LPS", "PIR"])
def test_what_is_written_is_read_again(tmp_path, rng, axes):
    data = rng.uniform(0, 1, SHAPE).astype(np.float32)
    turned = nib.orientations.inv_ornt_aff(nib.orientations.axcodes2ornt(axes), SHAPE)
    affine = np.diag([1.0, 2.0, 3.0, 1.0]) @ turned
    write_mha(tmp_path / "map.mha", data, affine)
    again, header = read_mha(tmp_path / "map.mha")
    np.testing.assert_array_equal(again, data)
    np.testing.assert_allclose(header.get_best_affine(), affine, atol=1e-5)
    assert nib.aff2axcodes(header.get_best_affine()) == nib.aff2axcodes(affine)


VOXELS = np.zeros(SHAPE, np.float32).tobytes()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"DimSize": "24 20"}, "2"),
        ({"DimSize": "24 20 many"}, "many"),
        ({"DimSize": "24 20 17"}, "ends after"),
        ({"DimSize": None}, "DimSize"),
        ({"ElementSpacing": "0 1 1"}, "no volume"),
        ({"ElementSpacing": "1 1"}, "2 numbers instead of 3"),
        ({"ElementType": "MET_STRING"}, "MET_STRING"),
        ({"ElementNumberOfChannels": "3"}, "several numbers"),
        ({"CompressedData": "True"}, "damaged"),
        ({"BinaryData": "False"}, "text"),
    ],
)
def test_a_damaged_file_is_a_sentence(mha, changes, said):
    with pytest.raises(ScanError, match=said):
        read_mha(mha(VOXELS, **changes))


@pytest.mark.parametrize("content", [b"", b"no header", b"\x00" * 100, b"ElementDataFile = other.raw\n"])
def test_what_is_no_metaimage_is_a_sentence(tmp_path, content):
    (tmp_path / "scan.mha").write_bytes(content)
    with pytest.raises(ScanError):
        read_mha(tmp_path / "scan.mha")


def test_a_small_file_that_swells_is_not_let(mha):
    data, _ = read_mha(mha(VOXELS + bytes(10**7), compressed=True))
    assert data.shape == SHAPE
