"""Mix's U-Net along three axes, with the finest detail in its channels, trained on places of `mix3d`.

A slice of the network's grid is shown with its neighbours, and each of its voxels as the eight of half its side that
it holds; beside them those of the mirror image, where left and right are alike. What can be seen at 0.85 mm is so
seen by a network that works at 1.7 mm, for a tenth more operations. Each view has a network of its own, and the map
is the mean of theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import keras
import numpy as np
from msgspec import Meta

from mood.engines import Forward
from mood.engines.keras import batch_images
from mood.methods.base import UsedNetwork
from mood.methods.in_time import batches_in_time
from mood.methods.mix3d import Learner, Mix3d, Mix3dSettings
from mood.methods.network_method import bare
from mood.methods.scoring import top_mean
from mood.methods.slices import filled_slices, to_slices
from mood.networks.unet import SIDE_MULTIPLE, build_unet, overlap_loss
from mood.regions import Region
from mood.synthesis.places.altered_slices import AlteredSlices
from mood.synthesis.places.framing import FACTOR
from mood.synthesis.places.store import ScanStore
from mood.weights.bundle import read_bundle, write_bundle

PIXELS_AT_ONCE = 8 * 128 * 128  # at prediction
AXES = {"sagittal": 0, "coronal": 1, "axial": 2}

View = Literal["sagittal", "coronal", "axial"]


@dataclass(frozen=True)
class DetailSettings(Mix3dSettings):
    """Chosen so that a brain takes a few seconds on two cores."""

    smoothing_mm: Annotated[float, Meta(ge=0, le=50)] = 2.0  # standard deviation, of the map
    views: Annotated[tuple[View, ...], Meta(min_length=1, max_length=3)] = ("axial", "coronal", "sagittal")
    context: Annotated[int, Meta(ge=0, le=8)] = 2  # neighbouring slices on either side
    slices: Annotated[int, Meta(ge=1, le=128)] = 16  # of each brain of a batch

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(self.views)) < len(self.views):
            raise ValueError("views: one is named twice")


class Detail(Mix3d):
    """Slices of three views in which nothing of the scan's detail is lost."""

    name = "detail"
    settings_type = DetailSettings
    settings: DetailSettings
    multiple = FACTOR * SIDE_MULTIPLE
    shown = (
        "Every slice of the view with `context` neighbours on either side, first to last, each with its channels "
        "beside one another: those of mix3d."
    )
    answer = "How likely each pixel was altered, in [0, 1]. The mean of the views, smoothed by smoothing_mm."

    def __init__(self, region: Region, settings: DetailSettings) -> None:
        super().__init__(region, settings)
        self.by_view: dict[str, keras.Model] = {settings.views[0]: self.network}
        self.by_view.update((view, self.build()) for view in settings.views[1:])

    @classmethod
    def default_settings(cls, region: Region) -> DetailSettings:
        return DetailSettings.from_dict(Mix3d.default_settings(region).to_dict() | {"smoothing_mm": 2.0})

    def build(self) -> keras.Model:
        seen = 2 * self.settings.context + 1
        return build_unet(self.settings.width, self.channel_count * seen, self.settings.momentum)

    def estimate(self, channels: np.ndarray) -> np.ndarray:
        return np.mean([self._along(AXES[view], channels, run) for view, run in self.runner.items()], axis=0)

    def _along(self, axis: int, channels: np.ndarray, run: Forward) -> np.ndarray:
        """Slice by slice; those that hold nothing are not looked at."""
        context = self.settings.context
        slices = to_slices(channels, axis)
        padded = np.pad(slices, ((context, context), *((0, 0),) * 3))
        scores = np.zeros(channels.shape[:3], np.float32)
        score_slices = to_slices(scores, axis)
        size = batch_images(max(1, PIXELS_AT_ONCE // int(np.prod(slices.shape[1:3]))))
        for chosen in batches_in_time(filled_slices(slices), size):
            images = np.concatenate([padded[chosen + k] for k in range(2 * context + 1)], axis=-1)
            score_slices[chosen] = run(images)[..., 0]
        return scores

    def raw_sample_score(self, score_map: np.ndarray) -> float:
        return top_mean(score_map, self.settings.spacing_mm)

    def optimizer_and_loss(self) -> tuple[keras.optimizers.Optimizer, Any]:
        optimizer, _ = super().optimizer_and_loss()
        return optimizer, overlap_loss

    def trained(self) -> list[keras.Model]:
        return list(self.by_view.values())

    def parts(self) -> dict[str, keras.Model]:
        return dict(self.by_view)

    def networks(self) -> dict[str, UsedNetwork]:
        return {view: UsedNetwork(bare(network), self.shown, self.answer) for view, network in self.by_view.items()}

    def assemble(self, forwards: dict[str, Forward]) -> dict[str, Forward]:
        return forwards

    def learners(self, store: ScanStore, seed: int = 0) -> dict[str, Learner]:
        brains, context, slices = self._altered_brains(store, seed), self.settings.context, self.settings.slices
        return {
            view: (network, AlteredSlices(brains, AXES[view], context, slices))
            for view, network in self.by_view.items()
        }

    def save_weights(self, path: Path) -> None:
        write_bundle(path, self._each(lambda network: bare(network).save_weights))

    def load_weights(self, path: Path) -> None:
        read_bundle(path, self._each(lambda network: bare(network).load_weights))
        self._runner = self._graphs = None

    def save_state(self, path: Path) -> None:
        write_bundle(path, self._each(lambda network: network.save_weights))

    def load_state(self, path: Path) -> None:
        self.prepare_training()
        read_bundle(path, self._each(lambda network: network.load_weights))

    def _each(self, action: Callable[[keras.Model], Callable[[Path], None]]) -> dict[str, Callable[[Path], None]]:
        return {view: action(network) for view, network in self.by_view.items()}
