"""Where a process of a training on several machines keeps its files: the first in the folder, the others beside it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mood.engines import devices
from mood.errors import UsageError
from mood.methods import Method


@contextmanager
def own_folder(target: Path, lock: str) -> Iterator[Path]:
    """The folder to train in; no machine begins before all are ready, and none leaves before all are done.

    Parameters
    ----------
    target : pathlib.Path
        The output folder, which every machine sees, so that all go on from the same state.
    lock : str
        The file in it that is the first machine's own.
    """
    if devices.leaves_files():
        devices.wait_for_all()
        yield target
    else:
        with tempfile.TemporaryDirectory(prefix="mood-train-") as folder:
            for path in target.glob("*"):
                if path.is_file() and path.name != lock:
                    shutil.copy2(path, folder)
            devices.wait_for_all()
            yield Path(folder)
    devices.wait_for_all()


def check_shares(method: Method) -> None:
    """`UsageError` for a method that cannot share its batches out, where there are several devices."""
    if devices.count() > 1 and not method.shares_batches:
        what = f"method '{method.name}' trains on one device"
        raise UsageError(what, fix="Leave out --devices and --hosts, or choose fpi or mix")
