"""Work ahead of whoever consumes it: an iterator whose items are made in a thread of their own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")

POLL_SECONDS = 0.2  # how soon the thread notices that nobody wants more


def prefetched(source: Iterable[Item], ahead: int = 4) -> Iterator[Item]:
    """The items of `source` in their order, up to `ahead` of them made before they are asked for.

    What `source` raises is raised here. When the consumer stops, so does the thread.
    """
    made: queue.Queue[tuple[str, Any]] = queue.Queue(ahead)
    stopped = threading.Event()
    thread = threading.Thread(target=_make, args=(source, made, stopped), daemon=True)
    thread.start()
    try:
        while True:
            what, item = made.get()
            if what == "end":
                return
            if what == "error":
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()


def _make(source: Iterable, made: queue.Queue, stopped: threading.Event) -> None:
    try:
        for item in source:
            if not _put(made, ("item", item), stopped):
                return
        _put(made, ("end", None), stopped)
    except BaseException as error:
        _put(made, ("error", error), stopped)


def _put(made: queue.Queue, item: tuple[str, Any], stopped: threading.Event) -> bool:
    while not stopped.is_set():
        try:
            made.put(item, timeout=POLL_SECONDS)
        except queue.Full:
            continue
        return True
    return False
