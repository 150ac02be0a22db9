"""ASC-Net's original workflow on arrays, step by step: create the networks, continue stage 1, continue stage 2.

    create_networks.py            networks with random weights, and their settings
    continue_training_stage_1.py  reads the arrays, trains stage 1 until its rule says so, writes networks and pictures
    continue_training_stage_2.py  the same for stage 2

Networks keep the stems that the authors gave them: `disjoint_un_sup_mse_generator.weights.h5` (the main
module and Iro's grey levels), `..._discriminator.weights.h5` and `..._complete_gans.weights.h5` (everything
that training goes on from). The settings are in `settings.json`. The outputs for the inputs are written as
pictures to `ID1` (Ifc), `ID2` (Iwc) and `ID3` (Iro), scaled by the constants of the last check.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mood import runtime
from mood.atomic import append_row, remove_stale, replacing, write_text
from mood.errors import MoodError, NoInputError, UsageError
from mood.methods.ascnet import pictures
from mood.methods.ascnet.adversarial import Draw, rebuilt
from mood.methods.ascnet.arrays import Packed, draw_from, held_out, read_packed
from mood.methods.ascnet.grey_levels import Levels
from mood.methods.ascnet.method import AscNet, AscNetSettings, SliceSide
from mood.regions import BRAIN
from mood.typed import Count, Unfit, decode_file, encode_text

log = logging.getLogger(__name__)

STEM = "disjoint_un_sup_mse_"
GENERATOR, DISCRIMINATOR, COMPLETE = (
    f"{STEM}{name}.weights.h5" for name in ("generator", "discriminator", "complete_gans")
)
SETTINGS, LOG = "settings.json", "rounds.csv"
OUTPUTS = {"ID1": "Ifc", "ID2": "Iwc", "ID3": "Iro"}
ROUND_COLUMNS = ("stage", "round", "loss", "adversarial", "reconstruction", "disjointness", "thresholds", "dice")


@dataclass(frozen=True)
class Created:
    """What networks were created with: `settings.json`."""

    side: tuple[SliceSide, SliceSide]  # of the images: height, width
    seed: Count
    settings: dict[str, Any]  # where they are not the defaults


def create_networks(folder: Path, side: tuple[int, int], settings: dict[str, Any] | None = None, seed: int = 0) -> None:
    """Write new networks for images of `side` (height, width) to a folder.

    Raises
    ------
    UsageError
        When the folder holds networks already, a side is not a multiple of 16 or a setting is unknown.
    """
    if (folder / SETTINGS).exists():
        raise UsageError("the folder holds networks already", where=folder, fix="Name another folder")
    if any(length < 16 or length % 16 for length in side):
        raise UsageError(f"sides {side[0]} and {side[1]} do not fit", fix="Give multiples of 16")
    method = _method(settings or {}, seed)
    folder.mkdir(parents=True, exist_ok=True)
    method.prepare(side)
    _save(method, folder)
    write_text(folder / SETTINGS, encode_text(Created(side, seed, settings or {})))


def continue_training(
    data: Path,
    folder: Path,
    stage: int,
    pictured: int = 16,
    on_step: Callable[[dict], None] = lambda losses: None,
    on_round: Callable[[AscNet], None] = lambda method: None,
) -> Levels:
    """Train one stage until its rule ends it; after an interruption the same call goes on.

    Parameters
    ----------
    data : pathlib.Path
        Folder of the arrays.
    folder : pathlib.Path
        Folder of the networks, from `create_networks`.
    stage : {1, 2}
    pictured : int
        How many of the inputs are written as pictures.
    on_step : callable
        Called with the losses of each step.
    on_round : callable
        Called with the method after each round, once its networks are kept.

    Returns
    -------
    Levels
        Iro's grey levels at the last check; `thresholds` segment it.

    Raises
    ------
    NoInputError, UsageError
        Before training, when an array or a network is missing or does not fit.
    TrainingError
        When training diverges; the networks of the last good check stay in the folder.
    """
    method, packed, seed = _open(data, folder)
    if method.rounds.stage > stage:
        log.info("stage %d has ended already", stage)
        return method.levels
    if method.rounds.stage < stage:
        raise UsageError("stage 1 has not ended", where=folder, fix="Run continue_training_stage_1.py first")
    sources, held = _sources(packed, seed)
    steps = max(1, round(len(packed.inputs) / method.settings.batch_size))
    while method.rounds.stage == stage:
        rng = np.random.default_rng([seed, stage, method.rounds.done])
        round_ = method.rounds.done + 1
        losses: dict[str, float] = {}
        for losses in method.train_round(*sources, held, min(steps, method.settings.phase_steps), rng):
            on_step(losses)
        _save(method, folder)
        method.draw_check(folder / f"stage-{stage}-round-{round_:04d}.png")
        _log_round(folder / LOG, stage, round_, losses, method.levels, dice(method, packed, seed))
        on_round(method)
    write_outputs(method, packed, folder, pictured)
    return method.levels


def _sources(packed: Packed, seed: int) -> tuple[tuple[Draw, Draw], tuple[np.ndarray, np.ndarray]]:
    """What batches are drawn from, and the held-out images of the checks, both (reference, inputs)."""
    (train_r, held_r), (train_i, held_i) = (held_out(len(images), seed) for images in (packed.reference, packed.inputs))
    sources = draw_from(packed.reference, train_r), draw_from(packed.inputs, train_i)
    return sources, (packed.reference[held_r].astype(np.float32), packed.inputs[held_i].astype(np.float32))


def dice(method: AscNet, packed: Packed, seed: int) -> float:
    """Overlap of the segmentation of the held-out inputs with their masks; NaN without masks."""
    if packed.masks is None:
        return float("nan")
    kept = held_out(len(packed.inputs), seed)[1]
    found = method.levels.mask(rebuilt(method.network, packed.inputs[kept].astype(np.float32))[2])
    true = packed.masks[kept][..., 0] > 0
    return float(2 * (found & true).sum() / max(found.sum() + true.sum(), 1))


def write_outputs(method: AscNet, packed: Packed, folder: Path, count: int) -> None:
    """The first `count` inputs' cuts and rebuilt images as pictures in ID1, ID2 and ID3."""
    images = rebuilt(method.network, packed.inputs[:count].astype(np.float32))
    low, high = (method.histogram.low, method.histogram.high) if method.histogram else (0.0, 1.0)
    for (name, _), stack in zip(OUTPUTS.items(), images, strict=True):
        pictures.save_images(stack, folder / name, *((low, high) if name == "ID3" else (0.0, 1.0)))


