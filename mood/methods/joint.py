"""The brain's default: what was taught and what is unusual, joined by rarity as every ensemble is, then levelled."""

from __future__ import annotations

import numpy as np

from mood.methods.base import Method
from mood.methods.ensemble import Ensemble, EnsembleSettings
from mood.methods.scoring import above_own_level, top_mean
from mood.regions import Region

NORMATIVE_SHARE = 0.25  # of each of its maps in the joint one, beside 1 of detail


class Joint(Ensemble):
    """Detail and normative: what was taught and what is unusual; each finds what the other does not."""

    name = "joint"
    learns_from_unlabelled = False

    @classmethod
    def default_settings(cls, region: Region) -> EnsembleSettings:
        grid = region.grid.coarsened(128)
        return EnsembleSettings(grid.shape, grid.spacing_mm, slice_axis=2, shares={"normative": NORMATIVE_SHARE})

    @classmethod
    def joint_settings(cls, region: Region, members: list[Method]) -> EnsembleSettings:
        return cls.default_settings(region)  # no map of theirs shows anything finer

    def levelled(self, rarity: np.ndarray, tissue: np.ndarray) -> np.ndarray:
        return above_own_level(rarity, tissue)

    def raw_sample_score(self, score_map: np.ndarray) -> float:
        return top_mean(score_map, self.settings.spacing_mm)
