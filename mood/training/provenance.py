"""What trained weights were made with, so that they can be made again: `training.provenance` in their config.

A step is one command (train, join or quantise). The steps of weights that another step starts from stand before it.
"""

from __future__ import annotations

import hashlib
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from mood import runtime
from mood.installation import revision, versions
from mood.volume import find_scans
from mood.weights.config import Step
from mood.weights.store import WeightsFolder, checksum

OWN_NAMES = ("mood", "__main__.py")  # of the program, as `mood` and as `python -m mood`


def step(name: str, scans: Sequence[Path], unlabelled: Path | None = None) -> Step:
    """One step, as it is recorded.

    Parameters
    ----------
    name : {'train', 'join', 'quantise'}
        What was done.
    scans : sequence of pathlib.Path
        The files it read.
    unlabelled : pathlib.Path, optional
        A folder of further ones that may hold anything.

    Returns
    -------
    Step
        With the command, the commit and the versions of this process.
    """
    more = [path for path in find_scans(unlabelled) if path.is_file()] if unlabelled is not None else []
    own, other = list_digest(scans), list_digest(more) if more else None
    return Step(name, command(), revision(), versions(runtime.LIBRARIES), len(scans), own, len(more), other)


def steps_of(*folders: WeightsFolder) -> list[Step]:
    """What was recorded of the making of these weights.

    Parameters
    ----------
    *folders : WeightsFolder
        Their steps follow one another in this order.
    """
    return [made for folder in folders for made in folder.config.training.provenance]


def with_step(weights: WeightsFolder, made: Step) -> WeightsFolder:
    """The same weights with one more step in their config; nothing is written yet.

    Parameters
    ----------
    weights : WeightsFolder
        As they were read.
    made : Step
        What `step` returned.
    """
    training = replace(weights.config.training, provenance=(*steps_of(weights), made))
    return replace(weights, config=replace(weights.config, training=training))


def command() -> str:
    """The command line of this process, ready to be given again."""
    program = Path(sys.argv[0]).name
    return shlex.join(["mood" if program in OWN_NAMES else program, *sys.argv[1:]])


def list_digest(scans: Iterable[Path]) -> str:
    """The SHA-256 of a list with name, bytes and SHA-256 of each file, by name; the folder does not count.

    Parameters
    ----------
    scans : iterable of pathlib.Path
        In any order.
    """
    lines = sorted(f"{path.name} {path.stat().st_size} {checksum(path)}\n" for path in scans)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
