"""Gzip at the speed of ISA-L where `isal` is installed, and Python's own elsewhere: the same content and errors."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import nibabel as nib
import numpy as np

GzipFile: Any
DAMAGED: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error)  # what reading a compressed file may raise
try:
    from isal.igzip import IGzipFile as GzipFile
    from isal.igzip_lib import IsalError
except ImportError:  # no wheel for this processor
    GzipFile = gzip.GzipFile
else:
    DAMAGED = (*DAMAGED, cast(type[Exception], IsalError))  # its stubs call it an instance

MAGIC = b"\x1f\x8b"  # that compressed files begin with
FASTEST = 1  # a level of both; higher ones gain a few per cent on score maps
PIECE = 4 * 2**20  # bytes decompressed at once, straight into their place


@contextmanager
def writer(path: Path) -> Iterator[gzip.GzipFile]:
    """A new compressed file; the same content gives the same bytes, whatever the file's name and the hour."""
    with path.open("wb") as raw, GzipFile("", "wb", FASTEST, raw, mtime=0) as file:
        yield file


def read_array(path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """The array that starts at byte `offset` of a compressed file's content.

    Returns
    -------
    ndarray of `shape` and `dtype`, Fortran order

    Raises
    ------
    OSError, EOFError, zlib.error
        When the file is damaged or ends too soon.
    """
    array = np.empty(shape, dtype, order="F")
    target = memoryview(array.reshape(-1, order="F").view(np.uint8))  # type: ignore[arg-type]
    try:
        _fill(target, GzipFile(path, "rb"), offset)
    except DAMAGED:  # what ISA-L refuses, Python may forgive, or name better
        _fill(target, gzip.GzipFile(path, "rb"), offset)
    return array


def read_plain(path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Voxels of an uncompressed file, in memory: a mapped one that is changed meanwhile would end the run."""
    voxels, size = math.prod(shape), path.stat().st_size
    if size < offset + voxels * dtype.itemsize:
        raise EOFError(f"it ends after {size - offset} of {voxels * dtype.itemsize} bytes of voxels")
    stored = np.fromfile(path, dtype, voxels, offset=offset)
    if stored.size < voxels:
        raise EOFError("it was cut off while it was read")
    return stored.reshape(shape, order="F")


def _fill(target: memoryview, file: gzip.GzipFile, offset: int) -> None:
    filled = 0
    with file:
        file.seek(offset)
        while filled < len(target):
            count = file.readinto(target[filled : filled + PIECE])
            if not count:
                raise EOFError(f"it ends after {filled} of {len(target)} bytes of voxels")
            filled += count
        _check_sum(file)


def _check_sum(file: gzip.GzipFile) -> None:
    """Read to the end, where the checksum is compared; foreign bytes after that do no harm."""
    try:
        while file.read(PIECE):
            pass
    except gzip.BadGzipFile as error:
        if not str(error).startswith("Not a gzipped file"):
            raise


def content_size(path: Path) -> int:
    """Bytes in a file, before compression if it is compressed: modulo 2^32 then, and of its last member, as gzip says.

    Raises
    ------
    OSError
        When it cannot be read or has less than four bytes.
    """
    with path.open("rb") as file:
        if file.read(2) != MAGIC:
            return path.stat().st_size
        file.seek(-4, os.SEEK_END)
        return int.from_bytes(file.read(4), "little")


def is_whole_map(path: Path) -> bool:
    """Whether a compressed map is there and not cut short, told by its header and its last four bytes alone."""
    try:
        image: Any = nib.load(path)
        expected = image.dataobj.offset + math.prod(image.shape) * image.dataobj.dtype.itemsize
        return content_size(path) == expected % 2**32
    except Exception:  # nibabel raises whatever a damaged header leads it to
        return False
