"""Train a method on a folder of healthy scans; the output folder is a weights folder.

    conform every scan once -> epochs of method.train_epoch -> every so many steps: checkpoint and
    score held-out scans with synthetic outliers -> the best checkpoint becomes the weights

The outliers that choose the checkpoint are of other kinds than any training task, and are planted in
scans that are not trained on; labels of real cases are never used. An interrupted run goes on where it
stopped when the same command is given again. A seed and one uninterrupted run give the same weights.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mood import runtime
from mood.errors import TrainingError, UsageError
from mood.methods import Method, method_type
from mood.records import append_row
from mood.regions import Region
from mood.training_data import (
    conformed_scans,
    hold_out,
    measure_calibration,
    selection_ap,
    selection_cases,
    unlabelled_scans,
)
from mood.weights import write_folder

log = logging.getLogger(__name__)

LOG_COLUMNS = ("step", "epoch", "seconds", "loss", "selection_ap")
CHECKED = "checked"  # among the losses of a step that asks for a check
STATE, STATE_ARRAYS, BEST_ARRAYS = "state.json", "state.weights.h5", "best.weights.h5"
SECONDS_BETWEEN_STATES = 240


@dataclass(frozen=True)
class Schedule:
    """When to stop, when to check, and the seed. Defaults are the paper's where it has any."""

    epochs: int = 50  # passes over the training scans
    steps: int | None = None  # stop after this many steps, if sooner
    check_every: int = 500  # steps between two checks on synthetic outliers
    held_out: int = 5  # scans kept from training for the checks
    seed: int = 0


@dataclass
class Progress:
    """Where a run stands; written to state.json."""

    epoch: int = 0  # the next to start
    step: int = 0
    seconds: float = 0.0
    best_ap: float = -1.0  # on held-out outliers, of the checkpoint kept
    best_step: int = 0
    best_settled: bool = False


def train(
    source: Path,
    target: Path,
    method_name: str,
    region: Region,
    settings: dict[str, Any] | None = None,
    schedule: Schedule | None = None,
    note: str = "",
    on_step: Callable[[Progress, float], None] = lambda progress, loss: None,
    unlabelled: Path | None = None,
) -> Path:
    """Train on the scans in `source` and write the weights to `target`.

    Parameters
    ----------
    source : pathlib.Path
        Folder of healthy scans.
    target : pathlib.Path
        Becomes a weights folder; also keeps the log, the checkpoints and the conformed scans.
    settings : dict, optional
        Overrides of the method's settings by name.
    note : str
        A sentence on the data and their licences for the card.
    on_step : callable
        Called after each step with the progress and the loss.
    unlabelled : pathlib.Path, optional
        Folder of scans that may hold anything, for methods that learn from such.

    Raises
    ------
    NoInputError
        When fewer than two scans are left to train on.
    UsageError
        When `target` holds a run with other settings, a setting is unknown, or the method has no use
        for unlabelled scans.
    TrainingError
        When the training diverges; the best checkpoint so far becomes the weights all the same.
    """
    schedule = schedule or Schedule()
    runtime.check_can_train()
    runtime.seed_initial_weights(schedule.seed)
    method = new_method(method_name, region, settings or {})
    target.mkdir(parents=True, exist_ok=True)
    _same_run(target / "run.json", method, schedule)
    if unlabelled is not None:
        method.unlabelled = unlabelled_scans(unlabelled, target / "unlabelled", method)
    scans = conformed_scans(source, target / "scans", method)
    held_out, training = hold_out(scans, schedule.held_out)
    run = _Run(method, target, schedule, selection_cases(held_out, schedule.seed, method.trained_kinds), on_step)
    try:
        run.go([np.load(path, mmap_mode="r") for path in training])
    except TrainingError:
        if (target / BEST_ARRAYS).exists():
            _write_weights(run, training, held_out, note)
        raise
    _write_weights(run, training, held_out, note)
    return target