def _method(settings: dict[str, Any], seed: int) -> AscNet:
    defaults = AscNet.default_settings(BRAIN).to_dict()  # arrays have no region: any will do
    try:
        chosen = AscNetSettings.checked(defaults | settings)
    except Unfit as error:
        raise UsageError(f"ASC-Net cannot have these settings ({error})", fix="Change the value") from error
    runtime.seed_initial_weights(seed)
    return AscNet(BRAIN, chosen)


def load_networks(folder: Path) -> AscNet:
    """The networks of a folder where they stand; `NoInputError` when it holds none."""
    about = _about(folder)
    method = _method(about.settings, about.seed)
    try:
        method.load_state(folder / COMPLETE)
    except (OSError, KeyError, ValueError) as error:
        fix = "Restore the file, or create the networks anew in another folder"
        raise UsageError("the networks are damaged or missing", where=folder / COMPLETE, fix=fix) from error
    return method


def _about(folder: Path) -> Created:
    try:
        return decode_file(Created, folder / SETTINGS)
    except FileNotFoundError as error:
        raise NoInputError("the folder holds no networks", where=folder, fix="Run create_networks.py first") from error
    except Unfit as error:
        fix = "Restore it, or create the networks anew in another folder"
        what = f"the networks' settings are damaged ({error})"
        raise UsageError(what, where=folder / SETTINGS, fix=fix) from error


def _open(data: Path, folder: Path) -> tuple[AscNet, Packed, int]:
    """The networks and the arrays, both checked."""
    about = _about(folder)
    packed = read_packed(data)
    if packed.side != about.side:
        what = f"the networks are for images of {list(about.side)} and the arrays hold {list(packed.side)}"
        raise UsageError(what, where=data, fix="Create networks of that size, or pack the arrays anew")
    return load_networks(folder), packed, about.seed


def _save(method: AscNet, folder: Path) -> None:
    """Every file whole or not at all: one that is cut short would end the training for good."""
    remove_stale(folder)
    writers = {COMPLETE: method.save_state, GENERATOR: method.save_weights, DISCRIMINATOR: method.save_discriminator}
    for name, write in writers.items():
        with replacing(folder / name) as temporary:
            write(temporary)


def _log_round(path: Path, stage: int, round_: int, losses: dict[str, float], levels: Levels, overlap: float) -> None:
    thresholds = " ".join(f"{t:.4f}" for t in levels.thresholds)
    named = {"stage": stage, "round": round_, "thresholds": thresholds, "dice": f"{overlap:.4f}"}
    row = named | {name: f"{losses[name]:.6g}" for name in ROUND_COLUMNS if name in losses}
    append_row(path, ROUND_COLUMNS, [row.get(name, "") for name in ROUND_COLUMNS])
    log.info("stage %d, round %d: %s", stage, round_, ", ".join(f"{k} {v}" for k, v in row.items() if k not in named))


def run_stage(stage: int) -> None:
    """The command line of the two training scripts: DATA NETWORKS [PICTURES]."""
    import sys

    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    if len(sys.argv) not in (3, 4):
        sys.exit(f"usage: continue_training_stage_{stage}.py DATA NETWORKS [PICTURES]")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    columns = (
        TextColumn(f"stage {stage}"),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[loss]:.4f}"),
    )
    with Progress(*columns, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("training", total=None, loss=float("nan"))
        try:
            levels = continue_training(
                Path(sys.argv[1]),
                Path(sys.argv[2]),
                stage,
                int(sys.argv[3]) if len(sys.argv) == 4 else 16,
                lambda losses: bar.update(task, advance=1, loss=losses["loss"]),
            )
        except MoodError as error:
            print(f"stage {stage}: {error}", file=sys.stderr)
            sys.exit(error.exit_code)
    print(f"stage {stage} has ended; Iro's thresholds: {', '.join(f'{t:.3f}' for t in levels.thresholds) or 'none'}")
