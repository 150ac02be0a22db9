"""Normative: each place of a scan compared with the same place in healthy scans; no synthetic anomaly is involved.

    scan -> standardised -> registered to the template -> axial slices, enlarged, through a pretrained network
        -> features at positions -> PCA -> two distances from what is usual there
        -> log, less the scan's own median, in standard deviations of held-out healthy scans -> back to the scan

PaDiM (Defard et al. 2021, arXiv 2011.08785) made anatomical. `near` is a Mahalanobis distance that forgives a few
millimetres of misregistration, `diag` the distance by each position's own variance. Each becomes a rarity (-log10 of
the share of held-out healthy positions that are higher); the map joins both by the root of the sum of squares.
Mirror images of the scans are further subjects where left and right are alike.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from msgspec import Meta

from mood.calibration import joint_rarity
from mood.engines import Forward
from mood.intensities import standardised
from mood.methods.base import Method, UsedNetwork, finite
from mood.methods.normative.features import Positions, features_at
from mood.methods.normative.learning import Learning, well_registered
from mood.methods.normative.model import Model, blurred, untrained
from mood.methods.registration.affine import Registration, register
from mood.methods.registration.template import Template, mean_spread, template_for
from mood.methods.scoring import top_mean
from mood.methods.settings import Settings
from mood.networks.efficientnet import CHANNELS, pretrained_features
from mood.regions import Region
from mood.typed import Share

log = logging.getLogger(__name__)

Smoothing = Annotated[float, Meta(ge=0, le=50)]


@dataclass(frozen=True)
class NormativeSettings(Settings):
    """As measured on held-out training scans; the statistics' constants are in `statistics.py`."""

    enlargement: Annotated[int, Meta(ge=1, le=4)] = 2  # of the slices, before the network sees them
    components: Annotated[int, Meta(ge=1, le=sum(CHANNELS))] = 80  # of the features; 0.9 of their variance
    folds: Annotated[int, Meta(ge=2, le=64)] = 4  # parts of the scans, each measured by what is usual in the others
    tissue_share: Share = 0.5  # of the scans that must have tissue at a position
    near_smoothing_mm: Smoothing = 6.0  # standard deviation, of that distance's map
    diag_smoothing_mm: Smoothing = 2.0


HALF_SCORE_RARITY = 4.0  # joint rarity that scores 0.5
HALF_SCORE_DEVIATIONS = 4.0  # beyond the expected distance, that lie half way to 1


class Normative(Method):
    """Distances of pretrained features from those of healthy scans at the same place."""

    name = "normative"
    settings_type = NormativeSettings
    settings: NormativeSettings
    _runner: Forward | None = None

    def __init__(self, region: Region, settings: NormativeSettings) -> None:
        super().__init__(region, settings)
        self.positions = Positions(self.grid, settings.enlargement)
        self.model = untrained(self.positions.shape)

    @classmethod
    def default_settings(cls, region: Region) -> NormativeSettings:
        grid = region.grid.coarsened(128)
        return NormativeSettings(grid.shape, grid.spacing_mm, slice_axis=2)

    @property
    def finished(self) -> bool:
        """One pass is all it takes; a further one starts over."""
        return len(self.model.places.chosen) > 0

    @property
    def template(self) -> Template:
        """What scans are registered to."""
        return template_for(self.region, self.grid, self.model.spread_mm)

    def score_volume(self, scan: np.ndarray) -> np.ndarray:
        scan = finite(scan)
        distances = self._distances(scan)
        joint = joint_rarity(distances, {name: one.rare for name, one in self.model.expected.items()})
        return np.where(scan > 0, joint / (joint + HALF_SCORE_RARITY), np.float32(0))

    def separate_maps(self, scan: np.ndarray) -> dict[str, np.ndarray]:
        """The two distances, each in [0, 1]: an ensemble joins them like maps of two methods."""
        scan = finite(scan)
        return {
            name: np.where(scan > 0, 0.5 + 0.5 * z / (np.abs(z) + HALF_SCORE_DEVIATIONS), np.float32(0))
            for name, z in self._distances(scan).items()
        }

    def _distances(self, scan: np.ndarray) -> dict[str, np.ndarray]:
        """Each distance in standard deviations of healthy scans, smoothed, on the scan's voxels."""
        registration, image = self.registered(scan)
        return {
            name: registration.to_scan(self._smoothed(name, values), self.positions.spacing_mm)
            for name, values in self.standard_distances(image).items()
        }

    def registered(self, scan: np.ndarray) -> tuple[Registration, np.ndarray]:
        """How a scan lies on the template, and the standardised scan there."""
        scan = standardised(scan, self.region)
        registration = register(scan, self.grid.spacing_mm, self.template)
        if registration.warning:
            log.warning("normative: %s", registration.warning)
        return registration, registration.to_template(scan)

    def standard_distances(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Each distance of a registered scan in standard deviations of healthy ones, on the positions' grid."""
        features = features_at(image, self.positions, self.runner, self.model.places.chosen, self.model.project)
        return {name: self.model.standard(name, logs) for name, logs in self.model.log_distances(features).items()}

    def _smoothed(self, name: str, values: np.ndarray) -> np.ndarray:
        return blurred(values, [self._smoothing_mm[name] / mm for mm in self.positions.spacing_mm])

    @property
    def _smoothing_mm(self) -> dict[str, float]:
        return {"near": self.settings.near_smoothing_mm, "diag": self.settings.diag_smoothing_mm}

    def raw_sample_score(self, score_map: np.ndarray) -> float:
        return top_mean(score_map, self.settings.spacing_mm)

    def networks(self) -> dict[str, UsedNetwork]:
        shown = (
            "Every axial slice of the standardised scan, registered to the region's template, as (grey - 127/255) / "
            "(128/255), one channel; zeros below and to the right until enlarged sides are multiples of 16."
        )
        answer = (
            "Features at a quarter of the enlarged side. The map is their distance from what is usual at each place, "
            "after a projection; arrays of both are in the weights, not in this file."
        )
        return {"features": UsedNetwork(pretrained_features(self.settings.enlargement), shown, answer)}

    @property
    def runner(self) -> Forward:
        """The feature network: (N, H, W, 1) float32 ndarray to features."""
        if self._runner is None:
            network = pretrained_features(self.settings.enlargement)
            self._runner = self.engine.runners({"features": network})["features"]
        return self._runner

    def train_epoch(self, scans: Sequence[np.ndarray], rng: np.random.Generator) -> Iterator[dict[str, float]]:
        """One pass; two steps a scan and two for its mirror image."""
        self.model = replace(
            untrained(self.positions.shape), spread_mm=mean_spread(map(finite, scans), self.grid.spacing_mm)
        )
        images = [self.registered(finite(scan))[1].astype(np.float16) for scan in scans]
        kept = well_registered(images)
        if len(kept) < len(images):
            log.info("normative: %d of %d scans left out: badly registered", len(images) - len(kept), len(images))
        learning = Learning(
            [images[i] for i in kept],
            self.template.image,
            self.positions,
            self.runner,
            self.region.symmetric,
            self.settings.components,
            self.settings.folds,
            self.settings.tissue_share,
            self._smoothing_mm,
        )
        self.model = yield from learning.go(self.model, rng)

    def save_weights(self, path: Path) -> None:
        self.model.save(path)

    def load_weights(self, path: Path) -> None:
        self.model = Model.load(path)
