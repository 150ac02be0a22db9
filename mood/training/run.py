"""Train a method on a folder of healthy scans; the output folder is a weights folder.

    prepare every scan once -> epochs of method.train_epoch -> every so many steps: checkpoint and
    score held-out scans with synthetic outliers -> the best checkpoint becomes the weights

The outliers that choose the checkpoint are of other kinds than any training task, and are planted in
scans that are not trained on; labels of real cases are never used. An interrupted run goes on where it
stopped when the same command is given again. A seed and one uninterrupted run give the same weights.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mood import runtime
from mood.atomic import check_writable, locked, remove_stale
from mood.engines import devices
from mood.errors import TrainingError, UsageError
from mood.methods import Method, load_arrays
from mood.regions import Region
from mood.training import checkpoints, provenance
from mood.training.data import (
    discard_prepared,
    hold_out,
    measure_calibration,
    prepared_scans,
    selection_cases,
    unlabelled_scans,
)
from mood.training.loop import BEST, STATE, Progress, Run, Schedule
from mood.training.new_method import new_method
from mood.training.own_folder import check_shares, own_folder
from mood.training.record import TrainingRecord
from mood.typed import Unfit, decode, encode
from mood.volume import find_scans, scan_name
from mood.weights.config import TrainingFacts, WeightsConfig
from mood.weights.store import find_weights, read_folder, write_folder

log = logging.getLogger(__name__)

LOCK = "training.lock"
HEALTHY, UNLABELLED = "scans", "unlabelled"  # uses of scans, and the folders of what is prepared of them


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
    start_from: Path | None = None,
    on_devices: int = 1,
    hosts: Sequence[str] = (),
) -> Path:
    """Train on the scans in `source` and write the weights to `target`.

    Parameters
    ----------
    source, target : pathlib.Path
        Folder of healthy scans; what becomes a weights folder, and keeps log, checkpoints and conformed scans too.
    method_name, region : str, Region
        As in `mood.methods.REGISTRY`; what the scans are of.
    settings : dict, optional
        Overrides of the method's settings by name.
    schedule : Schedule, optional
        When to stop and to check, how many scans to hold out, and the seed.
    note : str
        A sentence on the data and their licences for the card.
    on_step : callable
        Called after each step with the progress and the loss.
    unlabelled, start_from : pathlib.Path, optional
        Scans that may hold anything, for methods that learn from such; weights of the same method, of either region.
    on_devices, hosts : int, sequence of str
        Devices of this machine that share batches; HOST:PORT of each machine that trains along by the same call, of
        which the first one leaves files.

    Raises
    ------
    WeightsError
        When those to start from are damaged or do not fit.
    NoInputError
        When fewer than two scans are left to train on.
    UsageError
        When `target` holds another run, or one that goes on, a setting or the schedule cannot be meant, or the method
        has no use for unlabelled scans.
    OutputError
        When `target` cannot be written to, or the disk is full; what was reached before is kept.
    TrainingError
        When the training diverges; the best checkpoint so far becomes the weights all the same.
    """
    schedule = _checked(schedule or Schedule())
    with devices.shared(on_devices, hosts):
        method, note, earlier = _method_to_train(method_name, region, settings or {}, schedule.seed, start_from, note)
        check_shares(method)
        check_writable(target)
        with own_folder(target, LOCK) as folder, locked(folder / LOCK):
            remove_stale(folder)
            run = _prepared_run(source, folder, method, schedule, unlabelled, on_step)
            _go(run, note, (*earlier, provenance.step("train", _files_read(run, source), unlabelled)))
    return target


def _method_to_train(
    name: str, region: Region, settings: dict[str, Any], seed: int, start_from: Path | None, note: str
) -> tuple[Method, str, list[provenance.Step]]:
    """The method as training finds it, the note for its card, and the steps that made what it starts from."""
    runtime.prepare_training()
    runtime.seed_initial_weights(seed)
    with runtime.mixed_precision(), devices.scope():
        method = new_method(name, region, settings)
    if start_from is None:
        return method, note, []
    found = find_weights(method.name, read_folder(start_from).region, start_from)
    load_arrays(method, found, fix="Train with the settings in their config.json")
    note = f"Started from weights with SHA-256 {found.sha256[:12]}. {note}".strip()
    return method, note, provenance.steps_of(found)


def _go(run: Run, note: str, steps: tuple[provenance.Step, ...]) -> None:
    """Train and write the weights; what a diverging training had reached is written too."""
    try:
        with runtime.mixed_precision():  # some networks are built only now
            run.go()
    except TrainingError:
        if checkpoints.newest(run.target / BEST) is not None:
            _write_weights(run, note, steps)
        raise
    _write_weights(run, note, steps)


def _checked(schedule: Schedule) -> Schedule:
    try:
        return decode(Schedule, encode(schedule))
    except Unfit as error:
        raise UsageError(f"a training cannot go like this ({error})", fix="Change the value") from error


def _prepared_run(
    source: Path,
    target: Path,
    method: Method,
    schedule: Schedule,
    unlabelled: Path | None,
    on_step: Callable[[Progress, float], None],
) -> Run:
    """The run of a folder with everything it needs on disk."""
    scans = {HEALTHY: find_scans(source)} | ({UNLABELLED: find_scans(unlabelled)} if unlabelled is not None else {})
    record = TrainingRecord(target, _about(method, schedule), scans)
    _check_changes(record, source, target)
    for use, paths in scans.items():
        discard_prepared(target / use, [scan_name(path) for path in paths if record.is_known(use, path)])
    record.write(with_hashes=False)
    if unlabelled is not None:
        method.unlabelled = unlabelled_scans(unlabelled, target / UNLABELLED, method)
    prepared = prepared_scans(source, target / HEALTHY, method)
    record.write(with_hashes=True)
    sources = {scan_name(path): path for path in scans[HEALTHY]}
    kept_apart, training = hold_out(prepared, schedule.held_out)
    held_out = [sources[path.stem] for path in kept_apart]
    cases = selection_cases(held_out, method, schedule.seed)
    return Run(method, target, schedule, cases, on_step, training=training, held_out=held_out)


def _files_read(run: Run, source: Path) -> list[Path]:
    """The scans that are trained on or held out; those that could not be read are not among them."""
    names = {path.stem for path in run.training} | {scan_name(path) for path in run.held_out}
    return [path for path in find_scans(source) if scan_name(path) in names]


def _check_changes(record: TrainingRecord, source: Path, target: Path) -> None:
    """Say which scans are others than those a training was begun with; `UsageError` when it has got anywhere."""
    changes = record.changes()
    if changes and any(checkpoints.newest(target / name) is not None for name in (STATE, BEST)):
        fix = "Restore them, or name another output folder"
        raise UsageError(f"the scans have changed since this training began: {changes}", where=source, fix=fix)
    if changes:
        log.warning("%s: the scans have changed since they were prepared: %s", source, changes)


def _write_weights(run: Run, note: str, made: tuple[provenance.Step, ...]) -> None:
    progress, held_out, best = run.progress, run.held_out, checkpoints.newest(run.target / BEST)
    if best is None:
        fix = "Give the same command again"
        raise TrainingError("the best weights are damaged", where=run.target / BEST, fix=fix)
    facts = TrainingFacts(
        steps=progress.step,
        epochs=progress.epoch,
        chosen_step=best.facts["best_step"],
        selection_ap=round(best.facts["best_ap"], 4),
        training_scans=len(run.training),
        held_out_scans=tuple(scan_name(path) for path in held_out),
        seed=run.schedule.seed,
        minutes=round(progress.seconds / 60, 1),
        device=runtime.device(),
        note=note,
        provenance=made,
    )
    method, calibration = run.method, None
    if held_out:
        exact = type(method)(method.region, method.settings)  # in float32, as it will predict
        exact.load_weights(best.path)
        calibration = measure_calibration(exact, held_out)
    config = WeightsConfig(method.name, method.region.name, method.settings.to_dict(), facts, calibration=calibration)
    write_folder(run.target, best.path, config)


def _about(method: Method, schedule: Schedule) -> dict[str, Any]:
    """What an interrupted run must be given again to go on."""
    about = {"method": method.name, "region": method.region.name, "settings": method.settings.to_dict()}
    return about | {"seed": schedule.seed, "held_out": schedule.held_out}
