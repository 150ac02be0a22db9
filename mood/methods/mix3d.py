"""Mix in three dimensions: a U-Net that sees a whole body at once, with the finest detail in its channels.

The network learns to see where healthy scans were altered (`mood.synthesis.places`): tissue from elsewhere or from
someone else, mirrored, displaced, brightened, darkened, roughened, blurred, in places that may fade to nothing. A
scan is seen at the region's own voxel size, eight voxels to one of the network's, and beside it, where left and right
are alike, its mirror image. What the network says of a coarse voxel holds for all eight.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import keras
import numpy as np
from msgspec import Meta

from mood.conform import content_box
from mood.intensities import standardised
from mood.methods.base import finite
from mood.methods.network_method import NetworkMethod
from mood.methods.scoring import smoothed
from mood.methods.settings import Settings
from mood.methods.slices import fit_shape
from mood.networks.unet import overlap_loss
from mood.networks.unet3d import SIDE_MULTIPLE, build_unet3d
from mood.regions import Region
from mood.synthesis.native import NativeScan
from mood.synthesis.places.altered_brains import AlteredBrains
from mood.synthesis.places.altered_slices import AlteredSlices
from mood.synthesis.places.drawing import Drawing
from mood.synthesis.places.families import FAMILIES
from mood.synthesis.places.framing import FACTOR
from mood.synthesis.places.store import ScanStore, store_of
from mood.typed import Batch, Momentum, Rate, Width

DICE_WEIGHT = 0.03  # more of it, and the map says yes or no where it should say how likely
# How often each kind of place is drawn: displaced and moved tissue most, since it is the hardest to see.
WEIGHTS = {
    "foreign": 1.0, "graft": 0.7, "relocation": 2.0, "mirror": 1.5, "offset": 1.2, "profile": 1.5,
    "dark_or_bright": 1.2, "noise": 1.0, "texture": 0.5, "bulge": 2.5, "shear": 1.0, "mass": 2.0, "lesion": 2.0,
}  # fmt: skip
# What is hardest to see, and hides from a network that begins what it could learn from the rest.
SUBTLE = ("foreign", "graft", "relocation", "mirror", "bulge", "shear", "mass")

Learner = tuple[keras.Model, AlteredBrains | AlteredSlices]


@dataclass(frozen=True)
class Mix3dSettings(Settings):
    """Chosen so that a brain takes two seconds on two cores."""

    width: Width = 32  # filters of the U-Net's first level
    smoothing_mm: Annotated[float, Meta(ge=0, le=50)] = 3.0  # standard deviation, of the map
    mirrored: bool = True  # whether the network sees the mirror image too
    cube_mm: Annotated[float, Meta(gt=0, le=500)] = 62.0  # side of the cube a place is worked out in; bounds its radius
    places: Annotated[int, Meta(ge=1, le=64)] = 6  # a brain at most
    momentum: Momentum = 0.97  # of the running statistics
    learning_rate: Rate = 1e-3  # AdamW
    batch_size: Batch = 2  # brains


def rare_overlap_loss(label: Any, estimate: Any) -> Any:
    """Cross-entropy, with a little of the overlap: altered voxels are four times as rare as in slices."""
    return overlap_loss(label, estimate, DICE_WEIGHT)


class Mix3d(NetworkMethod):
    """A mix of altered places, seen in three dimensions."""

    name = "mix3d"
    settings_type = Mix3dSettings
    settings: Mix3dSettings
    shown = (
        "The standardised scan around its middle, of content_share of the grid; the 2 x 2 x 2 fine voxels of each "
        "coarse one as channels, the last axis fastest, then those of the mirror image where mirrored."
    )
    answer = (
        "How likely each coarse voxel was altered, in [0, 1]; smoothed by smoothing_mm, repeated twice along each axis."
    )
    trains_on_native = True
    trained_kinds = tuple(kind for name in WEIGHTS for kind in FAMILIES[name].resembles)
    multiple = FACTOR * SIDE_MULTIPLE  # fine voxels that the network's sides are multiples of
    _course: tuple[Sequence[NativeScan], ScanStore, dict[str, Learner]] | None = None  # the training going on

    def __init__(self, region: Region, settings: Mix3dSettings) -> None:
        super().__init__(region, settings)
        self.network = self.build()

    def build(self) -> keras.Model:
        """A network, untrained."""
        return build_unet3d(self.settings.width, self.channel_count, self.settings.momentum)

    @property
    def channel_count(self) -> int:
        """Of what a network is shown of each of its voxels."""
        return FACTOR**3 * (2 if self.settings.mirrored else 1)

    @classmethod
    def default_settings(cls, region: Region) -> Mix3dSettings:
        grid = region.grid if region.symmetric else region.grid.coarsened(192)
        return Mix3dSettings(grid.shape, grid.spacing_mm, region.slice_axis, mirrored=region.symmetric)

    def drawing(self, store: ScanStore) -> Drawing:
        """How the places that it is trained on are drawn."""
        side = 2 * int(np.ceil(self.settings.cube_mm / 2 / store.spacing_mm.min()))
        return Drawing(WEIGHTS, self.settings.places, side)

    def frame_shape(self, extent: Sequence[int] = (1, 1, 1)) -> tuple[int, int, int]:
        """Fine voxels that the network sees: most bodies' share of the grid, more for a larger one."""
        shares = zip(extent, self.settings.grid_shape, self.region.content_share, strict=True)
        x, y, z = (-(-max(n, round(size * share)) // self.multiple) * self.multiple for n, size, share in shares)
        return x, y, z

    def score_volume(self, scan: np.ndarray) -> np.ndarray:
        scan = finite(scan)
        low, high = content_box(scan)
        # The scan keeps its middle in the middle of the frame, so what counts is how far the content reaches from it.
        extent = [2 * max(b - n // 2, n - n // 2 - a) for a, b, n in zip(low, high, scan.shape, strict=True)]
        frame = fit_shape(standardised(scan, self.region), self.frame_shape(extent))
        coarse_mm = tuple(FACTOR * mm for mm in self.settings.spacing_mm)
        scores = smoothed(self.estimate(self.channels(frame)[0]), self.settings.smoothing_mm, coarse_mm)
        for axis in range(3):
            scores = np.repeat(scores, FACTOR, axis)
        return fit_shape(scores.astype(np.float32), scan.shape)

    def estimate(self, channels: np.ndarray) -> np.ndarray:
        """What the network says of each of its voxels: (X', Y', Z', 8 or 16) float32 to (X', Y', Z')."""
        return np.asarray(self.runner(channels[None]))[0, ..., 0]

    def channels(self, frame: np.ndarray) -> np.ndarray:
        """What the network is shown of a frame: (X, Y, Z) to (1, X / 2, Y / 2, Z / 2, 8 or 16)."""
        looks = [frame, frame[::-1]] if self.settings.mirrored else [frame]
        parts = [
            look[i::FACTOR, j::FACTOR, k::FACTOR]
            for look in looks
            for i in range(FACTOR)
            for j in range(FACTOR)
            for k in range(FACTOR)
        ]
        return np.stack(parts, axis=-1)[None]

    def optimizer_and_loss(self) -> tuple[keras.optimizers.Optimizer, Any]:
        rate = self.settings.learning_rate
        return keras.optimizers.AdamW(rate, weight_decay=1e-4, global_clipnorm=1.0), rare_overlap_loss

    def learners(self, store: ScanStore, seed: int = 0) -> dict[str, Learner]:
        """The networks to train by name, each with what makes its images of the scans of a store."""
        return {"network": (self.network, self._altered_brains(store, seed))}

    def _altered_brains(self, store: ScanStore, seed: int) -> AlteredBrains:
        return AlteredBrains(store, self.frame_shape(), self.drawing(store).side, self.settings.mirrored, seed)

    def train_epoch(self, scans: Sequence[NativeScan], rng: np.random.Generator) -> Iterator[dict[str, float]]:
        """Every scan is altered once, in batches, for each network anew."""
        self.prepare_training()
        if self._course is None or self._course[0] is not scans:
            store = store_of([scans[i] for i in range(len(scans))], self.region)
            self._course = (scans, store, self.learners(store))
        _, store, learners = self._course
        drawing, grid_mm = self.drawing(store), self.settings.spacing_mm[0]
        order, size = rng.permutation(len(store)), self.settings.batch_size
        for start in range(0, len(order), size):
            hosts = np.resize(order[start : start + size], size)
            losses = []
            for network, images in learners.values():
                batch = images.draw_batch(hosts, drawing, grid_mm, rng)
                losses.append(float(network.train_on_batch(*images(batch))))
            yield {"loss": float(np.mean(losses))}
