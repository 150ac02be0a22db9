"""MetaImage volumes (.mha), which grand-challenge.org has as input and output. Header words: itk.org, MetaIO."""

from __future__ import annotations

import zlib
from pathlib import Path

import nibabel as nib
import numpy as np

from mood.atomic import replacing
from mood.errors import ScanError
from mood.nifti_file import check_readable, check_size, first_line, spatial_shape

TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
ORIGINS, DIRECTIONS = ("Offset", "Position", "Origin"), ("TransformMatrix", "Rotation", "Orientation")
LOCAL = "LOCAL"
LARGEST_HEADER = 2**16  # bytes
TO_RAS = np.diag([-1.0, -1.0, 1.0])  # ITK counts millimetres to the left and to the back
FASTEST = 1  # level of zlib
FIX = "Export it again as one .mha file with a single number a voxel"


def read_mha(path: Path) -> tuple[np.ndarray, nib.Nifti1Header]:
    """Voxels as (X, Y, Z) float32, and a NIfTI header for maps of them.

    Raises
    ------
    ScanError
        When the file is missing, damaged, or no 3-D image of one number a voxel.
    """
    check_readable(path)
    content = path.read_bytes()
    try:
        fields, start = _head(content)
        shape = spatial_shape(tuple(int(n) for n in fields["DimSize"].split()), path)
        check_size(shape, path)
        kind = _kind(fields)
        affine = _affine(fields)
        voxels = _voxels(content[start:], fields, int(np.prod(shape)) * kind.itemsize)
    except (KeyError, ValueError, zlib.error) as error:
        what = f"the file is damaged or no MetaImage that is read here ({first_line(error)})"
        raise ScanError(what, where=path, fix=FIX) from error
    header = nib.Nifti1Image(np.broadcast_to(np.uint8(0), shape), affine).header
    header.set_xyzt_units("mm")
    with np.errstate(over="ignore"):  # beyond float32 becomes infinite and is reported as such
        return np.frombuffer(voxels, kind).astype(np.float32).reshape(shape, order="F"), header


def _head(content: bytes) -> tuple[dict[str, str], int]:
    """The words of the header, and where the voxels start."""
    fields: dict[str, str] = {}
    start = 0
    while "ElementDataFile" not in fields:
        end = content.find(b"\n", start, LARGEST_HEADER)
        if end < 0:
            raise ValueError("its header has no end")
        key, equals, value = content[start:end].decode("ascii").partition("=")
        if not equals:
            raise ValueError(f"its header has a line without '=': {key[:40]!r}")
        fields[key.strip()] = value.strip()
        start = end + 1
    if fields["ElementDataFile"] != LOCAL:
        raise ValueError("its voxels are in another file")
    return fields, start


def _kind(fields: dict[str, str]) -> np.dtype:
    if fields.get("ElementNumberOfChannels", "1") != "1":
        raise ValueError("several numbers a voxel")
    if fields["ElementType"] not in TYPES:
        raise ValueError(f"voxels of type {fields['ElementType']}")
    large_end = fields.get("BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", "False")) == "True"
    return np.dtype(("<", ">")[large_end] + TYPES[fields["ElementType"]])


def _affine(fields: dict[str, str]) -> np.ndarray:
    """Voxel indices to millimetres in RAS; a row of the matrix is where an axis points to, in LPS."""
    spacing = _numbers(fields, ("ElementSpacing", "ElementSize"), [1.0, 1.0, 1.0])
    directions = _numbers(fields, DIRECTIONS, np.eye(3).ravel().tolist()).reshape(3, 3)
    affine = np.eye(4)
    affine[:3, :3] = TO_RAS @ (directions * spacing[:, None]).T
    affine[:3, 3] = TO_RAS @ _numbers(fields, ORIGINS, [0.0, 0.0, 0.0])
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine)) < 1e-12:
        raise ValueError("its axes span no volume")
    return affine


def _numbers(fields: dict[str, str], names: tuple[str, ...], default: list[float]) -> np.ndarray:
    text = next((fields[name] for name in names if name in fields), None)
    values = default if text is None else [float(word) for word in text.split()]
    if len(values) != len(default):
        raise ValueError(f"{names[0]} has {len(values)} numbers instead of {len(default)}")
    return np.array(values)


def _voxels(stored: bytes, fields: dict[str, str], size: int) -> bytes:
    if fields.get("BinaryData", "True") != "True":
        raise ValueError("its voxels are text")
    if fields.get("CompressedData", "False") == "True":
        stored = zlib.decompressobj().decompress(stored, size)
    if len(stored) < size:
        raise ValueError(f"it ends after {len(stored)} of {size} bytes of voxels")
    return stored[:size]


def write_mha(path: Path, data: np.ndarray, affine: np.ndarray) -> None:
    """Write a volume as compressed float32, whole or not at all.

    Parameters
    ----------
    path : pathlib.Path
        Ends in `.mha`.
    data : (X, Y, Z) ndarray
    affine : (4, 4) ndarray
        Voxel indices to millimetres in RAS.

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    spacing = nib.affines.voxel_sizes(affine)
    directions = (TO_RAS @ affine[:3, :3] / spacing).T
    voxels = zlib.compress(np.asarray(data, "<f4").tobytes(order="F"), FASTEST)
    fields = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "True",
        "CompressedDataSize": str(len(voxels)),
        "TransformMatrix": _words(directions.ravel()),
        "Offset": _words(TO_RAS @ affine[:3, 3]),
        "CenterOfRotation": "0 0 0",
        "AnatomicalOrientation": "".join(OPPOSITE[code] for code in nib.aff2axcodes(affine)),
        "ElementSpacing": _words(spacing),
        "DimSize": " ".join(map(str, data.shape)),
        "ElementType": "MET_FLOAT",
        "ElementDataFile": LOCAL,
    }
    head = "".join(f"{key} = {value}\n" for key, value in fields.items())
    with replacing(path) as temporary:
        temporary.write_bytes(head.encode("ascii") + voxels)


# ITK names the side that an axis comes from, nibabel the one that it goes to.
OPPOSITE = {"R": "L", "L": "R", "A": "P", "P": "A", "S": "I", "I": "S"}


def _words(values: np.ndarray) -> str:
    return " ".join(f"{value:.17g}" for value in values + 0.0)
