"""Files that appear whole or not at all, and folders that one process at a time works in.

What is written goes to a private folder beside its place, then to the disk, and then takes its place by a rename. A
private folder is locked while its process lives. The kernel lets go of the lock however that process ends, so what a
killed one left behind is told from what another is writing, in whatever container.
"""

from __future__ import annotations

import csv
import errno
import io
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mood.errors import OutputError, UsageError

try:
    import fcntl
except ImportError:  # not on Windows, where nothing is locked and what was left behind stays
    fcntl = None  # type: ignore[assignment]

PARTIAL = ".partial."  # begins the name of a private folder
NO_FOLLOW, FOLDER = getattr(os, "O_NOFOLLOW", 0), getattr(os, "O_DIRECTORY", 0)
HDF5_FAULT = re.compile("error message = '([^']*)'")  # of a system call, in an error that may be of any type


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path of the same name in a private folder; what the block writes there becomes `path` when it succeeds.

    A link at `path` is replaced, never followed. When the block fails, `path` stays as it was.

    Raises
    ------
    OutputError
        When anything cannot be written.
    """
    try:
        with private_folder(path.parent) as folder:
            yield folder / path.name
            _flush(folder / path.name)
            (folder / path.name).replace(path)
        with suppress(OSError):  # some file systems have no such call for folders
            _flush(path.parent)
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not HDF5_FAULT.search(str(error)):
            raise
        raise _unwritable(path, error) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all; what UTF-8 cannot hold, as in some file names, is escaped."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")


def append_row(path: Path, columns: Sequence[str], row: Sequence[Any]) -> None:
    """Add a row to a CSV file, which starts with `columns`; numbers get six digits. The file stays whole."""
    before = path.read_bytes() if path.exists() else b""
    text = io.StringIO()
    writer = csv.writer(text)
    if not before:
        writer.writerow(columns)
    writer.writerow([value if isinstance(value, str) else f"{value:.6g}" for value in row])
    with replacing(path) as temporary:
        temporary.write_bytes(before + text.getvalue().encode())


def claim(path: Path, text: str) -> bool:
    """Write a text file where there is none yet; False when there is one, also when another process was faster."""
    try:
        with private_folder(path.parent) as folder:
            write_text(folder / path.name, text)
            os.link(folder / path.name, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if path.exists():
            return False
        write_text(path, text)
    return True


@contextmanager
def private_folder(parent: Path) -> Iterator[Path]:
    """A new folder in `parent` that no other process touches; gone with its content when the block ends."""
    folder, lock = _new_private_folder(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _new_private_folder(parent: Path) -> tuple[Path, int | None]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=parent))
        if fcntl is None:
            return folder, None
        with suppress(FileNotFoundError):  # another process may take it for left behind before it is locked
            handle = os.open(folder, os.O_RDONLY)
            if _lock(handle) is not False and _is_at(handle, folder):
                return folder, handle
            os.close(handle)


def remove_stale(folder: Path) -> None:
    """Remove what killed processes left half-written in a folder; what living ones are writing stays."""
    for path in folder.glob(f"{PARTIAL}*"):
        with suppress(OSError):
            handle = os.open(path, os.O_RDONLY | FOLDER | NO_FOLLOW)
            if _lock(handle):
                shutil.rmtree(path, ignore_errors=True)
            os.close(handle)


def check_writable(folder: Path) -> None:
    """Create an output folder where there is none; `OutputError` when it cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with private_folder(folder):
            pass
    except OSError as error:
        what = f"the output folder cannot be written ({error.strerror or error})"
        raise OutputError(what, where=folder, fix="Check its permissions, or name another one") from error


@contextmanager
def taking_turns(folder: Path) -> Iterator[None]:
    """One process at a time is within this block for a folder, the others wait; where there are no locks, all are."""
    handle = None
    with suppress(OSError):  # Windows opens no folder, some network file systems know no locks
        handle = os.open(folder, os.O_RDONLY)
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; it says who holds it, and goes when the block ends.

    Raises
    ------
    UsageError
        When another process holds it. One that was left by a killed process is taken over.
    """
    handle = _locked_file(path)
    try:
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _locked_file(path: Path) -> int:
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | NO_FOLLOW, 0o666)
        except OSError as error:
            raise _unwritable(path, error) from error
        if _lock(handle) is False:
            holder = os.read(handle, 200).decode(errors="replace").strip() or "it names itself in a moment"
            os.close(handle)
            fix = "Wait until it ends, or name another output folder"
            raise UsageError(f"another process is at work in this folder ({holder})", where=path.parent, fix=fix)
        if _is_at(handle, path):
            return handle
        os.close(handle)  # its last holder has just removed it


def _lock(handle: int) -> bool | None:
    """Whether the lock of an open file or folder is ours now; None where the system cannot tell."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems know no locks
        return None
    return True


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def concerns_all(error: Exception) -> bool:
    """Whether an output could not be written for a reason that holds for all others too."""
    return isinstance(error, OutputError) and getattr(error.__cause__, "errno", None) != errno.ENAMETOOLONG


def _unwritable(path: Path, error: Exception) -> OutputError:
    fault = HDF5_FAULT.search(str(error))
    cause = fault[1] if fault else getattr(error, "strerror", None) or str(error) or type(error).__name__
    return OutputError(f"the output cannot be written ({cause})", where=path, fix="Check free space and permissions")
