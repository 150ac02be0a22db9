"""Train a method on a folder of healthy scans; the output folder is a weights folder.

    conform every scan once -> epochs of method.train_epoch -> every so many steps: checkpoint and
    score held-out scans with synthetic outliers -> the best checkpoint becomes the weights

The outliers that choose the checkpoint are of other kinds than any training task, and are planted in
scans that are not trained on; labels of real cases are never used. An interrupted run goes on where it
stopped when the same command is given again. A seed and one uninterrupted run give the same weights.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mood import metrics, runtime
from mood.conform import conform
from mood.errors import NoInputError, ScanError, TrainingError, UsageError
from mood.methods import Method, method_type
from mood.regions import Region
from mood.synthesis.outliers import KINDS, draw_outlier, plant_outlier
from mood.volume import find_scans, load, scan_name
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
    best_ap: float = -1.0
    best_step: int = 0


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
    runtime.seed_initial_weights(schedule.seed)
    method = new_method(method_name, region, settings or {})
    target.mkdir(parents=True, exist_ok=True)
    _same_run(target / "run.json", method, schedule)
    if unlabelled is not None:
        method.unlabelled = _unlabelled_scans(unlabelled, target / "unlabelled", method)
    scans = conformed_scans(source, target / "scans", method)
    held_out, training = _split(scans, schedule)
    run = _Run(method, target, schedule, _selection_cases(held_out, schedule.seed), on_step)
    names = [path.stem for path in training], [path.stem for path in held_out]
    try:
        run.go([np.load(path, mmap_mode="r") for path in training])
    except TrainingError:
        if (target / BEST_ARRAYS).exists():
            _write_weights(run, *names, note)
        raise
    _write_weights(run, *names, note)
    return target


def _write_weights(run: _Run, training: list[str], held_out: list[str], note: str) -> None:
    config, card = _record(run, training, held_out, note)
    write_folder(run.target, run.target / BEST_ARRAYS, config, card)


def new_method(name: str, region: Region, settings: dict[str, Any]) -> Method:
    """An untrained method with its default settings and some of them changed."""
    kind = method_type(name)
    defaults = kind.default_settings(region)
    if unknown := sorted(set(settings) - set(defaults.to_dict())):
        fix = f"Known ones: {', '.join(defaults.to_dict())}"
        raise UsageError(f"method '{name}' has no setting {', '.join(unknown)}", fix=fix)
    return kind(region, dataclasses.replace(defaults, **settings))


def _unlabelled_scans(folder: Path, cache: Path, method: Method) -> list[np.ndarray]:
    if not method.learns_from_unlabelled:
        fix = "Leave out --unlabelled, or choose another method"
        raise UsageError(f"method '{method.name}' learns from healthy scans only", fix=fix)
    return [np.load(path, mmap_mode="r") for path in conformed_scans(folder, cache, method, fewest=1)]


def conformed_scans(source: Path, cache: Path, method: Method, fewest: int = 2) -> list[Path]:
    """Every readable scan on the method's grid, as float16 arrays on disk, so that none is read twice.

    Scans that cannot be read are reported and left out; `NoInputError` when fewer than `fewest` remain.
    """
    cache.mkdir(parents=True, exist_ok=True)
    done = []
    for path in find_scans(source):
        kept = cache / f"{scan_name(path)}.npy"
        if not kept.exists():
            try:
                data = conform(load(path), method.region, method.grid).data
            except ScanError as error:
                log.warning("left out: %s", error)
                continue
            temporary = kept.with_suffix(".tmp.npy")
            np.save(temporary, np.ascontiguousarray(data, dtype=np.float16))
            temporary.rename(kept)
        done.append(kept)
    if len(done) < fewest:
        fix = "FPI mixes pairs of subjects: give at least two readable scans"
        raise NoInputError(f"{len(done)} readable scan(s) to train on", where=source, fix=fix)
    return done


def _split(scans: list[Path], schedule: Schedule) -> tuple[list[Path], list[Path]]:
    """Held-out scans, spread evenly over the names (and so over the sites), and the others."""
    count = min(schedule.held_out, max(len(scans) - 2, 0))
    chosen = set(np.linspace(0, len(scans) - 1, count + 2).astype(int)[1:-1]) if count else set()
    return [scans[i] for i in sorted(chosen)], [p for i, p in enumerate(scans) if i not in chosen]


def _selection_cases(held_out: list[Path], seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """One outlier in each held-out scan, the kinds in turn: (scan, label) pairs."""
    rng = np.random.default_rng([seed, 1])
    cases = []
    for path, kind in zip(held_out, list(KINDS) * len(held_out), strict=False):
        scan = np.load(path).astype(np.float32)
        cases.append(plant_outlier(scan, draw_outlier(kind, scan, rng)))
    return cases


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
        while self.progress.epoch < self.schedule.epochs and not self._stop() and not self.method.finished:
            rng = np.random.default_rng([self.schedule.seed, 0, self.progress.epoch])
            self.progress.epoch += 1
            for losses in self.method.train_epoch(scans, rng):
                self._after_step(losses)
                if self._stop():
                    break
        if self.losses or not (self.target / BEST_ARRAYS).exists():
            self._check()
        self._save_state()

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
        if ap >= self.progress.best_ap:
            self.progress.best_ap, self.progress.best_step = ap, self.progress.step
            self.method.save_weights(self.target / BEST_ARRAYS)
        self._tick()
        row = (
            self.progress.step,
            self.progress.epoch,
            self.progress.seconds,
            np.mean(self.losses or [np.nan]),
            ap,
        )
        _append_row(self.target / "log.csv", row)
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


def selection_ap(method: Method, cases: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Pooled pixel average precision on (scan, label) pairs; 0 when there are none."""
    counts = [metrics.count_values(method.score_volume(scan), label) for scan, label in cases]
    return float(metrics.average_precision(sum(counts[1:], counts[0]))) if counts else 0.0


