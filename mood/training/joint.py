"""What the members of an ensemble reach in healthy scans: measured together, kept in a folder beside their weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mood.calibration import RareValues, calibrate, joined_name
from mood.detector import Detector
from mood.errors import NoInputError
from mood.methods import load_method, method_type
from mood.methods.ensemble import FINE, LEVELLED, Ensemble
from mood.volume import load, scan_name
from mood.weights.config import TrainingFacts, WeightsConfig
from mood.weights.store import WeightsFolder, write_joined


@dataclass(frozen=True, eq=False)
class HealthyMaps:
    """What members say of the tissue of one healthy scan.

    Attributes
    ----------
    tissue : (X, Y, Z) bool ndarray
        On the ensemble's grid.
    values : dict of (N,) float32 ndarray by the name of the map
    """

    tissue: np.ndarray
    values: dict[str, np.ndarray]

    @property
    def everywhere(self) -> np.ndarray:
        """Tissue among the values: all of them."""
        return np.ones(np.count_nonzero(self.tissue), bool)

    def without_finer(self) -> HealthyMaps:
        """As of a scan of coarser voxels."""
        fine = FINE.format("")
        return HealthyMaps(self.tissue, {name: of for name, of in self.values.items() if not name.endswith(fine)})


def join_weights(
    method: str, members: Sequence[WeightsFolder], healthy: Sequence[Path], target: Path, note: str
) -> None:
    """Measure an ensemble on healthy scans and write its weights folder, which must lie beside its members'.

    Parameters
    ----------
    method : {'joint', 'ensemble'}
    healthy : sequence of pathlib.Path
        Scans that no member was trained on.
    note : str
        What the card says.

    Raises
    ------
    NoInputError
        When there are no scans.
    """
    if not healthy:
        raise NoInputError("there are no healthy scans to measure on", where=target, fix="Name some")
    kind = method_type(method)
    ensemble = kind.composed_of([load_method(member) for member in members])
    assert isinstance(ensemble, Ensemble)
    maps = [healthy_maps(ensemble, path) for path in healthy]
    measured = replace(ensemble.settings, rare=rare_values(ensemble, maps))
    joint = [joint_map(ensemble, measured.rare, one) for one in maps]
    scores = [ensemble.raw_sample_score(score_map) for score_map in joint]
    tissue = [score_map[one.tissue] for score_map, one in zip(joint, maps, strict=True)]
    facts = TrainingFacts(selection_ap=-1.0, held_out_scans=tuple(scan_name(path) for path in healthy), note=note)
    config = WeightsConfig(method, ensemble.region.name, measured.to_dict(), facts)
    write_joined(target, members, replace(config, calibration=calibrate(scores, tissue)))


def healthy_maps(ensemble: Ensemble, path: Path) -> HealthyMaps:
    """The members' maps of a healthy scan, where it has tissue."""
    scan = Detector(ensemble).conform(load(path))
    tissue = scan.data > 0
    return HealthyMaps(tissue, {name: of[tissue] for name, of in ensemble.maps(scan.data, scan.further).items()})


def rare_values(ensemble: Ensemble, maps: Iterable[HealthyMaps]) -> dict[str, RareValues]:
    """What each map reaches in healthy tissue, and what those do that are joined, with the finer grid and without.

    And what the joined ones do once they are levelled.
    """
    maps = list(maps)
    rare = {
        name: RareValues.of(np.concatenate([one.values[name] for one in maps if name in one.values]))
        for name in sorted({name for one in maps for name in one.values})
    }
    joined: dict[str, list[np.ndarray]] = {}
    every = [*maps, *(one.without_finer() for one in maps)]
    for one in every:
        joined.setdefault(joined_name(one.values), []).append(ensemble.rarity(one.values, rare))
    rare |= {name: RareValues.of(np.concatenate(values)) for name, values in joined.items() if name not in rare}
    levelled = [ensemble.levelled(ensemble.rarity(one.values, rare), one.everywhere) for one in every]
    return rare | {LEVELLED: RareValues.of(np.concatenate(levelled))}


def joint_map(ensemble: Ensemble, rare: dict[str, RareValues], one: HealthyMaps) -> np.ndarray:
    """The ensemble's map from its members', (X, Y, Z) float32 in [0, 1]."""
    score_map = np.zeros(one.tissue.shape, np.float32)
    score_map[one.tissue] = ensemble.scores(one.values, rare, one.everywhere)
    return score_map