def _write_weights(run: _Run, training: list[Path], held_out: list[Path], note: str) -> None:
    progress = run.progress
    facts = {
        "steps": progress.step,
        "epochs": progress.epoch,
        "chosen_step": progress.best_step,
        "selection_ap": round(progress.best_ap, 4),
        "training_scans": len(training),
        "held_out_scans": [path.stem for path in held_out],
        "seed": run.schedule.seed,
        "minutes": round(progress.seconds / 60, 1),
        "device": runtime.device(),
        "note": note,
    }
    about = {"method": run.method.name, "region": run.method.region.name, "settings": run.method.settings.to_dict()}
    config: dict[str, Any] = about | {"training": facts}
    run.method.load_weights(run.target / BEST_ARRAYS)
    if held_out:
        config["calibration"] = measure_calibration(run.method, held_out).to_dict()
    write_folder(run.target, run.target / BEST_ARRAYS, config)


def new_method(name: str, region: Region, settings: dict[str, Any]) -> Method:
    """An untrained method with its default settings and some of them changed."""
    kind = method_type(name)
    defaults = kind.default_settings(region)
    if unknown := sorted(set(settings) - set(defaults.to_dict())):
        fix = f"Known ones: {', '.join(defaults.to_dict())}"
        raise UsageError(f"method '{name}' has no setting {', '.join(unknown)}", fix=fix)
    return kind(region, kind.settings_type.from_dict(defaults.to_dict() | settings))


@dataclass
class _Run:
    """The loop over epochs, with its files."""

    method: Method
    target: Path
    schedule: Schedule
    cases: list[tuple[np.ndarray, np.ndarray]]
    on_step: Callable[[Progress, float], None]

    def go(self, scans: list[np.ndarray]) -> None:
        self.progress = self._resume()
        self.losses: list[float] = []
        self.clock = self.saved = time.monotonic()
        try:
            self._epochs(scans)
        except KeyboardInterrupt:
            self._save_state()
            raise
        if self.losses or not (self.target / BEST_ARRAYS).exists():
            self._check()
        self._save_state()

    def _epochs(self, scans: list[np.ndarray]) -> None:
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
        self.on_step(self.progress, losses["loss"])
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
            self.method.save_weights(self.target / BEST_ARRAYS)
        self._tick()
        at = self.progress
        row = (at.step, at.epoch, at.seconds, np.mean(self.losses or [np.nan]), ap)
        append_row(self.target / "log.csv", LOG_COLUMNS, row)
        log.info("step %d: loss %.4f, AP on held-out synthetic outliers %.4f", row[0], row[3], ap)
        self.losses = []

    def _tick(self) -> None:
        now = time.monotonic()
        self.progress.seconds, self.clock = round(self.progress.seconds + now - self.clock, 1), now

    def _save_state(self) -> None:
        """Keep everything to go on from; an epoch cut short counts as done."""
        self._tick()
        self.method.save_state(self.target / STATE_ARRAYS)
        (self.target / STATE).write_text(json.dumps(dataclasses.asdict(self.progress)), encoding="utf-8")
        self.saved = time.monotonic()

    def _resume(self) -> Progress:
        path = self.target / STATE
        if not path.exists():
            return Progress()
        progress = Progress(**json.loads(path.read_text(encoding="utf-8")))
        self.method.load_state(self.target / STATE_ARRAYS)
        log.info("going on from step %d", progress.step)
        return progress


def _same_run(path: Path, method: Method, schedule: Schedule) -> None:
    """Remember what this folder trains; refuse to go on with something else."""
    about = {"method": method.name, "region": method.region.name, "settings": method.settings.to_dict()}
    about = json.loads(json.dumps(about | {"seed": schedule.seed, "held_out": schedule.held_out}))
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != about:
        raise UsageError("the output folder holds a run with other settings", where=path, fix="Name another folder")
    path.write_text(json.dumps(about, indent=1), encoding="utf-8")
