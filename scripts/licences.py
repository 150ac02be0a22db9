"""The licence of everything that the locks name, as a table; those that images bring must be ones that let us.

python scripts/licences.py > licences.md

Read with pip-licenses from what is installed here, so of the other variants' own packages (CUDA) only the names are
told. Exit status: 0, or 1 when a licence of something that an image brings is unknown or not permitted.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

LOCKS = Path(__file__).parents[1] / "docker"
IMAGES = ("cpu", "cpu-lean", "gpu")
TOOLS = "dev"  # used, and never passed on
PERMITTED = re.compile(r"MIT|BSD|Apache|ISC|PSF|Python Software|Zlib|CC0|MPL|Mozilla Public|HPND|Public Domain", re.I)
FORBIDDEN = re.compile(r"(?<!L)(?<!Lesser )\bA?GPL|GNU General|Affero", re.I)
# What the packages do not say themselves, and where it is said.
KNOWN = {
    "namex": "Apache-2.0",  # the LICENSE in its wheel
    "tensorflow": "Apache-2.0",  # that of tensorflow-cpu, which is the same code
}
NVIDIA = re.compile("nvidia-")  # NVIDIA's own licence, which lets applications bring them along


def normal(name: str) -> str:
    """A package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(lock: str) -> dict[str, str]:
    """Names and versions of a lock."""
    text = (LOCKS / f"requirements-{lock}.lock").read_text()
    return {normal(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s\\]+)", text, re.MULTILINE)}


def licences() -> dict[str, str]:
    """The licence of every package that is installed here, by its name."""
    program = Path(sys.executable).with_name("pip-licenses")
    command = [program, "--python", sys.executable, "--from=mixed", "--with-system", "--format=json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = {normal(each["Name"]): first_line(each["License"]) for each in json.loads(done.stdout)}
    return found | KNOWN


def first_line(text: str) -> str:
    """Of a field that may hold a whole licence."""
    return next(filter(None, map(str.strip, text.splitlines())), "UNKNOWN")


def permitted(name: str, licence: str | None) -> bool:
    """Whether an image may bring a package; one that is not installed here, unless NVIDIA's, is judged elsewhere."""
    if licence is None or NVIDIA.match(name):
        return True
    choices = re.split(r"\s+OR\s+|;", licence)
    return any(PERMITTED.search(choice) and not FORBIDDEN.search(choice) for choice in choices)


def main() -> int:
    packages: dict[str, dict[str, str]] = {}
    for lock in (*IMAGES, TOOLS):
        for name, version in locked(lock).items():
            packages.setdefault(name, {})[lock] = version
    known = licences()
    print("| package | version | licence | in |\n| --- | --- | --- | --- |")
    refused = []
    for name, versions in sorted(packages.items()):
        licence = known.get(name) or ("NVIDIA's own" if NVIDIA.match(name) else "not installed here")
        print(f"| {name} | {next(iter(versions.values()))} | {licence} | {', '.join(versions)} |")
        if set(versions) & set(IMAGES) and not permitted(name, known.get(name)):
            refused.append(f"{name}: {licence}")
    for line in refused:
        print(f"licences: not permitted in an image: {line}", file=sys.stderr)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
