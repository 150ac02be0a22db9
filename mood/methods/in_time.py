"""A limit of time on scoring one scan, looked at between steps; what was computed by then is kept where it means much.

A method that scores slice by slice goes through them by `batches_in_time`: slices that it does not come to count as
inconspicuous. One whose map means nothing before its end calls `check`. An ensemble joins the maps that it has.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from mood.errors import ScanError
from mood.methods.slices import batches

log = logging.getLogger(__name__)

_end: ContextVar[float] = ContextVar("end", default=float("inf"))  # on the monotonic clock


class OutOfTime(ScanError):
    """A scan took longer than it may."""


@contextmanager
def until(end: float) -> Iterator[None]:
    """Within, scoring is to end by a time of `time.monotonic`."""
    token = _end.set(end)
    try:
        yield
    finally:
        _end.reset(token)


def is_over() -> bool:
    """Whether the time has passed."""
    return time.monotonic() > _end.get()


def check() -> None:
    """`OutOfTime` when the time has passed."""
    if is_over():
        raise OutOfTime("the time for one scan is over", fix="Give it more with --deadline, or choose another method")


def batches_in_time(indices: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Consecutive pieces of at most `size` indices, until the time has passed; `OutOfTime` if it has at the start."""
    check()
    for count, batch in enumerate(batches(indices, size)):
        if count and is_over():
            log.warning("the time for one scan is over: %d of %d slices were scored", count * size, len(indices))
            return
        yield batch
