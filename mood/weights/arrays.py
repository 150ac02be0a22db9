"""The file of arrays in a weights folder: written small, and looked through before a method takes it in."""

from __future__ import annotations

import hashlib
from pathlib import Path

import h5py
import numpy as np

from mood.errors import LOWER_RATE, TrainingError, WeightsError
from mood.weights.bundle import new_hdf5

MOST_VALUES = 2**27  # in one file: half a GiB, forty times the largest weights shipped
FIX = "Restore the file from its source"
DAMAGED = "the weights file is damaged: its SHA-256 differs from config.json"


def _stored(item: h5py.Dataset) -> np.ndarray:
    narrow = item.dtype == np.float32 and item.ndim >= 2
    with np.errstate(over="ignore"):  # becomes infinite, which is said
        values = np.asarray(item[()], np.float16 if narrow else item.dtype)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        what = f"training diverged: the weights {item.name} are not finite, or too large for float16"
        raise TrainingError(what, fix=LOWER_RATE)
    return values


def halve_matrices(source: Path, target: Path) -> None:
    """Copy an HDF5 file with matrices and kernels as float16; vectors (biases, statistics) stay float32."""
    with h5py.File(source, "r") as full, new_hdf5(target) as half:
        half.attrs.update(full.attrs)

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                options = {"compression": "gzip"} if item.compression else {}
                copied = half.create_dataset(name, data=_stored(item), **options)
            else:
                copied = half.require_group(name)
            copied.attrs.update(item.attrs)

        full.visititems(copy)


def check_arrays(path: Path) -> None:
    """Look through an HDF5 file of arrays; what it claims to hold is checked before memory is taken for it.

    Raises
    ------
    WeightsError
        When it cannot be read, is too large, or holds what is no finite number.
    """
    try:
        with h5py.File(path, "r") as file:
            arrays: list[h5py.Dataset] = []
            file.visititems(lambda _, item: arrays.append(item) if isinstance(item, h5py.Dataset) else None)
            if sum(array.size or 0 for array in arrays) > MOST_VALUES:
                raise WeightsError(f"the weights file claims more than {MOST_VALUES} values", where=path, fix=FIX)
            for array in arrays:
                _check_array(array, path)
    except WeightsError:
        raise
    except Exception as error:  # h5py tells damage by any of a dozen types
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"the weights file cannot be read ({reason})", where=path, fix=FIX) from error


def _check_array(array: h5py.Dataset, path: Path) -> None:
    if array.shape is None or array.dtype.kind not in "fiu" or not np.isfinite(array[()]).all():
        what = f"the weights file holds what is no number ({array.name})"
        raise WeightsError(what, where=path, fix="Train the weights again, or restore the file from its source")


def verified(path: Path, digest: str) -> Path:
    """The path; `WeightsError` when there is no file, or its bytes are not those of the SHA-256 `digest`."""
    if not path.is_file():
        raise WeightsError("the weights file is missing", where=path, fix=FIX)
    if checksum(path) != digest:
        raise WeightsError(DAMAGED, where=path, fix=FIX)
    return path


def checksum(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
