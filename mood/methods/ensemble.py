"""Ensemble: the mean of the maps of FPI and ASC-Net.

Their scales differ: one map is a share of foreign tissue, another a distance across a valley. So each is
replaced by how rare its values are in healthy tissue (`mood.calibration`) where the weights say so. Each
member works on its own grid; a scan is resampled for members whose grid differs from the ensemble's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mood.methods import MEMBERS, method_type
from mood.methods.base import Method, Settings, finite
from mood.regions import Region
from mood.resampling import apply_along_axes, centred_resampling
from mood.typed import Batch, Width
from mood.weights.bundle import read_bundle, write_bundle


@dataclasses.dataclass(frozen=True)
class EnsembleSettings(Settings):
    """The ensemble's grid, and its members' settings where they are not their defaults on this grid."""

    width: Width | None = None  # of every member's network, in its own unit; None leaves each its own
    batch_size: Batch | None = None  # slices, of every member
    members: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)  # settings by member's name


class Ensemble(Method):
    """Mean of the maps of several methods."""

    name = "ensemble"
    settings_type = EnsembleSettings
    settings: EnsembleSettings
    learns_from_unlabelled = True

    def __init__(self, region: Region, settings: EnsembleSettings, members: list[Method] | None = None) -> None:
        super().__init__(region, settings)
        self.members = members or [_member(name, region, settings) for name in MEMBERS[self.name]]

    @classmethod
    def default_settings(cls, region: Region) -> EnsembleSettings:
        return EnsembleSettings(region.grid.shape, region.grid.spacing_mm, region.slice_axis)

    @classmethod
    def composed_of(cls, members: list[Method]) -> Ensemble:
        """An ensemble of trained methods of one region, on the grid of the one with the finest voxels."""
        finest = min(members, key=lambda member: float(np.prod(member.settings.spacing_mm))).settings
        described = {member.name: member.settings.to_dict() for member in members}
        settings = EnsembleSettings(finest.grid_shape, finest.spacing_mm, finest.slice_axis, members=described)
        return cls(members[0].region, settings, members)

    @property
    def finished(self) -> bool:
        return all(member.finished for member in self.members)

    def score_volume(self, scan: np.ndarray) -> np.ndarray:
        scan = finite(scan)
        total = np.zeros(scan.shape, np.float32)
        for member in self.members:
            score_map = self._member_map(member, scan)
            total += score_map if member.calibration is None else member.calibration.rarity(score_map)
        return np.clip(total / len(self.members), 0.0, 1.0)

    def _member_map(self, member: Method, scan: np.ndarray) -> np.ndarray:
        if member.settings.spacing_mm == self.settings.spacing_mm:
            return member.score_volume(scan)
        ratios = [theirs / ours for theirs, ours in zip(member.grid.spacing_mm, self.grid.spacing_mm, strict=True)]
        shapes = [(size, max(1, round(size / ratio))) for size, ratio in zip(scan.shape, ratios, strict=True)]
        forward = tuple(
            centred_resampling(coarse, size, ratio) for (size, coarse), ratio in zip(shapes, ratios, strict=True)
        )
        back = tuple(
            centred_resampling(size, coarse, 1 / ratio) for (size, coarse), ratio in zip(shapes, ratios, strict=True)
        )
        return apply_along_axes(member.score_volume(apply_along_axes(scan, forward)), back)

    def train_epoch(self, scans: Sequence[np.ndarray], rng: np.random.Generator) -> Iterator[dict[str, float]]:
        """An epoch of each member in turn, on scans of the ensemble's grid."""
        for member in self.members:
            member.unlabelled = self.unlabelled if member.learns_from_unlabelled else ()
            if not member.finished:
                yield from member.train_epoch(scans, rng)

    def draw_check(self, path: Path) -> None:
        for member in self.members:
            member.draw_check(path)

    def save_weights(self, path: Path) -> None:
        write_bundle(path, {member.name: member.save_weights for member in self.members})

    def load_weights(self, path: Path) -> None:
        read_bundle(path, {member.name: member.load_weights for member in self.members})

    def save_state(self, path: Path) -> None:
        write_bundle(path, {member.name: member.save_state for member in self.members})

    def load_state(self, path: Path) -> None:
        read_bundle(path, {member.name: member.load_state for member in self.members})


def _member(name: str, region: Region, settings: EnsembleSettings) -> Method:
    """A member with its default settings, those of the ensemble that it shares, and those given for it."""
    kind = method_type(name)
    defaults = kind.default_settings(region)
    shared = {
        key: value for key, value in settings.to_dict().items() if key in defaults.to_dict() and value is not None
    }
    chosen = defaults.to_dict() | shared | settings.members.get(name, {})
    return kind(region, kind.settings_type.from_dict(chosen))
