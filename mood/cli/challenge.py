"""Challenge mode: scans are scored in a process of their own, watched, so that none costs another its output.

That process may be ended by the kernel where memory runs out, crash, or not end at all. Then the scan in hand is tried
once more, alone, in a fresh process (unless its time is over), and the others are done in that; what fails again gets
the fall-back. The exit status is 0 only where every scan has its output.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rich.console import Console

from mood import errors
from mood.cli import output, scans, stopping
from mood.errors import MoodError, OutputError

log = logging.getLogger(__name__)

ENOUGH = 0.8  # of a scan's time, after which its map is made of what is known; the rest is for writing it
SET_UP_SECONDS = 600.0  # until weights are loaded
KILLED_BY_KERNEL = -int(getattr(signal, "SIGKILL", 9))


@dataclass(frozen=True)
class Task:
    """What is to be predicted, as the command line has it."""

    target: Path
    region: str
    method: str | None
    mode: str
    weights: Path | None
    engine: str
    precision: str
    seconds: float  # that one scan may take

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of outputs."""
        return ("pixel", "sample") if self.mode == "both" else (self.mode,)


Work = Callable[[Task, list[Path], bool, Connection], None]


@dataclass
class Watch:
    """The scans that are still to be done, the process that does them, and what became of the others."""

    task: Task
    remaining: list[Path]
    progress: scans.ScanProgress
    careful: bool = False  # one scan at a time, after one was lost
    tried: Path | None = None  # the scan that was lost last
    method: str = ""  # of the weights, once they are loaded
    outcomes: list[Any] = field(default_factory=list)
    work: Work | None = None  # instead of scoring

    def go(self) -> int:
        """Have every scan done; the exit status."""
        total = len(self.remaining)
        while self.remaining:
            with _Process(self.work or _score, self.task, self.remaining, self.careful) as process:
                for kind, content in process.messages():
                    if kind == "end":
                        return int(content)
                    self._note(kind, content, total)
            if not self.remaining:
                break
            if process.status > 0 and not self.method:
                log.error("the networks could not be set up; the lines above tell why")
                return errors.EXIT_NOTHING_TO_DO
            self._lost(process, total)
        return errors.EXIT_OK

    def _note(self, kind: str, content: Any, total: int) -> None:
        if kind == "ready":
            self.method = content
            return
        self.remaining.pop(0)
        self.outcomes.append(content)
        self.progress(content, total)

    def _lost(self, process: _Process, total: int) -> None:
        """The process ended, or was ended, before its work."""
        if not self.method:  # not even started: as little will do the next time
            log.error("%s before the first scan; all get the fall-back", process.cause)
            while self.remaining:
                self._fall_back(process.cause, total)
        elif process.late or self.tried == self.remaining[0]:
            self._fall_back(process.cause, total)
        else:
            self.tried = self.remaining[0]
            log.error("%s: %s; it is tried once more, alone", self.tried, process.cause)
        self.careful = True

    def _fall_back(self, cause: str, total: int) -> None:
        from mood.methods.fallback import fall_back
        from mood.regions import get_region
        from mood.run_record import Outcome, printable
        from mood.volume import output_paths, scan_name

        path, kinds = self.remaining[0], self.task.kinds
        outputs = {kind: to for kind, to in output_paths(self.task.target, path).items() if kind in kinds}
        message = f"{cause}." + fall_back(path, outputs, get_region(self.task.region))
        self._note("done", Outcome(printable(scan_name(path)), "failed", message=message), total)


def _status(task: Task, paths: list[Path]) -> int:
    """1, and the names on the log, when scans have no output after all."""
    from mood.cohort.outputs import Outputs
    from mood.run_record import printable

    there = Outputs(task.target)
    lacking = [printable(path.name) for path in paths if not there.are_whole(path, task.kinds)]
    if lacking:
        log.error("without an output: %s", ", ".join(lacking))
    return errors.EXIT_SOME_FAILED if lacking else errors.EXIT_OK


def predict(task: Task, paths: list[Path], console: Console, as_json: bool) -> int:
    """Predict scans as the challenge asks; the exit status."""
    with scans.ScanProgress(console) as progress:
        watch = Watch(task, list(paths), progress)
        status = watch.go() or _status(task, paths)
    if as_json:
        output.print_json(scans.as_json(watch.outcomes, watch.method, task.target))
    told = scans.sentence(watch.outcomes, watch.method or "nothing", task.target, "the log says why")
    console.print(told, highlight=False, markup=False, soft_wrap=True)
    return status


class _Process:
    """A process that scores scans and says so; it does not outlive the block."""

    def __init__(self, work: Work, task: Task, paths: list[Path], careful: bool) -> None:
        context = multiprocessing.get_context("spawn")
        self.ear, mouth = context.Pipe(duplex=False)
        level = logging.getLogger().level
        self.process = context.Process(target=_work, args=(work, task, paths, careful, level, mouth), daemon=True)
        self.process.start()
        mouth.close()
        self.seconds = 0.0  # that the last message was waited for in vain
        self.task = task

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *error: object) -> None:
        from mood.atomic import remove_stale

        if error[0] is None and not self.late:
            self.process.join(stopping.PATIENCE)
        self.process.kill()
        self.process.join()
        self.ear.close()
        remove_stale(self.task.target)

    def messages(self) -> Iterator[tuple[str, Any]]:
        """What it says, until it ends or is silent for longer than its set-up, or a scan, may take."""
        patience, begin = SET_UP_SECONDS, time.monotonic()
        while self.ear.poll(max(0.0, begin + patience - time.monotonic())):
            try:
                message = self.ear.recv()
            except EOFError:
                return
            patience, begin = self.task.seconds, time.monotonic()
            yield message
        self.seconds = patience

    @property
    def late(self) -> bool:
        return self.seconds > 0

    @property
    def status(self) -> int:
        return 0 if self.process.exitcode is None else self.process.exitcode

    @property
    def cause(self) -> str:
        """Why it ended."""
        if self.late:
            return f"it took longer than {self.seconds:g} s"
        if self.status == KILLED_BY_KERNEL:
            return "the process was killed, most likely because memory ran out"
        return f"the process ended with status {self.status}"


def _work(work: Work, task: Task, paths: list[Path], careful: bool, level: int, mouth: Connection) -> None:
    """What the process does."""
    for name in ("SIGINT", "SIGHUP"):  # the one that watches is told too, and ends this one
        if number := getattr(signal, name, None):
            signal.signal(number, signal.SIG_IGN)
    output.start()
    logging.getLogger().setLevel(level)
    try:
        work(task, paths, careful, mouth)
    except MoodError as error:
        print(f"mood: {error}", file=sys.stderr, flush=True)
        mouth.send(("end", error.exit_code if isinstance(error, OutputError) else errors.EXIT_NOTHING_TO_DO))


def _score(task: Task, paths: list[Path], careful: bool, mouth: Connection) -> None:
    from mood.detector import load_detector
    from mood.predict import predict_folder

    detector = load_detector(task.region, task.method, task.weights, task.engine, task.precision)
    mouth.send(("ready", detector.method.name))
    predict_folder(
        paths,
        task.target,
        detector.method,
        task.mode,
        challenge=True,
        seconds=ENOUGH * task.seconds,
        ahead=not careful,
        on_scan=lambda outcome, total: mouth.send(("done", outcome)),
    )
