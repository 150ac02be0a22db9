"""FPI: a network that was taught to see foreign patches (Tan et al. 2020, arXiv 2011.04197).

Training mixes patches between healthy subjects (`mood.synthesis.fpi`) and lets a wide residual
encoder-decoder estimate the foreign share of every voxel; prediction shows it whole slices, and what
it takes for foreign is the map. Deviations from the authors' code, each on purpose: slices that are
empty in both subjects are not trained on, a scan's empty slices cost nothing at prediction, and any
shape of scan works.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import keras
import numpy as np
from keras import ops
from msgspec import Meta

from mood import runtime
from mood.engines import Forward, devices
from mood.engines.keras import batch_images
from mood.intensities import standardised
from mood.methods.base import finite
from mood.methods.in_time import batches_in_time
from mood.methods.network_method import NetworkMethod
from mood.methods.scoring import smoothed
from mood.methods.settings import Settings
from mood.methods.slices import batches, filled_slices, pad_to_multiple, to_slices
from mood.networks.cropped import CroppedForward, cropped_parts
from mood.networks.wide_resnet import build_wide_resnet, side_multiple
from mood.regions import Region
from mood.synthesis.fpi import label_to_classes, mix_pair
from mood.typed import Batch, Rate, Share

PIXELS_AT_ONCE = 4 * 256 * 256  # at prediction; a slice of 256 x 256 needs 75 MiB of activations, and more gain nothing


@dataclass(frozen=True)
class FpiSettings(Settings):
    """Defaults are the paper's for the brain; `Fpi.default_settings` has both regions'."""

    architecture: Literal["dec", "decdeeper"] = "dec"  # the network
    width: Annotated[int, Meta(ge=1, le=10)] = 4  # filters of the first stage in units of 16; 10: the widest published
    classes: Annotated[int, Meta(ge=1, le=64)] = 1  # 1 regresses the foreign share, K > 1 classify it in K - 1 steps
    patch_core: Annotated[float, Meta(gt=0, le=1)] = 0.5  # central share of each axis where patches are centred
    difference_step: Share = 0.0  # of the intensity range: closer values count as equal in the label; 0: exactly
    learning_rate: Rate = 1e-3  # Adam
    batch_size: Batch = 32  # slices
    step: Annotated[int, Meta(ge=1, le=8)] = 1  # voxels from one looked at to the next, along each axis
    look: Literal["plain", "standardised"] = "plain"  # what the network sees of a scan's intensities
    smoothing_mm: Annotated[float, Meta(ge=0, le=50)] = 0.0  # standard deviation, of the map


# As published for the brain's MRI and the abdomen's CT; other regions take those of their modality.
PUBLISHED: dict[str, dict[str, Any]] = {
    "MR": {"architecture": "dec", "classes": 1, "patch_core": 0.5, "difference_step": 0.0},
    "CT": {"architecture": "decdeeper", "classes": 5, "patch_core": 0.8, "difference_step": 1e-3},
}


class Fpi(NetworkMethod):
    """Foreign Patch Interpolation."""

    name = "fpi"
    settings_type = FpiSettings
    shares_batches = True
    settings: FpiSettings
    shown = (
        "Every slice along slice_axis, one channel; every step-th voxel; standardised where look says so; zeros below "
        "and to the right until sides are multiples of what the network halves them by (32 always serves)."
    )
    answer = (
        "The foreign share of each pixel in [0, 1]; with K classes the sum of k / (K - 1) times the k-th channel. "
        "Slices put together, voxels repeated step times, smoothed by smoothing_mm."
    )

    def __init__(self, region: Region, settings: FpiSettings) -> None:
        super().__init__(region, settings)
        self.network = build_wide_resnet(settings.architecture, settings.width, settings.classes)

    @classmethod
    def default_settings(cls, region: Region) -> FpiSettings:
        return FpiSettings(
            grid_shape=region.grid.shape,
            spacing_mm=region.grid.spacing_mm,
            slice_axis=region.slice_axis,
            **PUBLISHED[region.modality],
        )

    def score_volume(self, scan: np.ndarray) -> np.ndarray:
        settings = self.settings
        seen = finite(scan)
        seen = standardised(seen, self.region) if settings.look == "standardised" else seen
        scores = self._slice_scores(seen[(slice(None, None, settings.step),) * 3])
        for axis, size in enumerate(scan.shape):
            if settings.step > 1:
                scores = np.repeat(scores, settings.step, axis)[(slice(None),) * axis + (slice(size),)]
        return smoothed(scores, settings.smoothing_mm, settings.spacing_mm) if settings.smoothing_mm else scores

    def _slice_scores(self, scan: np.ndarray) -> np.ndarray:
        """The foreign share of each voxel of (X, Y, Z), slice by slice."""
        slices = to_slices(scan, self.settings.slice_axis)
        height, width = slices.shape[1:]
        multiple = side_multiple(self.settings.architecture)
        side = (-(-height // multiple) * multiple, -(-width // multiple) * multiple)
        scores = np.empty_like(scan, np.float32)  # in the scan's memory order, as it will be written
        score_slices = to_slices(scores, self.settings.slice_axis)
        score_slices[...] = self._foreign_share(self.runner.empty(side)[1])[:height, :width]
        for batch in batches_in_time(filled_slices(slices), batch_images(PIXELS_AT_ONCE // (side[0] * side[1]))):
            padded = pad_to_multiple(slices[batch], multiple)
            score_slices[batch] = self._foreign_share(self.runner(padded[..., None]))[:, :height, :width]
        return scores

    def _foreign_share(self, output: np.ndarray) -> np.ndarray:
        """(..., classes) to (...): the expectation of the share over the classes."""
        if self.settings.classes == 1:
            return output[..., 0]
        shares = np.linspace(0, 1, self.settings.classes, dtype=np.float32)
        return np.minimum(output @ shares, 1.0)

    def train_epoch(self, scans: Sequence[np.ndarray], rng: np.random.Generator) -> Iterator[dict[str, float]]:
        """Every subject is in one pair, the pairs are drawn anew; two steps for each batch of slices."""
        self.prepare_training()
        order = rng.permutation(len(scans))
        for i, j in zip(order[0::2], order[1::2], strict=False):
            for images, targets in self._pair_batches(scans[i], scans[j], rng):
                yield {"loss": devices.train_on_batch(self.network, images, targets)}

    def optimizer_and_loss(self) -> tuple[keras.optimizers.Optimizer, Any]:
        loss = "binary_crossentropy" if self.settings.classes == 1 else class_entropy
        return keras.optimizers.Adam(self.settings.learning_rate), loss

    def parts(self) -> dict[str, keras.Model]:
        return cropped_parts(self.network)

    def assemble(self, forwards: dict[str, Forward]) -> CroppedForward:
        return CroppedForward(forwards["front"], forwards["rest"], whole=bool(runtime.gpus()))

    def _pair_batches(
        self, host: np.ndarray, foreign: np.ndarray, rng: np.random.Generator
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        settings = self.settings
        a, b = (to_slices(np.asarray(s, np.float32), settings.slice_axis) for s in _same_shape(host, foreign))
        either = filled_slices(np.maximum(a, b))
        chosen = rng.permutation(either)[: max(1, len(either) // settings.batch_size) * settings.batch_size]
        mixed_a, mixed_b, label = mix_pair(
            a[chosen],
            b[chosen],
            rng,
            core=settings.patch_core,
            classes=settings.classes,
            difference_step=settings.difference_step,
        )
        multiple = side_multiple(settings.architecture)
        mixed_a, mixed_b, label = (pad_to_multiple(stack, multiple)[..., None] for stack in (mixed_a, mixed_b, label))
        if settings.classes > 1:
            label = label_to_classes(label, settings.classes)
        for batch in batches(np.arange(len(chosen)), settings.batch_size):
            yield mixed_a[batch], label[batch]
            yield mixed_b[batch], label[batch]


def class_entropy(label: keras.KerasTensor, shares: keras.KerasTensor) -> keras.KerasTensor:
    """Cross-entropy of (N, H, W, 1) classes and (N, H, W, classes) probabilities, a value a pixel.

    Pixels in one row: PyTorch cannot train on images of classes that were transposed (pytorch #175084).
    """
    rows = ops.reshape(shares, (-1, shares.shape[-1]))
    return keras.losses.sparse_categorical_crossentropy(ops.reshape(label, (-1,)), rows)


def _same_shape(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The central part that two scans on one grid share; scans larger than the grid differ in shape."""
    shape = np.minimum(a.shape, b.shape)

    def centre(scan: np.ndarray) -> np.ndarray:
        start = (np.array(scan.shape) - shape) // 2
        return scan[tuple(slice(s, s + n) for s, n in zip(start, shape, strict=True))]

    return centre(a), centre(b)
