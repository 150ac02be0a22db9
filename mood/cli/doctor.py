"""Whether everything that scoring and training need is there, and how to mend what is not.

for finding in examine():
    print(finding.state, finding.name, finding.text, finding.fix)
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mood import __version__, engines, installation, runtime
from mood.errors import MoodError
from mood.weights.store import WeightsFolder, packaged_weights

GOOD, WARNING, BAD = "good", "warning", "bad"
LEAST_TEMPORARY = 100 * 2**20  # bytes that backends may put there
# GiB at most for one scan of a region, start included (README, speed and memory).
NEEDED_GIB = {"brain": 1.0, "abdom": 2.0}
CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
DRIVER = Path("/proc/driver/nvidia/version")
SECONDS_FOR_DOCKER = 10


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    state : {'good', 'warning', 'bad'}
        As it should be; works, but not as well as it could; does not work.
    fix : str
        How to mend it; empty where there is nothing to mend.
    """

    name: str
    state: str
    text: str
    fix: str = ""


def examine() -> Iterator[Finding]:
    """Look at one thing after another."""
    yield Finding("version", GOOD, f"{installation.DISTRIBUTION} {__version__}, Python {platform.python_version()}")
    yield temporary_folder()
    yield from running_engines()
    yield gpu()
    yield memory(available_bytes())
    for found in packaged_weights():
        yield whole_weights(found)
    yield containers()


def temporary_folder() -> Finding:
    """Backends need one that can be written to."""
    name = "temporary folder"
    try:
        folder = tempfile.gettempdir()
    except FileNotFoundError:
        fix = "Set TMPDIR to a folder that can be written to; mood predict takes its output folder meanwhile"
        return Finding(name, WARNING, "none can be written to", fix)
    free = shutil.disk_usage(folder).free
    text = f"{folder}, {free / 2**30:.1f} GiB free"
    if free < LEAST_TEMPORARY:
        return Finding(name, BAD, text, "Free some space, or set TMPDIR to another folder")
    return Finding(name, GOOD, text)


def running_engines() -> Iterator[Finding]:
    """What can run networks, and what runs them when nothing is said."""
    for kind in engines.ENGINES.values():
        if kind.available():
            yield Finding(f"engine {kind.name}", GOOD, "is installed")
        else:
            yield Finding(f"engine {kind.name}", WARNING, "is not installed", installation.advice(kind.extra))
    try:
        chosen = engines.choose()
        yield Finding("default engine", GOOD, f"{chosen.name} {chosen.version()}, on {chosen.device()}")
    except MoodError as error:
        yield Finding("default engine", BAD, error.what, error.fix)


def gpu() -> Finding:
    """Whether there is a GPU, its driver, and a backend that can use it."""
    if not runtime.has_gpu():
        return Finding("GPU", GOOD, "none: everything runs on the processor, and training takes long")
    driver = DRIVER.read_text(encoding="utf-8", errors="replace").splitlines()[0] if DRIVER.is_file() else "no driver"
    try:
        names = runtime.gpus()
    except Exception as error:  # a driver that is broken can fail in any way
        return Finding("GPU", BAD, f"cannot be used ({error})", "Update its driver")
    if not names:
        fix = f"{installation.advice('gpu')}, and see that nvidia-smi lists it"
        return Finding("GPU", WARNING, f"there is one, but no backend uses it ({driver})", fix)
    return Finding("GPU", GOOD, f"{', '.join(names)} ({driver})")


def available_bytes() -> int | None:
    """Memory that this process may still take; None where the system does not say."""
    known = [int(limit) for path in CGROUP_LIMITS if (limit := _text(path)).isdigit()]
    for line in _text("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            known.append(int(line.split()[1]) * 1024)
    return min(known) if known else None


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def memory(available: int | None) -> Finding:
    """Whether a scan of each region fits."""
    if available is None:
        return Finding("memory", WARNING, "this system does not tell how much is free")
    gib = available / 2**30
    short = [region for region, needed in NEEDED_GIB.items() if gib < needed]
    text = f"{gib:.1f} GiB can be taken; a scan needs at most " + ", ".join(
        f"{needed:g} GiB ({region})" for region, needed in NEEDED_GIB.items()
    )
    if short:
        state = BAD if len(short) == len(NEEDED_GIB) else WARNING
        return Finding("memory", state, text, "End other programs, or give the container more (docker run --memory)")
    return Finding("memory", GOOD, text)


def whole_weights(found: WeightsFolder) -> Finding:
    """Whether weights are the bytes that were saved."""
    name = f"weights {found.path.name}"
    try:
        found.verified_arrays()
        if found.config.int8 is not None:
            found.verified_graphs()
    except MoodError as error:
        return Finding(name, BAD, error.what, error.fix)
    return Finding(name, GOOD, "whole, by their checksum")


def containers() -> Finding:
    """Whether the challenge's image can be built and run here."""
    if os.environ.get(installation.IMAGE):
        return Finding("Docker", GOOD, "this is a container")
    program = shutil.which("docker")
    if program is None:
        return Finding("Docker", GOOD, "not installed; it is needed for the challenge's container only")
    try:
        subprocess.run([program, "info"], capture_output=True, check=True, timeout=SECONDS_FOR_DOCKER)
    except (OSError, subprocess.SubprocessError):
        fix = "Start it, or become a member of the group docker; it is needed for the challenge's container only"
        return Finding("Docker", WARNING, "is installed, but does not answer", fix)
    return Finding("Docker", GOOD, "answers")
