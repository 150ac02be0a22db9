"""The command line of cohorts: parts of one run, and their records made one."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mood import errors
from mood.cli import output, scans
from mood.cli.options import console
from mood.cli.output import JsonOption, QuietOption, VerboseOption
from mood.errors import UsageError

if TYPE_CHECKING:
    from mood.cohort.parts import Part
    from mood.detector import Detector
    from mood.run_record import Outcome

log = logging.getLogger("mood")


def chosen_part(text: str | None, *, challenge: bool, of_all: bool, on_ray: bool) -> Part | None:
    """The part that the option names, or the environment does; None for a whole run.

    `UsageError` where something is asked for that only a whole run has (`of_all`: pages and pictures).
    """
    from mood.cohort.parts import parse_part, part_of_task

    if text is not None and (challenge or on_ray):
        what = "the challenge is not scored in parts" if challenge else "Ray scores all parts"
        raise UsageError(what, where="--part", fix="Leave out --part")
    if challenge and on_ray:
        raise UsageError("the challenge is not scored in parts", where="--ray", fix="Leave out --ray")
    if challenge or on_ray:
        return None
    part = part_of_task(os.environ) if text is None else parse_part(text)
    if part is not None and of_all:
        fix = "Leave them out; when all parts have ended, the same without --part makes them and scores nothing again"
        what = "pages, pictures and other forms of the outputs are made of all scans, not of a part"
        raise UsageError(what, where=part.named_by, fix=fix)
    if part is not None:
        log.info("part %s of the scans, named by %s", part, part.named_by)
    return part


def check_ray(address: str | None, participants: list[str] | None) -> None:
    """`UsageError` for what Ray's tasks are not told."""
    if address is not None and participants:
        fix = "Name an input that holds these alone, or leave out one of the two"
        raise UsageError("Ray scores whole data sets", where="--participant", fix=fix)


def use_threads(count: int | None) -> None:
    """Have everything compute on so many threads, and say how many they are."""
    from mood.engines.threads import limit_threads

    log.info("computing on %d threads", limit_threads(count))


@dataclass(frozen=True)
class Order:
    """What `mood predict` was asked to do, for workers that do parts of it."""

    source: Path
    target: Path
    region: str
    method: str | None
    mode: str
    weights: Path | None
    engine: str
    precision: str
    overwrite: bool
    strict: bool
    strip: str
    threads: int | None  # None: all that a process may use, or what the user told the libraries

    def detector(self) -> Detector:
        """What scores; a worker has it still when it does another part."""
        from mood.engines.threads import limit_threads

        limit_threads(self.threads)
        return _detector(self.region, self.method, self.weights, self.engine, self.precision)

    def score(
        self,
        part: Part | None,
        paths: Sequence[Path] = (),
        origin: Path | None = None,
        on_scan: Callable[[Outcome, int], None] = lambda outcome, total: None,
    ) -> list[Outcome]:
        """Score one part of the scans, or all, in this process; those in `source` where no `paths` are given."""
        from mood.predict import predict_folder

        detector = self.detector()
        return predict_folder(
            paths or self.source, self.target, detector.method, self.mode, overwrite=self.overwrite,
            strict=self.strict, strip=self.strip, about=detector.about(), part=part, origin=origin, on_scan=on_scan,
        )  # fmt: skip


@functools.cache
def _detector(*options: Any) -> Detector:
    from mood.detector import load_detector

    return load_detector(*options)


def score_on_ray(order: Order, address: str, scans: int, on_scan: Callable[[Outcome, int], None]) -> list[Outcome]:
    """Score all scans in parts on Ray, and collect; what became of every scan."""
    from mood.cohort.collect import collect
    from mood.cohort.ray import parts_for, run_parts

    order = replace(order, threads=order.threads or 1)  # a node may have fewer processors than this machine
    for _, outcomes in run_parts(order.score, parts_for(scans), address, order.threads or 1):
        for outcome in outcomes:
            on_scan(outcome, scans)
    return collect(order.target, order.source)


def collect(
    target: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Folder that the parts wrote to.")],
    source: Annotated[
        Path | None, typer.Option("-i", "--input", help="What was scored, if it is not where the parts found it.")
    ] = None,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
    json_output: JsonOption = False,
) -> None:
    """Make one scores.csv and run.json of what the parts of a cohort left; name what failed or is missing."""
    from mood.cohort import collect as parts

    outcomes = parts.collect(target, source)
    unfinished = [one for one in outcomes if one.status in ("failed", "missing")]
    for one in unfinished:
        log.error("%s %s: %s", one.scan, one.status.upper(), one.message)
    if json_output:
        output.print_json(scans.as_json(outcomes, None, target))
    counts = {kind: sum(one.status == kind for one in outcomes) for kind in ("failed", "missing")}
    told = "".join(f", {count} {kind}" for kind, count in counts.items() if count)
    done = len(outcomes) - len(unfinished)
    line = f"{done} of {len(outcomes)} scans are scored{told}; table and record in {target}"
    console.print(line, highlight=False, markup=False, soft_wrap=True)
    if unfinished:
        raise typer.Exit(errors.EXIT_SOME_FAILED)
