"""Trained weights: where they are, what they are, and that they are whole.

A weights folder holds `config.json` (method, region, settings, how they were trained, checksums),
`model.weights.h5` (arrays only; matrices as float16) and `card.md`, and after `mood quantise` the same networks
as graphs in int8, some files each. Looked for in this order:

    1. the folder named on the command line
    2. restore_dir/REGION, or $MOOD_RESTORE_DIR/REGION, in it or one folder deeper
    3. this package: METHOD-REGION
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mood.atomic import remove_stale, replacing, write_text
from mood.engines import Graph
from mood.errors import LOWER_RATE, TrainingError, WeightsError
from mood.weights.card import card_text

PACKAGED = Path(__file__).parent
DEFAULTS = "defaults.json"  # the method that a region's scans are scored with when none is named
NEEDED, OPTIONAL = ("method", "region", "settings", "training", "sha256"), ("calibration", "bench", "int8")
CONFIG, ARRAYS, CARD = "config.json", "model.weights.h5", "card.md"
GRAPH = "int8-{}"  # and suffixes
DAMAGED = "the weights file is damaged: its SHA-256 differs from config.json"


@dataclass(frozen=True)
class WeightsFolder:
    """One set of trained weights on disk, arrays not read yet."""

    path: Path
    config: dict[str, Any]
    members: tuple[WeightsFolder, ...] = ()  # of a method that is composed of others with weights of their own

    @property
    def method(self) -> str:
        return self.config["method"]

    @property
    def region(self) -> str:
        return self.config["region"]

    @property
    def calibration(self) -> dict[str, Any] | None:
        """Constants of `mood.calibration.Calibration`, where they were measured."""
        return self.config.get("calibration")

    def verified_arrays(self) -> Path:
        """The path of the arrays; `WeightsError` when their bytes are not those that were saved."""
        return _verified(self.path / ARRAYS, self.config["sha256"])

    def verified_graphs(self) -> dict[str, list[Path]]:
        """The int8 graphs of the method's parts, by name; `WeightsError` when there are none or one is damaged."""
        if "int8" not in self.config:
            fix = "Run: mood quantise, or choose --precision float32"
            raise WeightsError("there are no int8 graphs beside these weights", where=self.path, fix=fix)
        return {
            part: [_verified(self.path / name, digest) for name, digest in files.items()]
            for part, files in self.config["int8"].items()
        }


def default_method(region: str, folder: Path | None = None) -> str:
    """The method when none is named: that of the weights in `folder` or placed in restore_dir, else the shipped one."""
    for candidate in _folders_in(folder or _restore_dir(region)):
        if (candidate / CONFIG).is_file() and (found := read_folder(candidate)).region == region:
            return found.method
    return json.loads((PACKAGED / DEFAULTS).read_text(encoding="utf-8"))[region]


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
    config = {
        "method": method,
        "region": region,
        "settings": {},
        "training": {},
        "sha256": "+".join(member.config["sha256"] for member in members),
    }
    return WeightsFolder(path, config, tuple(members))


def read_folder(folder: Path) -> WeightsFolder:
    """The weights folder at this path; `WeightsError` when it is none."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        return WeightsFolder(
            folder, {key: config[key] for key in NEEDED} | {key: config[key] for key in OPTIONAL if key in config}
        )
    except FileNotFoundError as error:
        fix = "Name a folder that mood train wrote (SavedModel folders of other programs cannot be read)"
        raise WeightsError(f"no {CONFIG} in the weights folder", where=folder, fix=fix) from error
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{CONFIG} is damaged ({error!r})", where=folder, fix="Restore it from its source"
        ) from error


def packaged_weights() -> list[WeightsFolder]:
    """Every set of weights that comes with the package."""
    return [read_folder(path.parent) for path in sorted(PACKAGED.glob(f"*/{CONFIG}"))]


def write_folder(folder: Path, full_arrays: Path, config: dict[str, Any]) -> None:
    """Write a weights folder from float32 arrays; `config` lacks the checksum only. The config comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_stale(folder)
    for outdated in (folder / CONFIG, *folder.glob(GRAPH.format("*"))):
        outdated.unlink(missing_ok=True)
    with replacing(folder / ARRAYS) as temporary:
        _halve_matrices(full_arrays, temporary)
    _describe(folder, config | {"sha256": checksum(folder / ARRAYS)})


def _describe(folder: Path, config: dict[str, Any]) -> None:
    """Write the card and the config that makes a weights folder of what is there."""
    write_text(folder / CARD, card_text(config))
    write_text(folder / CONFIG, json.dumps(config, indent=1) + "\n")


def write_graphs(weights: WeightsFolder, graphs: Mapping[str, Graph]) -> None:
    """Keep the int8 form of each part of a method beside its weights."""
    config = weights.config | {"int8": {}}
    for part, graph in graphs.items():
        files = graph.save(weights.path / GRAPH.format(part))
        config["int8"][part] = {file.name: checksum(file) for file in files}
    write_text(weights.path / CARD, card_text(config))
    write_text(weights.path / CONFIG, json.dumps(config, indent=1) + "\n")


def record_scores(weights: WeightsFolder, scores: dict[str, float]) -> None:
    """Keep what a benchmark measured of these weights in their config and card; the arrays stay as they are."""
    _describe(weights.path, weights.config | {"bench": scores})


def _verified(path: Path, digest: str) -> Path:
    fix = "Restore the file from its source"
    if not path.is_file():
        raise WeightsError("the weights file is missing", where=path, fix=fix)
    if checksum(path) != digest:
        raise WeightsError(DAMAGED, where=path, fix=fix)
    return path


def checksum(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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


def _stored(item: h5py.Dataset) -> np.ndarray:
    narrow = item.dtype == np.float32 and item.ndim >= 2
    with np.errstate(over="ignore"):  # becomes infinite, which is said
        values = np.asarray(item[()], np.float16 if narrow else item.dtype)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        what = f"training diverged: the weights {item.name} are not finite, or too large for float16"
        raise TrainingError(what, fix=LOWER_RATE)
    return values


def _halve_matrices(source: Path, target: Path) -> None:
    """Copy an HDF5 file with matrices and kernels as float16; vectors (biases, statistics) stay float32."""
    with h5py.File(source, "r") as full, h5py.File(target, "w") as half:
        half.attrs.update(full.attrs)

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                options = {"compression": "gzip"} if item.compression else {}
                copied = half.create_dataset(name, data=_stored(item), **options)
            else:
                copied = half.require_group(name)
            copied.attrs.update(item.attrs)

        full.visititems(copy)
