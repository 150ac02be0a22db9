"""Ensembles: the maps of several methods, joined by how rare their values are in healthy tissue.

Their scales differ. So each becomes a rarity (-log10 of the share of healthy voxels that are higher,
`mood.calibration`); the root of their mean square is joined, and becomes a rarity again: a fifth of the scale a decade,
0 outside the body. Where that was never measured the map is the plain mean of theirs. Each member works on its own
grid, and one that can sees scans of fine voxels on a finer grid as well. `joint`, the default, is in `joint.py`.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from mood.calibration import RareValues, as_score, joint_rarity
from mood.conform import ConformedScan
from mood.methods import MEMBERS, method_type
from mood.methods.base import Method, UsedNetwork, finite
from mood.methods.in_time import OutOfTime
from mood.methods.settings import Millimetres, Settings
from mood.regions import Grid, Region
from mood.resampling import apply_along_axes, centred_resampling
from mood.synthesis.native import NativeScan
from mood.typed import Batch, Share, Width
from mood.weights.bundle import read_bundle, write_bundle

log = logging.getLogger(__name__)

FINE = "{} fine"  # a member on the finer grid
LEVELLED = "levelled"  # what joint maps reach in healthy tissue once each is levelled
FOUND_FROM = 2.0  # decades, 1 healthy voxel in 100: one member alone seldom reaches as far as all of them


@dataclasses.dataclass(frozen=True)
class EnsembleSettings(Settings):
    """The ensemble's grid, its members' settings where they are not their defaults on it, and what maps mean."""

    width: Width | None = None  # of every member's network, in its own unit; None leaves each its own
    batch_size: Batch | None = None  # slices, of every member
    members: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)  # settings by member's name
    finer_mm: Millimetres | None = None  # voxels of the second grid, for members that can see one; None: no such grid
    fine_below_mm: Annotated[float, Meta(gt=0, le=50)] = 1.5  # longest voxel side of scans that it shows more of
    shares: dict[str, Share] = dataclasses.field(default_factory=dict)  # what a member's maps count; 1 when not named
    # What maps reach in healthy tissue: a member's by its name, joint ones by the names joined by '+', LEVELLED.
    rare: dict[str, RareValues] = dataclasses.field(default_factory=dict)


class Ensemble(Method):
    """Maps of several methods joined by rarity."""

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
    def composed_of(cls, members: list[Method], settings: dict[str, Any] | None = None) -> Ensemble:
        """An ensemble of trained methods of one region, with settings or its own defaults."""
        region = members[0].region
        if settings:
            return cls(region, cls.settings_type.from_dict(settings), members)
        described = {member.name: member.settings.to_dict() for member in members}
        own = dataclasses.replace(cls.joint_settings(region, members), members=described)
        return cls(region, own, members)

    @classmethod
    def joint_settings(cls, region: Region, members: list[Method]) -> EnsembleSettings:
        """Those of an ensemble of trained members: the grid is that of the member with the finest voxels."""
        finest = min(members, key=lambda member: float(np.prod(member.settings.spacing_mm))).settings
        return dataclasses.replace(
            cls.default_settings(region),
            grid_shape=finest.grid_shape,
            spacing_mm=finest.spacing_mm,
            slice_axis=finest.slice_axis,
        )

    @property
    def finished(self) -> bool:
        return all(member.finished for member in self.members)

    def further_grids(self, spacing_mm: tuple[float, ...]) -> tuple[Grid, ...]:
        """Those of members on other grids, and the finer one of a scan with fine voxels."""
        own = self.grid.spacing_mm
        grids = {member.grid for member in self.members if member.grid.spacing_mm != own}
        if max(spacing_mm) < self.settings.fine_below_mm and (grid := self._finer_grid) is not None:
            grids.add(grid)
        return tuple(sorted(grids, key=lambda grid: grid.spacing_mm))

    @property
    def _finer_grid(self) -> Grid | None:
        mm = self.settings.finer_mm
        if mm is None or not any(member.sees_finer for member in self.members):
            return None
        x, y, z = (round(n * own / mm) for n, own in zip(self.grid.shape, self.grid.spacing_mm, strict=True))
        return Grid((x, y, z), (mm, mm, mm))

    def score_volume(self, scan: np.ndarray) -> np.ndarray:
        return self._joined(finite(scan), {})

    def score_scan(self, scan: ConformedScan) -> np.ndarray:
        return self._joined(finite(scan.data), scan.further)

    def score_with_members(self, scan: ConformedScan) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        data = finite(scan.data)
        maps = self.maps(data, scan.further, separate=bool(self.settings.rare))
        found: dict[str, np.ndarray] = {}
        for name, score_map in maps.items():
            if (rare := self._rare(name)) is not None:
                member, rarer = name.split()[0], (rare.rarity(score_map) >= FOUND_FROM) & (data > 0)
                found[member] = found[member] | rarer if member in found else rarer
        return self._joined_maps(data, maps), found

    def maps(
        self, scan: np.ndarray, further: Mapping[Grid, np.ndarray], separate: bool = True
    ) -> dict[str, np.ndarray]:
        """The maps of each member by its name, and of those that see the finer grid, on the ensemble's grid.

        Parameters
        ----------
        scan : (X, Y, Z) float32 ndarray in [0, 1]
            On the ensemble's grid.
        further : dict of (X', Y', Z') float32 ndarray by Grid
            The same scan on other grids; for members whose grid is missing it is resampled.
        separate : bool
            Whether members give several maps where they have such; those can be joined only when they were measured.
        """
        found: dict[str, np.ndarray] = {}
        try:
            for name, member in self._named.items():
                found |= self._member_maps(member, name, scan, further, separate)
                if member.sees_finer and (grid := self._finer_grid) is not None and grid in further:
                    found |= self._member_maps(member.on_grid(grid), FINE.format(name), scan, further, separate)
        except OutOfTime as error:
            if not found:
                raise
            log.warning("%s: only %s had enough of it", error.what, ", ".join(found))
        return found

    @property
    def _named(self) -> dict[str, Method]:
        """Members by name; a second one of a name has its number behind it."""
        named: dict[str, Method] = {}
        for number, member in enumerate(self.members, start=1):
            named[f"{member.name} {number}" if member.name in named else member.name] = member
        return named

    def _member_maps(
        self, member: Method, name: str, scan: np.ndarray, further: Mapping[Grid, np.ndarray], separate: bool
    ) -> dict[str, np.ndarray]:
        alike, own = member.settings.spacing_mm == self.settings.spacing_mm, scan
        if not alike:
            own = further[member.grid] if member.grid in further else _resampled(scan, self.grid, member.grid)
        maps = member.separate_maps(own) if separate else {"": member.score_volume(own)}
        return {
            f"{name} {kind}".strip(): of if alike else _resampled(of, member.grid, self.grid, scan.shape)
            for kind, of in maps.items()
        }

    def _joined(self, scan: np.ndarray, further: Mapping[Grid, np.ndarray]) -> np.ndarray:
        return self._joined_maps(scan, self.maps(scan, further, separate=bool(self.settings.rare)))

    def _joined_maps(self, scan: np.ndarray, maps: Mapping[str, np.ndarray]) -> np.ndarray:
        rare = {name: self._rare(name) for name in maps}
        if any(values is None for values in rare.values()):
            return np.clip(np.mean(list(maps.values()), axis=0), 0.0, 1.0).astype(np.float32)
        known, tissue = {name: of for name, of in rare.items() if of} | self.settings.rare, scan > 0
        return np.where(tissue, self.scores(maps, known, tissue), np.float32(0))

    def scores(self, maps: Mapping[str, np.ndarray], rare: Mapping[str, RareValues], tissue: np.ndarray) -> np.ndarray:
        """What maps are joined to, in [0, 1], given what each reaches in healthy tissue and where there is some."""
        values = self.levelled(self.rarity(maps, rare), tissue)
        return as_score(rare[LEVELLED].rarity(values) if LEVELLED in rare else values)

    def levelled(self, rarity: np.ndarray, tissue: np.ndarray) -> np.ndarray:
        """What is left of a scan's rarities when its own level is taken off; here it is not."""
        return rarity

    def rarity(self, maps: Mapping[str, np.ndarray], rare: Mapping[str, RareValues]) -> np.ndarray:
        """What maps are joined to, in decades, given what each reaches in healthy tissue."""
        return joint_rarity(maps, rare, self.settings.shares)

    def _rare(self, name: str) -> RareValues | None:
        """What a member's map reaches in healthy tissue, as measured for the ensemble or else for the member."""
        if name in self.settings.rare:
            return self.settings.rare[name]
        member = self._named.get(name.removesuffix(FINE.format("")))
        return None if member is None or member.calibration is None else member.calibration.rare

    def networks(self) -> dict[str, UsedNetwork]:
        return {
            f"{name}-{part}".replace(" ", "-"): used
            for name, member in self._named.items()
            for part, used in member.networks().items()
        }

    def train_epoch(self, scans: Sequence[np.ndarray], rng: np.random.Generator) -> Iterator[dict[str, float]]:
        """An epoch of each member in turn, on scans of the ensemble's grid."""
        for member in self.members:
            member.unlabelled = self.unlabelled if member.learns_from_unlabelled else ()
            own: Sequence[Any] = scans
            if member.trains_on_native:
                own = [NativeScan(np.asarray(scan, np.float32), self.grid.spacing_mm) for scan in scans]
            if not member.finished:
                yield from member.train_epoch(own, rng)

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


def _resampled(image: np.ndarray, source: Grid, target: Grid, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """An image on one grid brought to another about its middle; to `shape` voxels, or as many as its extent takes."""
    ratios = [theirs / ours for theirs, ours in zip(target.spacing_mm, source.spacing_mm, strict=True)]
    shape = shape or tuple(max(1, round(size / ratio)) for size, ratio in zip(image.shape, ratios, strict=True))
    axes = zip(shape, image.shape, ratios, strict=True)
    return apply_along_axes(image, tuple(centred_resampling(size, own, ratio) for size, own, ratio in axes))


def _member(name: str, region: Region, settings: EnsembleSettings) -> Method:
    """A member with its default settings, those of the ensemble that it shares, and those given for it."""
    kind = method_type(name)
    defaults = kind.default_settings(region)
    own = {key: value for key, value in settings.to_dict().items() if key != "members" and value is not None}
    shared = {key: value for key, value in own.items() if key in defaults.to_dict()}
    return kind(region, kind.settings_type.from_dict(defaults.to_dict() | shared | settings.members.get(name, {})))
