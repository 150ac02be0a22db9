"""On how many threads this process computes, whatever computes: engines, linear algebra, what reads ahead."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

# What libraries read when they are imported: OpenMP (PyTorch, niimath), linear algebra, TensorFlow, JAX.
VARIABLES = (
    *(f"{library}_NUM_THREADS" for library in ("OMP", "OPENBLAS", "MKL")),
    *(f"TF_NUM_{kind}_THREADS" for kind in ("INTRAOP", "INTEROP")),
    "NPROC",
)
LIMIT = "MOOD_THREADS"  # what `limit_threads` was told last, for this process and those that it starts


def thread_count() -> int:
    """On how many threads this process computes: what `limit_threads` was told, else what it may use."""
    told = os.environ.get(LIMIT, "")
    return int(told) if told.isdecimal() and int(told) > 0 else available_processors()


def available_processors() -> int:
    """The processors that this process may use: by its affinity, and by the quota of its control groups."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = (_quota(folder) for folder in _control_groups())
    return max(1, min([bound, *(math.ceil(quota) for quota in quotas if quota is not None)]))


def _control_groups(listing: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> list[Path]:
    """The folders of the groups that this process is in, and of those they are in (version 2, and 1)."""
    try:
        lines = [line.split(":", 2) for line in listing.read_text().splitlines()]
    except OSError:
        return []
    found: list[Path] = []
    for _, controllers, name in (line for line in lines if len(line) == 3):
        if controllers == "" or "cpu" in controllers.split(","):
            top = root / controllers if controllers else root
            inner = top / name.lstrip("/")
            found += [folder for folder in (inner, *inner.parents) if folder.is_relative_to(top)]
    return found


def _quota(folder: Path) -> float | None:
    """How many processors' time a control group may use; None where it is not limited."""
    with contextlib.suppress(OSError, ValueError):
        quota, period = (folder / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    with contextlib.suppress(OSError, ValueError):
        quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return None if int(quota) < 0 else int(quota) / int(period)
    return None


def is_limited() -> bool:
    """Whether that is less than the machine has, so that libraries have to be told."""
    return thread_count() < (os.cpu_count() or 1)


def limit_threads(count: int | None) -> int:
    """Have every engine and library compute on so many threads, or on as many as this process may use.

    Called before a backend is imported, which reads the variables that this sets; linear algebra that is there
    already is told. Where `count` is None, variables that the user set himself stay.

    Returns
    -------
    int
        How many that are.
    """
    if count is not None:
        os.environ.update(dict.fromkeys((LIMIT, *VARIABLES), str(count)))
    if is_limited():
        from threadpoolctl import threadpool_limits

        for variable in VARIABLES:
            os.environ.setdefault(variable, str(thread_count()))
        threadpool_limits(
            int(os.environ["OMP_NUM_THREADS"]) if os.environ["OMP_NUM_THREADS"].isdigit() else thread_count()
        )
    return thread_count()
