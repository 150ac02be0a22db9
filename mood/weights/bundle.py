"""Several HDF5 files in one, for what can only be written to or read from a path of its own."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

PART = "part.weights.h5"


@contextmanager
def new_hdf5(path: Path) -> Iterator[h5py.File]:
    """A new HDF5 file, made in memory and written at once: HDF5 itself may not survive a disk that is full."""
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        yield file
    path.write_bytes(memory.getbuffer())


def write_bundle(path: Path, parts: dict[str, Callable[[Path], None]], notes: str = "") -> None:
    """Let each part write a file of its own and keep them all in `path`, with a text beside them."""
    with new_hdf5(path) as bundle, tempfile.TemporaryDirectory() as folder:
        bundle.attrs["notes"] = notes
        for name, write in parts.items():
            write(Path(folder) / PART)
            with h5py.File(Path(folder) / PART, "r") as part:
                group = bundle.create_group(name)
                group.attrs.update(part.attrs)
                for key in part:
                    part.copy(key, group)
            (Path(folder) / PART).unlink()


def read_bundle(path: Path, parts: dict[str, Callable[[Path], None]]) -> None:
    """Hand each part of `path` back as a file of its own; `KeyError` when there is none of a name."""
    with h5py.File(path, "r") as bundle, tempfile.TemporaryDirectory() as folder:
        for name, read in parts.items():
            with h5py.File(Path(folder) / PART, "w") as part:
                part.attrs.update(bundle[name].attrs)
                for key in bundle[name]:
                    bundle.copy(f"{name}/{key}", part)
            read(Path(folder) / PART)


def read_notes(path: Path) -> str:
    """The text kept in a bundle."""
    with h5py.File(path, "r") as bundle:
        return str(bundle.attrs["notes"])
