"""Trained weights: where they are, what they are, and that they are whole.

A weights folder holds `config.json` (method, region, settings, how they were trained, checksums),
`model.weights.h5` (arrays only; matrices as float16) and `card.md`, and after `mood quantise` the same networks
as graphs in int8, some files each. Looked for in this order:

    1. the folder named on the command line
    2. restore_dir/REGION, or $MOOD_RESTORE_DIR/REGION, in it or one folder deeper
    3. this package: METHOD-REGION
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mood.atomic import remove_stale, replacing, write_text
from mood.calibration import Calibration
from mood.engines import Graph
from mood.errors import WeightsError
from mood.regions import get_region
from mood.typed import Unfit, decode_file
from mood.weights.arrays import check_arrays, checksum, halve_matrices, verified
from mood.weights.card import card_text
from mood.weights.config import Bench, WeightsConfig

PACKAGED = Path(__file__).parent
CONFIG, ARRAYS, CARD = "config.json", "model.weights.h5", "card.md"
GRAPH = "int8-{}"  # and suffixes


@dataclass(frozen=True)
class WeightsFolder:
    """One set of trained weights on disk, arrays not read yet."""

    path: Path
    config: WeightsConfig
    members: tuple[WeightsFolder, ...] = ()  # of a method that is composed of others with weights of their own

    @property
    def method(self) -> str:
        return self.config.method

    @property
    def region(self) -> str:
        return self.config.region

    @property
    def calibration(self) -> Calibration | None:
        """What its scores mean, where that was measured."""
        return self.config.calibration

    @property
    def sha256(self) -> str:
        """Of the arrays; of those of each member, joined by `+`, where there are some."""
        return self.config.sha256 or ""

    def verified_arrays(self) -> Path:
        """The path of the arrays, of the first member's where there are some, after a look through all of them.

        Raises
        ------
        WeightsError
            When their bytes are not those that were saved, or are no numbers.
        """
        if self.members:
            first, *_ = [member.verified_arrays() for member in self.members]
            return first
        path = verified(self.path / ARRAYS, self.sha256)
        check_arrays(path)
        return path

    def verified_graphs(self) -> dict[str, list[Path]]:
        """The int8 graphs of the method's parts, by name; `WeightsError` when there are none or one is damaged."""
        if self.config.int8 is None:
            fix = "Run: mood quantise, or choose --precision float32"
            raise WeightsError("there are no int8 graphs beside these weights", where=self.path, fix=fix)
        return {
            part: [verified(self.path / name, digest) for name, digest in files.items()]
            for part, files in self.config.int8.items()
        }


def default_method(region: str, folder: Path | None = None) -> str:
    """The method when none is named: that of the weights in `folder` or placed in restore_dir, else the shipped one."""
    for candidate in _folders_in(folder or _restore_dir(region)):
        if (candidate / CONFIG).is_file() and (found := read_folder(candidate)).region == region:
            return found.method
    return get_region(region).default_method


def find_weights(method: str, region: str, folder: Path | None = None, members: tuple[str, ...] = ()) -> WeightsFolder:
    """The weights to predict with.

    Parameters
    ----------
    folder : pathlib.Path, optional
        Where to look instead of the usual places.
    members : tuple of str
        Names of the methods that this one is composed of; without weights of its own it takes theirs,
        from `folder` or the folders in it, or else from the usual places.

    Raises
    ------
    WeightsError
        When there are none, or they are for something else.
    """
    if folder is not None and ((folder / CONFIG).is_file() or not members):
        return _expect(read_folder(folder), method, region)
    placed = folder or _restore_dir(region)
    if found := _search(_folders_in(placed) + ([] if folder else [PACKAGED / f"{method}-{region}"]), method, region):
        return found
    if members:
        return _composed(method, region, placed, [_find_member(name, region, folder) for name in members])
    fix = f"Train them (mood train --method {method} --region {region}) and name the folder with --weights"
    raise WeightsError(f"no trained weights for method '{method}' and region '{region}'", where=placed, fix=fix)


def _find_member(name: str, region: str, folder: Path | None) -> WeightsFolder:
    if folder is None:
        return find_weights(name, region)
    if found := _search(_folders_in(folder), name, region):
        return found
    fix = "Put the weights folder of each member into it"
    raise WeightsError(f"no trained weights for method '{name}' and region '{region}'", where=folder, fix=fix)


def _search(candidates: list[Path], method: str, region: str) -> WeightsFolder | None:
    for candidate in candidates:
        if (candidate / CONFIG).is_file():
            found = read_folder(candidate)
            if (found.method, found.region) == (method, region):
                return found
    return None


