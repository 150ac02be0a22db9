"""Mix: FPI's idea with several self-supervised tasks, augmentation and a U-Net.

A network learns to see, in healthy scans that were altered in a few places (`mood.synthesis.tasks`), which
voxels were altered. Beside FPI's foreign cuboids there are Poisson-blended ones (Tan et al. 2021), irregular
blobs of foreign tissue, and tissue that was moved, brightened, roughened or warped. Pairs are drawn among
scans that look alike, so that a foreign patch is not told by its scanner. A slice is seen with its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from scipy import ndimage

from mood.conform import content_box
from mood.methods.base import Settings, finite
from mood.methods.network_method import NetworkMethod
from mood.methods.patches import most_alike, neighbourhoods, shuffled_batches, training_slices
from mood.networks.unet import SIDE_MULTIPLE, build_unet, overlap_loss
from mood.prefetch import prefetched
from mood.regions import Region
from mood.slices import batches, filled_slices, fit_shape, to_slices
from mood.synthesis.tasks import get_tasks

PIXELS_AT_ONCE = 16 * 128 * 128  # at prediction
DEFAULT_TASKS = ("fpi", "blob", "relocation", "intensity", "texture", "warp")  # pii is too faint to learn from here
SCORED_MM3 = 1000.0
LAST_RATE = 0.01  # of the learning rate, at the end of its decay


@dataclass(frozen=True)
class MixSettings(Settings):
    """Chosen for training on two CPU cores within hours."""

    tasks: tuple[str, ...] = DEFAULT_TASKS  # what a network is taught to see
    smoothing_mm: float = 7.5  # standard deviation, of the map; single voxels the network trips over are no anomaly
    width: int = 16  # filters of the U-Net's first level
    reach: int = 2  # neighbouring slices on either side
    momentum: float = 0.95  # of the running statistics
    learning_rate: float = 2e-3  # Adam, at the start
    decay_steps: int = 24_000  # until the learning rate has fallen to a hundredth, as a cosine
    batch_size: int = 4  # slices; many small steps teach sooner than few large ones


class Mix(NetworkMethod):
    """A mix of self-supervised tasks."""

    name = "mix"
    settings_type = MixSettings
    settings: MixSettings

    def __init__(self, region: Region, settings: MixSettings) -> None:
        super().__init__(region, settings)
        self.tasks = get_tasks(settings.tasks)
        self.trained_kinds = tuple(kind for task in self.tasks for kind in task.resembles)
        self.network = build_unet(settings.width, 2 * settings.reach + 1, settings.momentum)

    @classmethod
    def default_settings(cls, region: Region) -> MixSettings:
        grid = region.grid.coarsened(128)
        return MixSettings(grid.shape, grid.spacing_mm, slice_axis=2)

    def score_volume(self, scan: np.ndarray) -> np.ndarray:
        scan = finite(scan)
        framed = fit_shape(scan, self._frame(scan))
        scores = np.zeros(framed.shape, np.float32)
        slices, score_slices = (to_slices(part, self.settings.slice_axis) for part in (framed, scores))
        height, width = slices.shape[1:]
        for batch in batches(filled_slices(slices), max(1, PIXELS_AT_ONCE // (height * width))):
            score_slices[batch] = self.runner(neighbourhoods(slices, batch, self.settings.reach))[..., 0]
        deviations = [self.settings.smoothing_mm / mm for mm in self.settings.spacing_mm]
        smooth = ndimage.gaussian_filter(scores, deviations, mode="constant")
        return fit_shape(np.clip(smooth, 0.0, 1.0), scan.shape)

    def raw_sample_score(self, score_map: np.ndarray) -> float:
        """The mean of the map's most abnormal cubic centimetre."""
        voxels = min(score_map.size, max(1, round(SCORED_MM3 / float(np.prod(self.settings.spacing_mm)))))
        return float(np.partition(score_map.ravel(), -voxels)[-voxels:].mean())

    def _frame(self, scan: np.ndarray | None = None) -> tuple[int, ...]:
        """Shape around the middle of the grid that is cut into slices; larger where a scan's content needs it.

        The network learns where things are from how far they are from the frame's edges, so that training and
        prediction show it the same one.
        """
        shares = zip(self.settings.grid_shape, self.region.content_share, strict=True)
        frame = [_multiple(size * share) for size, share in shares]
        if scan is None:
            return tuple(frame)
        low, high = content_box(scan)
        spans = (2 * max(n / 2 - a, b - n / 2) for a, b, n in zip(low, high, scan.shape, strict=True))
        return tuple(max(size, _multiple(span)) for size, span in zip(frame, spans, strict=True))

    def train_epoch(self, scans: Sequence[np.ndarray], rng: np.random.Generator) -> Iterator[dict[str, float]]:
        """Every scan is in one pair of its own, and each pair gives two altered scans."""
        self.prepare_training()
        pairs = self._pairs(scans, rng)
        slices = training_slices(pairs, self.tasks, self.settings.slice_axis, self.settings.reach, self.mirror, rng)
        for images, labels in prefetched(shuffled_batches(slices, self.settings.batch_size, rng)):
            yield {"loss": float(self.network.train_on_batch(images, labels))}

    def _pairs(self, scans: Sequence[np.ndarray], rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Each scan once, with one that looks like it, cut to a common shape."""
        shape, alike = self._frame(), most_alike(scans)
        for i in rng.permutation(len(scans)):
            j = rng.choice(alike[i])
            yield fit_shape(scans[i], shape), fit_shape(scans[j], shape)

    @property
    def mirror(self) -> bool:
        """Whether a mirrored scan of this region could be a healthy one."""
        return self.region.symmetric

    def optimizer_and_loss(self) -> tuple[keras.optimizers.Optimizer, Any]:
        settings = self.settings
        rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, settings.decay_steps, LAST_RATE)
        return keras.optimizers.Adam(rate), overlap_loss


def _multiple(size: float) -> int:
    return int(-(-size // SIDE_MULTIPLE) * SIDE_MULTIPLE)
