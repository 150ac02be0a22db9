"""Checkpoints of a training: arrays and what is to be known of them in one file, with a checksum.

    the HDF5 file that a method writes | newline, facts as one line of JSON, newline | SHA-256 of all before it

HDF5 reads its own part and ignores what stands behind it. The checkpoint before the newest is kept beside it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mood.atomic import replacing

log = logging.getLogger(__name__)

DIGEST = 64  # characters of a SHA-256
LONGEST_FACTS = 2**16  # bytes


@dataclass(frozen=True)
class Checkpoint:
    """A whole one: its file, whose arrays a method can read, and the facts kept with them."""

    path: Path
    facts: dict[str, Any]


def save(path: Path, write: Callable[[Path], None], facts: dict[str, Any]) -> None:
    """Let `write` write arrays, add the facts, and put both in the place of the checkpoint at `path`.

    Raises
    ------
    OutputError
        When it cannot be written; the checkpoint that was there stays.
    """
    with replacing(path) as temporary:
        _check_space(path)
        write(temporary)
        with temporary.open("ab") as file:
            file.write(f"\n{json.dumps(facts)}\n".encode())
        digest = _digest(temporary)
        with temporary.open("ab") as file:
            file.write(digest.encode())
        if path.exists():
            path.replace(before(path))


def _check_space(path: Path) -> None:
    """Fail before HDF5 does, which may not survive a full disk: a checkpoint takes what the one before it took."""
    if path.exists() and shutil.disk_usage(path.parent).free < path.stat().st_size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def newest(path: Path) -> Checkpoint | None:
    """The newest whole checkpoint; None when there is none. A damaged one is named, and goes for the one before."""
    facts, older = _facts(path), _facts(before(path))
    if facts is not None:
        return Checkpoint(path, facts)
    if path.exists():
        instead = "there is none before it" if older is None else "the one before it is used"
        log.warning("%s is damaged or cut off; %s", path, instead)
    if older is None:
        return None
    before(path).replace(path)
    return Checkpoint(path, older)


def before(path: Path) -> Path:
    """Where the checkpoint before the newest is kept."""
    return path.with_name(f"previous-{path.name}")


def _facts(path: Path) -> dict[str, Any] | None:
    """The facts of a checkpoint; None when its file is missing, cut off or altered."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(0, size - LONGEST_FACTS))
            *_, line, digest = file.read().split(b"\n")
        return json.loads(line) if digest.decode() == _digest(path, size - DIGEST) else None
    except (OSError, ValueError):
        return None


def _digest(path: Path, length: int | None = None) -> str:
    """SHA-256 of the first `length` bytes of a file, of all when not given."""
    digest, left = hashlib.sha256(), path.stat().st_size if length is None else length
    with path.open("rb") as file:
        while left > 0 and (piece := file.read(min(left, 2**22))):
            digest.update(piece)
            left -= len(piece)
    return digest.hexdigest()
