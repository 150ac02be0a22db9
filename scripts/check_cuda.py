"""Loads every CUDA library that the wheels of the GPU image bring, and says how much room each package takes.

docker run --rm -v "$PWD/scripts:/scripts:ro" mood:check-gpu python /scripts/check_cuda.py

Needs no GPU: what is missing, or linked against what is missing, shows at loading; the driver's own library alone is
not asked for. Exit status: 0 when all load, else 1.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import re
import sys
from pathlib import Path

LEAST_MB = 20
DRIVER = re.compile(r"libcuda\.so|libnvidia-ml\.so")  # come with the driver, into the container at its start


def libraries() -> list[Path]:
    """The shared libraries of NVIDIA's packages, each once, those that others need first."""
    tops = {Path(str(importlib.metadata.distribution(name).locate_file("nvidia"))) for name in packages()}
    found = {path.resolve() for top in tops for path in top.glob("*/lib/*.so*")}
    return sorted(found, key=lambda path: ("cudart" not in path.name, "nvJitLink" not in path.name, path.name))


def packages() -> list[str]:
    """NVIDIA's that are installed."""
    names = {each.metadata["Name"] for each in importlib.metadata.distributions()}
    return sorted(name for name in names if name.startswith("nvidia-"))


def fault(path: Path) -> str:
    """Why a library does not load; nothing when it does, or when only the driver is missing."""
    try:
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        return "" if DRIVER.search(str(error)) else str(error)
    return ""


def sizes() -> dict[str, float]:
    """Megabytes of every installed package."""
    found = {}
    for each in importlib.metadata.distributions():
        paths = {Path(str(each.locate_file(file))) for file in each.files or []}
        found[each.metadata["Name"]] = sum(path.stat().st_size for path in paths if path.is_file()) / 1e6
    return found


def main() -> int:
    paths = libraries()
    faults = {path: said for path in paths if (said := fault(path))}
    for path, said in faults.items():
        print(f"FAULT {path.name}: {said}")
    print(f"{len(paths) - len(faults)} of {len(paths)} CUDA libraries load")
    measured = sizes()
    for name, size in sorted(measured.items(), key=lambda pair: -pair[1]):
        if size >= LEAST_MB:
            print(f"{size:8.0f} MB  {name}")
    print(f"{sum(measured.values()):8.0f} MB  in all")
    return 1 if faults or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
