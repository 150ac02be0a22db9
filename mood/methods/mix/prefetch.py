"""Work ahead of whoever consumes it: items made in a thread of their own, or in several, in their order."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from mood.engines.threads import thread_count

Item = TypeVar("Item")
Result = TypeVar("Result")

POLL_SECONDS = 0.2  # how soon the thread notices that nobody wants more


def mapped(function: Callable[[Item], Result], items: Iterable[Item], ahead: int) -> Iterator[Result]:
    """`function` of each item in their order, up to `ahead` of them worked on before they are asked for.

    On as many threads as there are processors, but no more than `ahead`. What `function` raises is raised here.
    """
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(min(ahead, thread_count()))
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


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
