"""The loop of a training over epochs, with its checkpoints, its log and its state."""

from __future__ import annotations

import csv
import dataclasses
import io
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mood.atomic import append_row, write_text
from mood.errors import LOWER_RATE, TrainingError
from mood.methods import Method
from mood.training import checkpoints, words
from mood.training.data import SelectionCase, selection_ap, stored_scans
from mood.typed import Count, Positive, Seed

log = logging.getLogger(__name__)

LOG_COLUMNS = ("step", "epoch", "seconds", "loss", "selection_ap")
CHECKED = "checked"  # among the losses of a step that asks for a check
STATE, BEST, LOG = "state.weights.h5", "best.weights.h5", "log.csv"
SECONDS_BETWEEN_STATES = 240
SECONDS_BEFORE_TIME = 20  # until the steps are as fast as they will be


@dataclass(frozen=True)
class Schedule:
    """When to stop, when to check, and the seed. Defaults are the paper's where it has any."""

    epochs: Positive = 50  # passes over the training scans
    steps: Positive | None = None  # stop after this many steps, if sooner
    check_every: Positive = 500  # steps between two checks on synthetic outliers
    held_out: Count = 5  # scans kept from training for the checks
    seed: Seed = 0


@dataclass
class Progress:
    """Where a run stands; kept with its state."""

    epoch: int = 0  # the next to start
    step: int = 0
    seconds: float = 0.0
    best_ap: float = -1.0  # on held-out outliers, of the checkpoint kept
    best_step: int = 0
    best_settled: bool = False


@dataclass
class Run:
    """A method in training.

    Attributes
    ----------
    method : Method
    target : pathlib.Path
        Folder of the log, the checkpoints and the state.
    schedule : Schedule
    cases : list of SelectionCase
        What a checkpoint is chosen by.
    training, held_out : lists of pathlib.Path
        Prepared scans to train on, and scans that were kept apart.
    on_step : callable
        Called after each step with the progress and the loss.
    """

    method: Method
    target: Path
    schedule: Schedule
    cases: list[SelectionCase]
    on_step: Callable[[Progress, float], None] = lambda progress, loss: None
    training: list[Path] = dataclasses.field(default_factory=list)
    held_out: list[Path] = dataclasses.field(default_factory=list)
    progress: Progress = dataclasses.field(default_factory=Progress)

    def go(self) -> None:
        """Train to the end of the schedule or the method's own, or from where an interrupted run stopped."""
        for warning in words.warnings(self):
            log.warning("%s", warning)
        log.info("%s", words.beginning(self))
        self.progress = self._resume()
        self.losses: list[float] = []
        self.begin = self.clock = self.saved = time.monotonic()
        self.first, self.told = self.progress.step, False
        try:
            self._epochs(stored_scans(self.training, self.method))
        except KeyboardInterrupt:
            self._save_state()
            raise
        if self.losses or checkpoints.newest(self.target / BEST) is None:
            self._check()
        self._save_state()
        log.info("%s", words.end(self))

    def _epochs(self, scans: Sequence[Any]) -> None:
        while self.progress.epoch < self.schedule.epochs and not self._stop() and not self.method.finished:
            rng = np.random.default_rng([self.schedule.seed, 0, self.progress.epoch])
            self.progress.epoch += 1
            for losses in self.method.train_epoch(scans, rng):
                self._after_step(losses)
                if self._stop():
                    break

    def _stop(self) -> bool:
        return self.schedule.steps is not None and self.progress.step >= self.schedule.steps

    def _after_step(self, losses: dict[str, float]) -> None:
        self.progress.step += 1
        self.losses.append(losses["loss"])
        if not math.isfinite(losses["loss"]):
            what = f"training diverged: the loss of step {self.progress.step} is {losses['loss']}"
            raise TrainingError(what, where=self.target, fix=LOWER_RATE)
        self.on_step(self.progress, losses["loss"])
        self._tell_time()
        if CHECKED in losses:
            self.method.draw_check(self.target / f"check-{self.progress.step:07d}.png")
        if CHECKED in losses or self.progress.step % self.schedule.check_every == 0:
            self._check()
        if time.monotonic() - self.saved > SECONDS_BETWEEN_STATES:
            self._save_state()

    def _check(self) -> None:
        """Score the held-out outliers, log, and keep the weights when they are the best so far."""
        ap = selection_ap(self.method, self.cases)
        best, settled = self.progress, self.method.settled
        if (settled, ap) >= (best.best_settled, best.best_ap):
            best.best_ap, best.best_step, best.best_settled = ap, best.step, settled
            facts = {"best_ap": ap, "best_step": best.step, "best_settled": settled}
            checkpoints.save(self.target / BEST, self.method.save_weights, facts)
        self._tick()
        at = self.progress
        row = (at.step, at.epoch, at.seconds, np.mean(self.losses or [np.nan]), ap)
        append_row(self.target / LOG, LOG_COLUMNS, row)
        left = words.time_left(self, time.monotonic() - self.begin, at.step - self.first)
        log.info("step %d: loss %.4f, AP on held-out synthetic outliers %.4f%s", row[0], row[3], ap, left)
        self.losses = []

    def _tell_time(self) -> None:
        """Say once, as soon as it can be told, how long all will take."""
        seconds = time.monotonic() - self.begin
        if not self.told and seconds > SECONDS_BEFORE_TIME:
            left = words.time_left(self, seconds, self.progress.step - self.first)
            self.told = bool(left)
            if left:
                log.info("step %d%s", self.progress.step, left)

    def _tick(self) -> None:
        now = time.monotonic()
        self.progress.seconds, self.clock = round(self.progress.seconds + now - self.clock, 1), now

    def _save_state(self) -> None:
        """Keep everything to go on from; an epoch cut short counts as done."""
        self._tick()
        checkpoints.save(self.target / STATE, self.method.save_state, dataclasses.asdict(self.progress))
        self.saved = time.monotonic()

    def _resume(self) -> Progress:
        """Go on from the newest state that is whole, or from the start; the best weights so far count in any case."""
        state = checkpoints.newest(self.target / STATE)
        progress = Progress()
        if state is not None:
            self.method.load_state(state.path)
            progress = Progress(**state.facts)
            log.info("going on from step %d", progress.step)
        elif (self.target / LOG).exists():
            log.warning("%s holds no state to go on from; training begins anew", self.target)
        best = checkpoints.newest(self.target / BEST)
        facts = best.facts if best is not None else {"best_ap": -1.0, "best_step": 0, "best_settled": False}
        self._forget_rows_after(progress.step)
        return dataclasses.replace(progress, **facts)

    def _forget_rows_after(self, step: int) -> None:
        """Leave out of the log what is done again now."""
        path = self.target / LOG
        if path.exists():
            rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8", errors="replace"))))
            whole = [row for row in rows[1:] if len(row) == len(LOG_COLUMNS) and row[0].isdigit()]
            text = io.StringIO()
            csv.writer(text).writerows([LOG_COLUMNS, *(row for row in whole if int(row[0]) <= step)])
            write_text(path, text.getvalue())
