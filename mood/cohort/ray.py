"""The parts of a cohort as Ray tasks: on this machine, or on a Ray cluster whose nodes all see the same folders.

Maps and scores go to the output folder and rows to the records of parts, as everywhere; Ray moves no image. A part
whose worker dies is begun again elsewhere and does what is missing.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mood.cohort.parts import Part
from mood.errors import MoodError, UsageError
from mood.installation import advice
from mood.run_record import Outcome
from mood.runtime import installed

LOCAL = "local"
RETRIES = 3
SCANS_PER_TASK = 20  # few enough to spread evenly; workers stay, so a further part costs next to no start
OBJECT_STORE = 80 * 2**20  # bytes; the least that Ray takes
SECONDS_TO_ANSWER = 5.0
PORT = re.compile(r"(?:ray://)?\[?(?P<host>[^\]]+?)\]?:(?P<port>\d{1,5})")

log = logging.getLogger(__name__)


def run_parts(
    work: Callable[[Part], list[Outcome]],
    parts: Sequence[Part],
    address: str,
    threads: int = 1,
    retries: int = RETRIES,
) -> Iterator[tuple[Part, list[Outcome]]]:
    """Have Ray do `work` for every part, each on `threads` processors.

    Parameters
    ----------
    work : callable
        Done for each part by a worker, with the same software.
    parts : sequence of Part
    address : str
        "local" for this machine, else HOST:PORT or ray://HOST:PORT.
    threads, retries : int
        How often a part is begun again when its worker dies.

    Yields
    ------
    Part, list of Outcome
        As parts end. One whose workers died every time is left out, and named in the log.

    Raises
    ------
    UsageError
        When Ray is not installed, or nothing answers at the address.
    MoodError
        What `work` raised.
    """
    with _session(address) as ray:
        task = ray.remote(num_cpus=threads, max_retries=retries, max_calls=0)(_sentences_for_errors)
        running = {task.remote(work, part): part for part in parts}
        while running:
            (ended,), _ = ray.wait(list(running), num_returns=1)
            part = running.pop(ended)
            try:
                outcomes, refused = ray.get(ended)
            except ray.exceptions.RayError as error:
                why = (str(error).strip().splitlines() or [type(error).__name__])[0]
                log.error("part %s was given up after %d retries: %s", part, retries, why)
                continue
            if refused is not None:
                raise _Refused(*refused)
            yield part, outcomes


class _Refused(MoodError):
    """What a worker could not do, as it said it."""

    def __init__(self, what: str, where: str | None, fix: str, exit_code: int) -> None:
        super().__init__(what, where=where, fix=fix)
        self.exit_code = exit_code


def _sentences_for_errors(work: Callable[[Part], list[Outcome]], part: Part) -> tuple[list[Outcome], Any]:
    """The outcomes, and what was refused: errors of three parts do not travel between processes."""
    try:
        return work(part), None
    except MoodError as error:
        where = None if error.where is None else str(error.where)
        return [], (error.what, where, error.fix, error.exit_code)


@contextmanager
def _session(address: str) -> Iterator[Any]:
    """Ray, begun here or found at the address, and let go of at the end."""
    if not installed("ray"):
        raise UsageError("Ray is not installed", fix=advice("ray"))
    if address != LOCAL:
        _check_answers(address)
    elif not os.environ.get("RAY_AUTH_MODE"):  # else Ray leaves a token in ~/.ray, and later clusters ask for it
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # it would report its use over the network
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # a task that asks for no GPU sees none
    import ray

    options: dict[str, Any] = {"address": address, "log_to_driver": False, "logging_level": logging.ERROR}
    if address == LOCAL:
        options |= {"include_dashboard": False, "object_store_memory": OBJECT_STORE}
    try:
        ray.init(**options)
    except Exception as error:  # Ray raises bare ones too, when its processes do not start in time
        what = f"Ray cannot be used ({(str(error).strip().splitlines() or [type(error).__name__])[0]})"
        fix = "Check the address, that both sides have one version of Ray, and RAY_AUTH_MODE=token if it wants a token"
        if address == LOCAL:
            fix = "Try again when less runs on this machine, or leave out --ray"
        raise UsageError(what, where=address, fix=fix) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """`UsageError` when nobody listens there: Ray itself would try for minutes."""
    found = PORT.fullmatch(address)
    if not found:
        fix = f"Write --ray HOST:PORT, or --ray {LOCAL} for this machine"
        raise UsageError("this is no address of a Ray cluster", where=address, fix=fix)
    try:
        socket.create_connection((found["host"], int(found["port"])), SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError) as error:
        fix = f"Check that the cluster runs (ray status), or write --ray {LOCAL} for this machine"
        raise UsageError("no Ray cluster answers at this address", where=address, fix=fix) from error


def parts_for(scans: int) -> list[Part]:
    """All parts that so many scans make."""
    return Part(1, max(1, -(-scans // SCANS_PER_TASK)), "--ray").every()
