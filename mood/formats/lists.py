"""Where scans are named: lists, text files with a path on each line, and folders, of which not all is a scan."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mood.errors import NoInputError

log = logging.getLogger(__name__)

NAMED = 5  # of the files that are left out of a folder


def is_list(path: Path) -> bool:
    """Whether a file is a list, by its name."""
    return path.suffix.lower() == ".txt"


def read_list(source: Path) -> list[Path]:
    """The scans that a list names, each once, in its order; those that are missing fail by themselves."""
    lines = source.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines()
    named = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not named:
        raise NoInputError("the list names no scan", where=source, fix="Write the path of a scan on each line")
    return list(dict.fromkeys(source.parent / name for name in named))


@contextmanager
def permitted(source: Path) -> Iterator[None]:
    """Within, it is a sentence that a list or folder may not be read."""
    try:
        yield
    except PermissionError as error:
        what, fix = f"the input may not be read ({error.strerror})", "Its folders need the permissions r and x"
        raise NoInputError(what, where=source, fix=fix) from error


def name_left_out(paths: list[Path], folder: Path) -> None:
    """One line in the log on what of a folder is no scan."""
    if paths:
        names = ", ".join(p.name + "/" * p.is_dir() for p in paths[:NAMED])
        more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
        text = os.fsencode(names).decode("utf-8", "backslashreplace")
        log.warning("%s: left out, being no scans or labels of some: %s%s", folder, text, more)
