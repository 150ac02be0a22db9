"""What SIGINT, SIGTERM and SIGHUP do: what is in hand is dropped or finished, the record written, a sentence said.

The exit status is 128 and the number of the signal: 130, 143, 129. `begin` is called before anything that takes time
is imported.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any, NoReturn

WORDS = {"SIGINT": "interrupted", "SIGTERM": "told to end (SIGTERM)", "SIGHUP": "the terminal was closed (SIGHUP)"}
PATIENCE = 5.0  # seconds in which a second signal changes nothing, for the first one is being obeyed

_received: list[tuple[int, float]] = []  # the first signal and when it came
_ending: list[bool] = []


def begin() -> None:
    """Answer signals from now on, but not those that the caller wants ignored, as nohup does."""
    _received.clear()
    _ending.clear()
    if threading.current_thread() is not threading.main_thread():
        return
    for name in WORDS:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _answer)


def end() -> None:
    """From now on there is nothing to save: a signal ends the process at once."""
    _ending.append(True)


def status() -> int:
    """The exit status of a process that was interrupted."""
    return 128 + (_received[0][0] if _received else signal.SIGINT)


def sentence() -> str:
    """What is said of the signal that came."""
    name = signal.Signals(status() - 128).name
    return f"mood: {WORDS.get(name, name)}; run the same command again to go on"


def leave() -> NoReturn:
    """End the process at once."""
    os.write(2, f"{sentence()}\n".encode())
    os._exit(status())


def unraisable(found: Any) -> None:
    """An interruption that reached code which cannot pass it on, such as a finaliser, still ends the process."""
    if _received and isinstance(found.exc_value, KeyboardInterrupt):
        leave()
    sys.__unraisablehook__(found)


@atexit.register  # this module is imported before what else registers, so that it comes last
def _heed_no_more() -> None:
    """Python gives signals back their default as it ends, and one more would change the exit status."""
    for name in WORDS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is _answer:
            signal.signal(number, signal.SIG_IGN)


def _answer(number: int, frame: FrameType | None) -> None:
    if _received and time.monotonic() - _received[0][1] < PATIENCE:
        return
    again = bool(_received)
    if not again:
        _received.append((number, time.monotonic()))
    if again or _ending or _importing(frame):
        leave()
    raise KeyboardInterrupt


def _importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported, which may catch whatever is raised and say something else."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
