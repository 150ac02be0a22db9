"""The methods of the benchmark: those that have weights, on any engine, and baselines trained on the table's scans.

A baseline is trained once for each choice of scans and settings and kept in the cache folder.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from mood import engines
from mood.benchmark.manifest import Entry
from mood.errors import UsageError, WeightsError
from mood.methods import BASELINES, MEMBERS, REGISTRY, Method, load_method, method_type
from mood.regions import Region
from mood.training.run import Schedule, train
from mood.weights.store import CONFIG, find_weights, read_folder

log = logging.getLogger(__name__)

ENGINES = tuple(engines.WAYS)  # int8 among them: what mood quantise wrote
NOTE = "A baseline, trained by the benchmark on the scans that its table allows to train on."


def methods_with_weights(region: Region, names: Sequence[str]) -> dict[str, Method]:
    """Every method among `names`, the baselines left out, that `mood predict` would find weights for."""
    found = {}
    for name in REGISTRY:
        if name in names and name not in BASELINES:
            try:
                found[name] = load_method(find_weights(name, region.name, members=MEMBERS.get(name, ())))
            except WeightsError as error:
                log.info("%s, %s is not measured: %s", name, region.name, error)
    return found


def on_engines(name: str, region: Region, ways: Sequence[str]) -> dict[str, Method]:
    """A method with weights on each of some `ENGINES`, `NAME on ENGINE`; those that it cannot run on are left out."""
    rows = {}
    for way in ways:
        try:
            rows[f"{name} on {way}"] = load_method(find_weights(name, region.name), *engines.WAYS[way])
        except (WeightsError, UsageError) as error:
            log.info("%s, %s is not measured on %s: %s", name, region.name, way, error)
    return rows


def trained_baseline(name: str, region: Region, entries: Sequence[Entry], steps: int, cache: Path) -> Method:
    """A baseline trained on some scans, or the one that was trained on them before.

    Parameters
    ----------
    entries : sequence of Entry
        Scans to train on.
    steps : int
        Training steps of the autoencoder; the others take one pass.
    cache : pathlib.Path
    """
    schedule = Schedule(epochs=steps, steps=steps, check_every=steps, held_out=0) if name == "autoencoder" else None
    settings = method_type(name).default_settings(region).to_dict()
    scans = [(str(entry.path.resolve()), entry.path.stat().st_size) for entry in entries]
    key = json.dumps([settings, steps if schedule else 1, scans])
    folder = cache / f"{name}-{region.name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    if not (folder / CONFIG).is_file():
        log.info("training %s, %s on %d scans", name, region.name, len(entries))
        sources = _links(entries, folder / "sources")
        train(sources, folder, name, region, schedule=schedule or Schedule(epochs=1, held_out=0), note=NOTE)
        for used in ("scans", "sources"):
            shutil.rmtree(folder / used)
    return load_method(read_folder(folder))


def _links(entries: Sequence[Entry], folder: Path) -> Path:
    """A folder of links to the scans, since a training reads a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for entry in entries:
        link = folder / entry.path.name
        if not link.is_symlink():
            link.symlink_to(entry.path.resolve())
    return folder
