"""Autoencoder: what of a slice a network that was trained on healthy slices cannot rebuild. A baseline.

The map is the absolute difference between a slice and its reconstruction; slices without content score 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import keras
import numpy as np
from msgspec import Meta

from mood.engines import devices
from mood.methods.base import finite
from mood.methods.network_method import NetworkMethod
from mood.methods.settings import Settings
from mood.methods.slices import batches, filled_slices, pad_to_multiple, to_slices
from mood.networks.autoencoder import SIDE_MULTIPLE, build_autoencoder
from mood.regions import Region
from mood.typed import Batch, Rate, Width

SLICES_AT_ONCE = 32  # at prediction; every batch has as many, so that a network is compiled once a slice size


@dataclass(frozen=True)
class AutoencoderSettings(Settings):
    """The grid, the network and its training."""

    width: Width = 16  # filters of the first level
    code: Annotated[int, Meta(ge=1, le=1024)] = 8  # channels at a sixteenth of the sides: what a slice passes through
    learning_rate: Rate = 2e-3  # Adam
    batch_size: Batch = 16  # slices


class Autoencoder(NetworkMethod):
    """The residual of a convolutional autoencoder, slice by slice."""

    name = "autoencoder"
    settings_type = AutoencoderSettings
    shares_batches = True
    settings: AutoencoderSettings
    shown = "Every slice along slice_axis, one channel, zeros below and to the right until sides are multiples of 16."
    answer = "The slice as it would be if healthy; the map is the absolute difference, cut off at 1."

    def __init__(self, region: Region, settings: AutoencoderSettings) -> None:
        super().__init__(region, settings)
        self.network = build_autoencoder(settings.width, settings.code)

    @classmethod
    def default_settings(cls, region: Region) -> AutoencoderSettings:
        grid = region.grid.coarsened(96)
        # Axial in both regions: coronal slices of a slab would be little but padding.
        return AutoencoderSettings(grid.shape, grid.spacing_mm, slice_axis=2)

    def score_volume(self, scan: np.ndarray) -> np.ndarray:
        slices = to_slices(finite(scan), self.settings.slice_axis)
        scores = np.zeros(scan.shape, np.float32)
        score_slices = to_slices(scores, self.settings.slice_axis)
        for batch in batches(filled_slices(slices), SLICES_AT_ONCE):
            rebuilt = self._rebuilt(slices[batch])
            score_slices[batch] = np.clip(np.abs(slices[batch] - rebuilt), 0.0, 1.0)
        return scores

    def _rebuilt(self, slices: np.ndarray) -> np.ndarray:
        """(N, H, W) to (N, H, W), N up to `SLICES_AT_ONCE`."""
        count, height, width = slices.shape
        padded = pad_to_multiple(slices, SIDE_MULTIPLE)
        padded = np.pad(padded, ((0, SLICES_AT_ONCE - count), (0, 0), (0, 0)))
        return self.runner(padded[..., None])[:count, :height, :width, 0]

    def train_epoch(self, scans: Sequence[np.ndarray], rng: np.random.Generator) -> Iterator[dict[str, float]]:
        """A step for each batch of filled slices of each scan, scans and slices in random order."""
        self.prepare_training()
        for index in rng.permutation(len(scans)):
            slices = to_slices(np.asarray(scans[index], np.float32), self.settings.slice_axis)
            size, filled = self.settings.batch_size, rng.permutation(filled_slices(slices))
            for batch in batches(filled[: max(1, len(filled) // size) * size], size):
                images = pad_to_multiple(slices[batch], SIDE_MULTIPLE)[..., None]
                yield {"loss": devices.train_on_batch(self.network, images, images)}

    def optimizer_and_loss(self) -> tuple[keras.optimizers.Optimizer, Any]:
        # Squared: most of a slice is air, and the absolute error is content with an answer of nothing but air.
        return keras.optimizers.Adam(self.settings.learning_rate), "mean_squared_error"
