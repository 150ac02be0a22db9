"""Which scans of many one process scores, where several share them: part I of N, by the sorted names.

An array job tells each of its tasks its number in the environment, so the same command line does on SLURM, PBS and
Kubernetes: every task finds its part by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mood.errors import UsageError
from mood.volume import scan_name

COUNT = "MOOD_PARTS"  # how many parts there are, for what tells its tasks their number alone
INDICES = {"PBS_ARRAY_INDEX": 1, "JOB_COMPLETION_INDEX": 0}  # with the number of the first task
FIX = "Write --part I/N with I from 1 to N, such as --part 3/10"


@dataclass(frozen=True)
class Part:
    """Part `index` of `count`, counted from 1.

    Attributes
    ----------
    named_by : str
        Where it comes from, for the log: an option or a variable.

    Examples
    --------
    >>> [path.name for path in Part(2, 2).of([Path("c.nii"), Path("b.nii"), Path("a.nii"), Path("d.nii")])]
    ['b.nii', 'd.nii']
    """

    index: int
    count: int
    named_by: str = "--part"

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise UsageError(f"there is no part {self} ({self.named_by})", fix=FIX)

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @property
    def name(self) -> str:
        """As files have it; the names of all parts sort like their numbers."""
        width = max(3, len(str(self.count)))
        return f"part-{self.index:0{width}}-of-{self.count:0{width}}"

    def of(self, scans: Iterable[Path]) -> list[Path]:
        """Its scans: every `count`-th by name, so that each part has as many, and scans of all sites."""
        return sorted(scans, key=lambda path: (scan_name(path), path))[self.index - 1 :: self.count]

    def every(self) -> list[Part]:
        """All parts there are."""
        return [Part(index, self.count, self.named_by) for index in range(1, self.count + 1)]


def parse_part(text: str) -> Part:
    """The part that `I/N` names; `UsageError` when it names none."""
    found = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", text, re.ASCII)
    if not found:
        raise UsageError(f"'{text}' names no part", where="--part", fix=FIX)
    return Part(int(found[1]), int(found[2]))


def part_of_task(environment: Mapping[str, str]) -> Part | None:
    """The part of the array task that this process is; None where it is none.

    Parameters
    ----------
    environment : mapping of str to str
        `os.environ`. SLURM tells number and count; a PBS array from 1 on and a Kubernetes Indexed Job, which counts
        from 0, tell the number alone, and `MOOD_PARTS` has the count.

    Raises
    ------
    UsageError
        When the number is none, is outside the count, or the count is not known.
    """
    if environment.get("SLURM_ARRAY_TASK_ID"):
        return _slurm_part(environment)
    for variable, first in INDICES.items():
        if environment.get(variable):
            if not environment.get(COUNT):
                what = f"{variable} says that this is one task of several, but not of how many"
                raise UsageError(what, fix=f"Set {COUNT} to their number, or write --part 1/1 for all scans in each")
            return Part(_number(environment, variable) - first + 1, _number(environment, COUNT), variable)
    return None


def _slurm_part(environment: Mapping[str, str]) -> Part:
    task, first = _number(environment, "SLURM_ARRAY_TASK_ID"), _number(environment, "SLURM_ARRAY_TASK_MIN", 1)
    count, step = _number(environment, "SLURM_ARRAY_TASK_COUNT", 0), _number(environment, "SLURM_ARRAY_TASK_STEP", 1)
    index, rest = divmod(task - first, max(step, 1))
    if rest or index >= count:  # an array such as 1,5,7, or one of which a few tasks were submitted again
        what = f"task {task} of this SLURM array cannot be told its part: its {count} numbers are not in a row"
        raise UsageError(what, where="SLURM_ARRAY_TASK_ID", fix=FIX)
    return Part(index + 1, count, "SLURM_ARRAY_TASK_ID")


def _number(environment: Mapping[str, str], variable: str, default: int | None = None) -> int:
    text = environment.get(variable, "" if default is None else str(default))
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise UsageError(f"{variable} is '{text}', which is no number", fix=f"Unset it, or: {FIX[0].lower()}{FIX[1:]}")
    return int(text)