def _composed(method: str, region: str, path: Path, members: list[WeightsFolder]) -> WeightsFolder:
    config = WeightsConfig(method, region, settings={}, sha256=joined_digest(members))
    return WeightsFolder(path, config, tuple(members))


def read_folder(folder: Path) -> WeightsFolder:
    """The weights folder at this path; `WeightsError` when it is none, or describes what cannot be."""
    try:
        config = decode_file(WeightsConfig, folder / CONFIG)
    except FileNotFoundError as error:
        fix = "Name a folder that mood train wrote (SavedModel folders of other programs cannot be read)"
        raise WeightsError(f"no {CONFIG} in the weights folder", where=folder, fix=fix) from error
    except OSError as error:
        raise WeightsError(f"{CONFIG} cannot be read ({error.strerror})", where=folder, fix="Check the path") from error
    except Unfit as error:
        fix = "Restore it from its source"
        raise WeightsError(f"{CONFIG} is damaged ({error})", where=folder, fix=fix) from error
    if config.sha256 is None:
        raise WeightsError(f"{CONFIG} is damaged (no sha256)", where=folder, fix="Restore it from its source")
    return WeightsFolder(folder, config, _members_beside(folder, config))


def _members_beside(folder: Path, config: WeightsConfig) -> tuple[WeightsFolder, ...]:
    """The weights that a folder without arrays joins; they must be those that it was measured with."""
    if config.members is None:
        return ()
    fix = "Restore it and its members from one source"
    if folder.name in config.members:
        raise WeightsError(f"{CONFIG} is damaged (a member of itself)", where=folder, fix=fix)
    inside = all((folder / name / CONFIG).is_file() for name in config.members)
    members = tuple(read_folder((folder if inside else folder.parent) / name) for name in config.members)
    if joined_digest(members) != config.sha256:
        raise WeightsError("its members are not those that it was measured with", where=folder, fix=fix)
    return members


def joined_digest(members: Sequence[WeightsFolder]) -> str:
    """What stands for the arrays of several weights."""
    return "+".join(member.sha256 for member in members)


def packaged_weights() -> list[WeightsFolder]:
    """Every set of weights that comes with the package."""
    return [read_folder(path.parent) for path in sorted(PACKAGED.glob(f"*/{CONFIG}"))]


def write_folder(folder: Path, full_arrays: Path, config: WeightsConfig) -> None:
    """Write a weights folder from float32 arrays; `config` lacks the checksum only. The config comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_stale(folder)
    with replacing(folder / ARRAYS) as temporary:
        halve_matrices(full_arrays, temporary)
        for outdated in (folder / CONFIG, *folder.glob(GRAPH.format("*"))):
            outdated.unlink(missing_ok=True)
    describe(folder, replace(config, sha256=checksum(folder / ARRAYS)))


def write_joined(folder: Path, members: Sequence[WeightsFolder], config: WeightsConfig) -> None:
    """Write a weights folder that joins those beside it; `config` lacks what names them only."""
    folder.mkdir(parents=True, exist_ok=True)
    names = tuple(member.path.name for member in members)
    describe(folder, replace(config, members=names, sha256=joined_digest(members)))


def write_graphs(weights: WeightsFolder, graphs: Mapping[str, Graph]) -> None:
    """Keep the int8 form of each part of a method beside its weights."""
    digests = {}
    for part, graph in graphs.items():
        files = graph.save(weights.path / GRAPH.format(part))
        digests[part] = {file.name: checksum(file) for file in files}
    describe(weights.path, replace(weights.config, int8=digests))


def record_scores(weights: WeightsFolder, scores: Bench) -> None:
    """Keep what a benchmark measured of these weights in their config and card; the arrays stay as they are."""
    describe(weights.path, replace(weights.config, bench=scores))


def record_calibration(weights: WeightsFolder, calibration: Calibration) -> WeightsFolder:
    """Keep what the scores of these weights mean; the arrays stay as they are."""
    describe(weights.path, replace(weights.config, calibration=calibration))
    return read_folder(weights.path)


def describe(folder: Path, config: WeightsConfig) -> None:
    """Write the card and the config that makes a weights folder of what is there."""
    write_text(folder / CARD, card_text(config))
    write_text(folder / CONFIG, config.text())


def _restore_dir(region: str) -> Path:
    return Path(os.environ.get("MOOD_RESTORE_DIR", "restore_dir")) / region


def _folders_in(folder: Path) -> list[Path]:
    deeper = sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    return [folder, *deeper]


def _expect(found: WeightsFolder, method: str, region: str) -> WeightsFolder:
    if (found.method, found.region) != (method, region):
        what = f"the weights are for method '{found.method}' and region '{found.region}', not '{method}' and '{region}'"
        raise WeightsError(what, where=found.path, fix="Name other weights, or that method and region")
    return found
