"""What this distribution is called, which version it is, and what it came with: the one place that knows.

The package index has a `mood` of somebody else's, so the distribution bears another name than the package.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "mood-ood"  # pyproject.toml has the same name
UNKNOWN = "0+unknown"  # the version of code that was never installed; the Dockerfile has the same
TOP = Path(__file__).parents[1]  # of the checkout, where there is one

# Set in the container, where nothing can be installed: the VARIANT it was built as, and of which commit.
IMAGE, REVISION = "MOOD_IMAGE", "MOOD_REVISION"
VARIANTS = ("cpu", "gpu")  # images that bring what the extra of their name does; the first, the other engines' too
IN_NO_IMAGE = ("int8", "dicom", "onnx", "ray", "submit", "toy", "dev")  # extras


def _installed_version() -> str:
    """What was installed, which a build takes from the tags of git."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return UNKNOWN


__version__ = _installed_version()


def advice(*extras: str) -> str:
    """What to do when a library is missing that any of these extras brings, as a sentence without a full stop.

    Parameters
    ----------
    *extras : str
        Names of optional dependencies in pyproject.toml.

    Examples
    --------
    >>> advice("cpu", "gpu")
    "Run: pip install 'mood-ood[cpu]' or 'mood-ood[gpu]'"
    """
    named = " or ".join(f"'{DISTRIBUTION}[{extra}]'" for extra in extras)
    if not os.environ.get(IMAGE):
        return f"Run: pip install {named}"
    variants = [extra if extra in VARIANTS else VARIANTS[0] for extra in extras if extra not in IN_NO_IMAGE]
    if variants:
        return f"Use an image built with {' or '.join(f'--build-arg VARIANT={variant}' for variant in variants)}"
    return f"No image holds it: do this outside of the container, after pip install {named}"


def revision() -> str:
    """The commit of the code that runs, with a word on changes since then; else the distribution's version."""
    if os.environ.get(REVISION, "unknown") != "unknown":
        return os.environ[REVISION]
    if not (TOP / ".git").exists():
        return f"{DISTRIBUTION} {__version__}"
    try:
        commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):  # no git, or a checkout of another user's
        return f"{DISTRIBUTION} {__version__}"
    return f"{commit}, with changes" if changes else commit


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(TOP), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """The versions of Python, of this distribution and of those libraries that have been loaded, by name.

    Parameters
    ----------
    libraries : iterable of str
        As they are imported.
    """
    loaded = {name: getattr(sys.modules.get(name), "__version__", None) for name in libraries}
    own = {"python": platform.python_version(), DISTRIBUTION: __version__}
    return own | {name: version for name, version in loaded.items() if version is not None}
