"""Weights copied to another folder, where their scores mean something else."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from mood.atomic import remove_stale, replacing
from mood.calibration import Calibration
from mood.weights.store import CONFIG, WeightsFolder, describe, read_folder


def copy_calibrated(weights: WeightsFolder, folder: Path, calibration: Calibration) -> WeightsFolder:
    """The same weights in another folder, members in folders within it, with scores that mean something else."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_stale(folder)
    for member in weights.members:
        _copy_files(member.path, folder / member.path.name)
    if not weights.members:
        _copy_files(weights.path, folder)
    names = tuple(member.path.name for member in weights.members) or None
    describe(folder, replace(weights.config, calibration=calibration, members=names))
    return read_folder(folder)


def _copy_files(source: Path, target: Path) -> None:
    """The files of a weights folder; the config, which makes it one, comes last."""
    target.mkdir(exist_ok=True)
    names = sorted((path.name for path in source.iterdir() if path.is_file()), key=lambda name: name == CONFIG)
    for name in names:
        with replacing(target / name) as temporary:
            shutil.copyfile(source / name, temporary)
