"""Scans of every bad kind, for a folder that mixes them with good ones.

    python scripts/bad_scans.py SCAN.nii.gz FOLDER

Prints a line with the names of those that nobody can score. The others look bad and are not: their names, types or
headers are odd, and they hold the scan.
"""

from __future__ import annotations

import argparse
import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np

LONG = "n" * 200
SHAPE, SFORM, SLOPE = slice(40, 56), slice(280, 296), slice(112, 116)  # bytes of a NIfTI-1 header
Content = Callable[[np.ndarray, np.ndarray], bytes]


def packed(data: np.ndarray, affine: np.ndarray) -> bytes:
    return gzip.compress(nib.Nifti1Image(data, affine).to_bytes(), 1)


def patched(data: np.ndarray, affine: np.ndarray, where: slice, value: np.ndarray) -> bytes:
    """The scan with other bytes in its header."""
    content = bytearray(nib.Nifti1Image(data, affine).to_bytes())
    content[where] = value.tobytes()
    return gzip.compress(bytes(content), 1)


def big_endian(data: np.ndarray, affine: np.ndarray) -> bytes:
    header = nib.Nifti1Header(endianness="big")
    header.set_data_dtype(">f4")
    return gzip.compress(nib.Nifti1Image(data, affine, header).to_bytes(), 1)


UNREADABLE: dict[str, Content] = {
    "empty": lambda data, affine: b"",
    "half_a_header": lambda data, affine: packed(data, affine)[:100],
    "no_gzip": lambda data, affine: b"\x1f\x8b\x08" + bytes(range(256)),
    "two_axes": lambda data, affine: packed(data[:, :, data.shape[2] // 2], affine),
    "two_times": lambda data, affine: packed(np.stack([data, data], -1), affine),
    "all_nan": lambda data, affine: packed(np.full_like(data, np.nan), affine),
    "one_nan": lambda data, affine: packed(np.where(np.indices(data.shape).sum(0) == 0, np.nan, data), affine),
    "constant": lambda data, affine: packed(np.full_like(data, 0.5), affine),
    "complex": lambda data, affine: packed(data.astype(np.complex64), affine),
    "colour": lambda data, affine: packed(np.zeros(data.shape, [(name, "u1") for name in "RGB"]), affine),
    "claims_30000_cubed": lambda data, affine: patched(
        data, affine, SHAPE, np.array([3, 30000, 30000, 30000, 1, 1, 1, 1], "<i2")
    ),
    "no_voxels": lambda data, affine: patched(data, affine, SHAPE, np.array([3, 0, 20, 16, 1, 1, 1, 1], "<i2")),
}
ODD: dict[str, Content] = {
    LONG: packed,
    "name with spaces, 'quotes' & ümläute": packed,
    "nan_in_sform": lambda data, affine: patched(data, affine, SFORM, np.full(4, np.nan, "<f4")),
    "nan_as_slope": lambda data, affine: patched(data, affine, SLOPE, np.array([np.nan], "<f4")),
    "big_endian": big_endian,
    "doubles": lambda data, affine: packed(data.astype(np.float64), affine),
    "one_time": lambda data, affine: packed(data[..., None], affine),
    "not_compressed": lambda data, affine: nib.Nifti1Image(data, affine).to_bytes(),
    "in_metres": lambda data, affine: packed(data, np.diag([0.001, 0.001, 0.001, 1]) @ affine),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Scans of every bad kind.")
    parser.add_argument("scan", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    scan = nib.load(options.scan)
    data = np.asarray(scan.dataobj, np.float32)
    for name, content in {**UNREADABLE, **ODD}.items():
        (options.folder / f"{name}.nii.gz").write_bytes(content(data, scan.affine))
    (options.folder / "dangling.nii.gz").symlink_to("nowhere.nii.gz")
    print(*(f"{name}.nii.gz" for name in (*UNREADABLE, "dangling")))


if __name__ == "__main__":
    main()