def _same_run(path: Path, method: Method, schedule: Schedule) -> None:
    """Remember what this folder trains; refuse to go on with something else."""
    about = {"method": method.name, "region": method.region.name, "settings": method.settings.to_dict()}
    about = json.loads(json.dumps(about | {"seed": schedule.seed, "held_out": schedule.held_out}))
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != about:
        raise UsageError("the output folder holds a run with other settings", where=path, fix="Name another folder")
    path.write_text(json.dumps(about, indent=1), encoding="utf-8")


def _append_row(path: Path, row: tuple) -> None:
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(LOG_COLUMNS)
        writer.writerow([f"{value:.6g}" for value in row])


def _record(run: _Run, training: list[str], held_out: list[str], note: str) -> tuple[dict[str, Any], str]:
    """The config (all but the checksum) and the card of the trained weights."""
    progress, method = run.progress, run.method
    facts = {
        "steps": progress.step,
        "epochs": progress.epoch,
        "chosen_step": progress.best_step,
        "selection_ap": round(progress.best_ap, 4),
        "training_scans": len(training),
        "held_out_scans": held_out,
        "seed": run.schedule.seed,
        "minutes": round(progress.seconds / 60, 1),
        "device": runtime.device(),
    }
    config = {"method": method.name, "region": method.region.name, "settings": method.settings.to_dict()}
    rows = {**method.settings.to_dict(), **facts}
    table = "\n".join(f"| {key.replace('_', ' ')} | {value} |" for key, value in rows.items())
    card = (
        f"# {method.name}-{method.region.name}\n\n{note or 'Nothing was stated about the data.'}\n\n"
        "The checkpoint was chosen by average precision on synthetic outliers (kinds that are not trained on) "
        "planted in held-out healthy scans.\n\n| | |\n| --- | --- |\n" + table + "\n"
    )
    return config | {"training": facts | {"note": note}}, card
