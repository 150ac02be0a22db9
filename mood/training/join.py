"""Several trained networks of the method mix joined into one, whose map is the mean of theirs.

Networks that were trained apart, and see a scan in different ways, make different mistakes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mood.atomic import check_writable, private_folder
from mood.errors import NoInputError, UsageError
from mood.methods import load_method
from mood.methods.mix.method import Mix, MixSettings
from mood.methods.mix.training_images import VIEWS
from mood.networks.unet import copy_member
from mood.training import provenance
from mood.training.data import measure_calibration, selection_ap, selection_cases
from mood.typed import renamed
from mood.volume import find_scans, scan_name
from mood.weights.config import TrainingFacts, WeightsConfig
from mood.weights.store import ARRAYS, WeightsFolder, write_folder

APART = ("views", "members", "momentum", "learning_rate", "decay_steps", "batch_size")  # settings that may differ


def join(folders: Sequence[WeightsFolder], source: Path, target: Path) -> float:
    """Join weights of mix and write them to `target`; the scores are calibrated anew.

    Parameters
    ----------
    folders : sequence of WeightsFolder
        Two or more, that held the same scans out.
    source : pathlib.Path
        Folder with the healthy scans they were trained on.
    target : pathlib.Path
        Becomes a weights folder.

    Returns
    -------
    float
        Pixel average precision on synthetic outliers in the held-out scans.

    Raises
    ------
    UsageError
        When the weights do not belong together.
    NoInputError
        When a held-out scan is missing in `source`.
    """
    methods = [_as_mix(folder) for folder in folders]
    _check_alike(folders)
    joined = joined_method(methods)
    held_out = _held_out(folders[0], source)
    made = [*provenance.steps_of(*folders), provenance.step("join", held_out)]
    check_writable(target)
    ap = selection_ap(joined, selection_cases(held_out, joined, folders[0].config.training.seed))
    calibration = measure_calibration(joined, held_out) if held_out else None
    facts, settings = replace(_training(folders, ap), provenance=tuple(made)), joined.settings.to_dict()
    config = WeightsConfig(joined.name, joined.region.name, settings, facts, calibration=calibration)
    with private_folder(target) as folder:
        joined.save_weights(folder / ARRAYS)
        write_folder(target, folder / ARRAYS, config)
    return ap


def joined_method(methods: Sequence[Mix]) -> Mix:
    """One method whose network holds those of several, each seeing what it was trained to see.

    Parameters
    ----------
    methods : sequence of Mix
        With the same settings but for those in `APART`.
    """
    settings = [method.settings for method in methods]
    views = tuple(view for view in VIEWS if any(view in own.views for own in settings))
    members = sum(own.members for own in settings)
    joined = Mix(methods[0].region, replace(settings[0], views=views, members=members))
    slices, place = 2 * settings[0].context + 1, 0
    for method, own in zip(methods, settings, strict=True):
        channels = [views.index(view) * slices + k for view in own.views for k in range(slices)]
        for i in range(own.members):
            copy_member(method.network, i, joined.network, place, channels)
            place += 1
    return joined


def _as_mix(folder: WeightsFolder) -> Mix:
    method = load_method(folder)
    if not isinstance(method, Mix):
        raise UsageError(f"method '{method.name}' cannot be joined", where=folder.path, fix="Name weights of mix")
    return method


def _check_alike(folders: Sequence[WeightsFolder]) -> None:
    if len(folders) < 2:
        raise UsageError("one set of weights has nothing to be joined with", fix="Name two or more folders")
    for folder in folders[1:]:
        if _shared(folder) != _shared(folders[0]):
            fix = f"Train both on the same scans and hold out the same; only {', '.join(APART)} may differ"
            raise UsageError(f"trained otherwise than {folders[0].path}", where=folder.path, fix=fix)


def _shared(folder: WeightsFolder) -> tuple[Any, ...]:
    """What weights that are joined must agree in."""
    described = renamed(folder.config.settings, MixSettings.old_names)
    settings = {name: value for name, value in described.items() if name not in APART}
    return folder.region, settings, folder.config.training.held_out_scans


def _held_out(folder: WeightsFolder, source: Path) -> list[Path]:
    scans = {scan_name(path): path for path in find_scans(source)}
    names = folder.config.training.held_out_scans
    if missing := [name for name in names if name not in scans]:
        fix = "Name the folder that the weights were trained on"
        raise NoInputError(f"held-out scans are missing: {', '.join(missing)}", where=source, fix=fix)
    return [scans[name] for name in names]


def _training(folders: Sequence[WeightsFolder], ap: float) -> TrainingFacts:
    """What the card says: sums and lists over the members."""
    each = [folder.config.training for folder in folders]
    notes = dict.fromkeys(training.note for training in each)
    return replace(
        each[0],
        steps=sum(training.steps for training in each),
        epochs=sum(training.epochs for training in each),
        minutes=round(sum(training.minutes for training in each), 1),
        chosen_step=[training.chosen_step for training in each],
        selection_ap=round(ap, 4),
        note=" ".join([*notes, f"Joined from {len(folders)} sets of weights, whose maps are averaged."]),
    )
