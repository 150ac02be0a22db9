"""Mix: FPI's idea with several self-supervised tasks, augmentation and a U-Net.

A network learns to see, in healthy scans that were altered in a few places (`mood.synthesis.tasks`), which
voxels were altered. Beside FPI's foreign cuboids there are Poisson-blended ones (Tan et al. 2021), irregular
blobs of foreign tissue, and tissue that was moved, brightened, roughened or warped. Pairs are drawn among
scans that look alike, so that a foreign patch is not told by its scanner, and scans are altered at their native
resolution, so that an altered place is not told by an edge that no resampled scan has. A slice is seen with its
neighbours and, where left and right are alike, with its mirror image; MR as it is and at standardised intensities.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import keras
import numpy as np
from msgspec import Meta

from mood.conform import content_box
from mood.engines import devices
from mood.engines.keras import batch_images
from mood.errors import unknown
from mood.intensities import can_be_standardised
from mood.methods.base import finite
from mood.methods.in_time import batches_in_time
from mood.methods.mix.prefetch import prefetched
from mood.methods.mix.training_images import VIEWS, Frame, most_alike, shuffled_batches, training_slices
from mood.methods.network_method import NetworkMethod
from mood.methods.scoring import smoothed, top_mean
from mood.methods.settings import Settings
from mood.methods.slices import filled_slices, fit_shape, to_slices
from mood.networks.unet import SIDE_MULTIPLE, build_unet, overlap_loss
from mood.regions import Grid, Region
from mood.synthesis.native import NativeScan
from mood.synthesis.tasks import TASKS, get_tasks
from mood.typed import Batch, Momentum, Positive, Rate, Width

PIXELS_AT_ONCE = 16 * 128 * 128  # at prediction
DEFAULT_TASKS = ("fpi", "blob", "relocation", "intensity", "texture", "warp")  # pii is too faint to learn from here
LAST_RATE = 0.01  # of the learning rate, at the end of its decay
WIDEST_TOGETHER = 4 * 64**2  # members times the square of their width: 280 MB of weights

Members = Annotated[int, Meta(ge=1, le=32)]


@dataclass(frozen=True)
class MixSettings(Settings):
    """Chosen for training on two CPU cores within hours."""

    old_names: ClassVar[dict[str, str]] = {"looks": "views", "reach": "context"}

    tasks: Annotated[tuple[str, ...], Meta(min_length=1, max_length=64)] = DEFAULT_TASKS  # what a network is taught
    # Standard deviation, of the map; single voxels the network trips over are no anomaly.
    smoothing_mm: Annotated[float, Meta(ge=0, le=50)] = 7.5
    width: Width = 16  # filters of the U-Net's first level
    context: Annotated[int, Meta(ge=0, le=8)] = 2  # neighbouring slices on either side
    views: Annotated[tuple[str, ...], Meta(min_length=1, max_length=8)] = ("plain",)  # of each slice, from `VIEWS`
    members: Members = 1  # U-Nets side by side, whose maps are averaged; `mood join` makes them from several trainings
    momentum: Momentum = 0.95  # of the running statistics
    learning_rate: Rate = 2e-3  # Adam, at the start
    decay_steps: Positive = 24_000  # until the learning rate has fallen to a hundredth, as a cosine
    batch_size: Batch = 4  # slices; many small steps teach sooner than few large ones

    def __post_init__(self) -> None:
        super().__post_init__()
        for kind, given, known in (("task", self.tasks, TASKS), ("view", self.views, VIEWS)):
            if wrong := [name for name in given if name not in known]:
                raise ValueError(unknown(kind, wrong[0], known).sentence)
        if self.members * self.width**2 > WIDEST_TOGETHER:
            raise ValueError(f"members: {self.members} networks of width {self.width} take too much memory")


class Mix(NetworkMethod):
    """A mix of self-supervised tasks."""

    name = "mix"
    settings_type = MixSettings
    shares_batches = True
    settings: MixSettings
    shown = (
        "Every slice along slice_axis of the middle of the grid, of content_share of it, sides multiples of 16. For "
        "each of views (plain, standardised, that mirrored left to right) the slice and context neighbours on either "
        "side, from the first to the last, as channels; zeros beyond the ends."
    )
    answer = "How likely each pixel was altered, in [0, 1]. Slices put together, smoothed by smoothing_mm."
    trains_on_native = True
    sees_finer = True
    _alike: tuple[Sequence[NativeScan], list[np.ndarray]] | None = None  # the scans of this training and their like

    def __init__(self, region: Region, settings: MixSettings) -> None:
        super().__init__(region, settings)
        self.tasks = get_tasks(settings.tasks)
        self.trained_kinds = tuple(kind for task in self.tasks for kind in task.resembles)
        self.network = build_unet(settings.width, self._frame().channels, settings.momentum, settings.members)

    @classmethod
    def default_settings(cls, region: Region) -> MixSettings:
        grid = region.grid.coarsened(128)
        offered = {"plain": True, "standardised": can_be_standardised(region), "mirrored": region.symmetric}
        views = tuple(view for view in VIEWS if offered[view])
        return MixSettings(grid.shape, grid.spacing_mm, slice_axis=2, views=views)

    def score_volume(self, scan: np.ndarray) -> np.ndarray:
        scan = finite(scan)
        frame = self._frame(scan)
        framed = fit_shape(scan, frame.shape)
        scores = np.zeros(framed.shape, np.float32)
        slices, score_slices = (to_slices(part, self.settings.slice_axis) for part in (framed, scores))
        views, (height, width) = frame.see(framed), slices.shape[1:]
        for batch in batches_in_time(filled_slices(slices), batch_images(PIXELS_AT_ONCE // (height * width))):
            score_slices[batch] = self.runner(frame.images(views, batch))[..., 0]
        return fit_shape(smoothed(scores, self.settings.smoothing_mm, self.settings.spacing_mm), scan.shape)

    def raw_sample_score(self, score_map: np.ndarray) -> float:
        return top_mean(score_map, self.settings.spacing_mm)

    def on_grid(self, grid: Grid) -> Self:
        _ = self.runner  # is shared, and made once
        return super().on_grid(grid)

    def _frame(self, scan: np.ndarray | None = None) -> Frame:
        """What is cut into slices, around the middle of the grid; larger where a scan's content needs it.

        The network learns where things are from how far they are from the frame's edges, so that training and
        prediction show it the same one.
        """
        settings = self.settings
        shares = zip(settings.grid_shape, self.region.content_share, strict=True)
        shape = [_multiple(size * share) for size, share in shares]
        if scan is not None:
            low, high = content_box(scan)
            spans = (2 * max(n / 2 - a, b - n / 2) for a, b, n in zip(low, high, scan.shape, strict=True))
            shape = [max(size, _multiple(span)) for size, span in zip(shape, spans, strict=True)]
        return Frame(
            self.region, tuple(shape), settings.spacing_mm, settings.slice_axis, settings.context, settings.views
        )

    def train_epoch(self, scans: Sequence[NativeScan], rng: np.random.Generator) -> Iterator[dict[str, float]]:
        """Every scan is altered once, each with another partner."""
        self.prepare_training()
        for images, labels in self.batches(scans, rng):
            yield {"loss": devices.train_on_batch(self.network, images, labels)}

    def batches(self, scans: Sequence[NativeScan], rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Images (N, H, W, channels) and labels (N, H, W, 1) of an epoch, made while others are used."""
        slices = training_slices(self._pairs(scans, rng), self.tasks, self._frame(), rng)
        return prefetched(shuffled_batches(slices, self.settings.batch_size, rng))

    def _pairs(self, scans: Sequence[NativeScan], rng: np.random.Generator) -> Iterator[tuple[NativeScan, NativeScan]]:
        """Each scan once, with one that looks like it."""
        if self._alike is None or self._alike[0] is not scans:
            self._alike = scans, most_alike(scans)
        for i in rng.permutation(len(scans)):
            yield scans[i], scans[rng.choice(self._alike[1][i])]

    def optimizer_and_loss(self) -> tuple[keras.optimizers.Optimizer, Any]:
        settings = self.settings
        rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, settings.decay_steps, LAST_RATE)
        return keras.optimizers.Adam(rate), overlap_loss


def _multiple(size: float) -> int:
    return int(-(-size // SIDE_MULTIPLE) * SIDE_MULTIPLE)
