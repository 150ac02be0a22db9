"""Score a folder of scans: one map and one sample score each, one scan at a time.

    read next (thread) -> conform -> fit to score? -> method.score_volume -> restore -> write last (thread)

A scan that fails is reported and the others are still done. In challenge mode it gets a fallback
prediction instead, so that every input has its output. Outputs appear whole or not at all; a second
run of the same command does what is missing, what is damaged, and what was made from another input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mood.cohort.job import MODES, Job
from mood.cohort.outputs import Outputs
from mood.cohort.parts import Part
from mood.images import scans_to_score
from mood.methods import Method
from mood.methods.strip import AUTO
from mood.run_record import Outcome

__all__ = ["MODES", "predict_folder"]


def predict_folder(
    source: Path | Sequence[Path],
    target: Path,
    method: Method,
    mode: str = "both",
    *,
    challenge: bool = False,
    overwrite: bool = False,
    strict: bool = False,
    strip: str = AUTO,
    about: dict[str, Any] | None = None,
    seconds: float = float("inf"),
    ahead: bool = True,
    part: Part | None = None,
    origin: Path | None = None,
    on_scan: Callable[[Outcome, int], None] = lambda outcome, total: None,
) -> list[Outcome]:
    """Score every scan in `source`.

    Writes `NAME.nii.gz` (pixel) and `NAME.nii.gz.txt` (sample) to `target`, and, outside challenge
    mode, `scores.csv` and `run.json`.

    Parameters
    ----------
    source : pathlib.Path or sequence of pathlib.Path
        A folder, one scan, or what `scans_to_score` found.
    target, method : pathlib.Path, Method
        Another folder, since maps are called like their scans.
    mode : {'both', 'sample', 'pixel'}
    challenge : bool
        Keep the challenge's contract: a failed scan gets the score 0.5 and a map of zeros.
    overwrite : bool
        Do again what is there already.
    strict : bool
        Fail scans that are not what the weights know, instead of scoring them with a warning.
    strip : {'auto', 'always', 'never'}
        When a skull is taken off (`Detector.examine`); never in the challenge.
    about : dict, optional
        What the record says of the weights; scans done by a run with another record are refused.
    seconds : float
        Of scoring a scan, after which its map is made of what was computed by then (`mood.methods.in_time`).
    ahead : bool
        Whether the next scan may be read while one is scored.
    part, origin : Part, pathlib.Path, optional
        Score a part alone, for `mood.cohort.collect` to join; what all were found in, for its record.
    on_scan : callable
        Called after each scan with its outcome and the number of scans.

    Raises
    ------
    NoInputError, OutputError, UsageError
    """
    paths = scans_to_score(source, target, challenge=challenge) if isinstance(source, Path) else list(source)
    origin, paths = source if isinstance(source, Path) else origin, part.of(paths) if part else paths
    job = Job(target, method, mode, challenge, overwrite, strict, strip, about or {}, Outputs(target), seconds, ahead)
    job.prepare()
    return job.score(paths, None if challenge else job.begin_record(paths, part, origin), on_scan)
