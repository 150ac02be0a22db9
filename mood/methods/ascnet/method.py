"""ASC-Net: reference images in, anomalies out (Dey and Hong, MICCAI 2021, arXiv 2103.03664; 2112.09135).

A main module cuts every slice in two, one cut that looks like a reference image and one with the rest,
and rebuilds the slice from the cuts (`mood.networks.ascnet`). It is trained against a discriminator in two
stages (`mood.methods.ascnet.adversarial`) until the rebuilt slice Iro has a histogram of distinct peaks
(`mood.methods.ascnet.stopping`). The map is Iro's distance from its normal grey levels across the valley to the
anomalous ones (`mood.methods.ascnet.grey_levels`), by constants that were measured in training and are stored with
the weights.

Here the reference images are healthy slices and the input images healthy slices with intruders
(`mood.methods.ascnet.intruders`), half of them replaced by unlabelled scans where there are some.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import h5py
import numpy as np
from msgspec import Meta

from mood.engines import Forward
from mood.engines.keras import batch_images
from mood.errors import UsageError, WeightsError
from mood.methods.ascnet import grey_levels, pictures
from mood.methods.ascnet.adversarial import Adversaries, Draw, rebuilt
from mood.methods.ascnet.batches import InputSlices, ScanSlices, common_side, hold_out
from mood.methods.ascnet.grey_levels import Histogram, Levels
from mood.methods.ascnet.stopping import Rounds
from mood.methods.base import Method, UsedNetwork, finite
from mood.methods.in_time import batches_in_time
from mood.methods.settings import Settings
from mood.methods.slices import filled_slices, pad_to_multiple, to_slices
from mood.networks.ascnet import SIDE_MULTIPLE, build_main_module
from mood.regions import Region
from mood.typed import Batch, Momentum, Positive, Rate, Unfit, Width, decode_text, encode_text
from mood.weights.bundle import read_notes

PIXELS_AT_ONCE = 8 * 160 * 160  # at prediction
HELD_OUT_SLICES = 64  # of each kind, for the histogram
HELD_OUT_SEED = 8  # the same slices at every check, in a resumed run too
LEVELS_GROUP = "iro"  # in the weights file

SliceSide = Annotated[int, Meta(ge=16, le=4096, multiple_of=16)]
Described = TypeVar("Described")


@dataclass(frozen=True)
class AscNetSettings(Settings):
    """Defaults are the paper's where it states one."""

    width: Width = 32  # filters of the first level
    discriminator_top: Annotated[int, Meta(ge=1, le=32)] = 16  # filters of its last level in units of the width
    momentum: Momentum = 0.99  # of the running statistics; 0.9 for trainings of a few thousand steps
    learning_rate: Rate = 5e-5  # Adam, main module
    discriminator_learning_rate: Rate = 5e-5  # Adam, discriminator
    batch_size: Batch = 16  # slices
    phase_steps: Positive = 100  # of the discriminator, then of the main module, in a round
    # Loss below which a phase of the discriminator ends early.
    discriminator_floor: Annotated[float, Meta(ge=0, le=100)] = 0.5
    # Of the adversarial loss, the others have 1; see mood.methods.ascnet.adversarial.
    adversarial_weight: Annotated[float, Meta(ge=0, le=100)] = 0.01
    published_disjointness: bool = False  # stage 2 with the constant loss of the authors' script
    stable_checks: Positive = 4  # in a row with the same peaks end a stage
    most_rounds: Positive = 200  # of a stage
    threshold: Annotated[float, Meta(gt=0, lt=1)] | None = None  # on Iro, by hand; None finds the valley


@dataclass(frozen=True)
class TrainingState:
    """What going on with a training needs beside arrays."""

    rounds: Rounds
    levels: Levels
    side: tuple[SliceSide, SliceSide]  # of the slices: height, width


class AscNet(Method):
    """Adversarial-based Selective Cutting network."""

    name = "ascnet"
    settings_type = AscNetSettings
    settings: AscNetSettings
    learns_from_unlabelled = True

    def __init__(self, region: Region, settings: AscNetSettings) -> None:
        super().__init__(region, settings)
        self.network = build_main_module(settings.width, settings.momentum)
        self.levels: Levels = grey_levels.distance_levels(0.0)
        self.rounds = Rounds(settings.stable_checks, settings.most_rounds)
        self.histogram: Histogram | None = None
        self._adversaries: Adversaries | None = None
        self._forward: Forward | None = None

    @classmethod
    def default_settings(cls, region: Region) -> AscNetSettings:
        return AscNetSettings(region.grid.shape, region.grid.spacing_mm, region.slice_axis)

    @property
    def finished(self) -> bool:
        return self.rounds.finished

    @property
    def settled(self) -> bool:
        """Iro has normal and anomalous peaks."""
        return self.levels.split

    def networks(self) -> dict[str, UsedNetwork]:
        shown = "Every slice along slice_axis, one channel, zeros below and to the right until sides divide by 16."
        knots = ", ".join(f"{p:.6g} to {s:g}" for p, s in zip(self.levels.positions, self.levels.scores, strict=True))
        answer = (
            f"Ifc, Iwc, Iro and both cuts. The map is Iro with grey levels brought, linearly between, from {knots}."
        )
        return {"network": UsedNetwork(self.network, shown, answer)}

    @property
    def runner(self) -> Forward:
        """The network in inference mode: (N, H, W, 1) float32 ndarray to the outputs as ndarrays."""
        if self._forward is None:
            self._forward = self.engine.runners({"network": self.network})["network"]
        return self._forward

    def score_volume(self, scan: np.ndarray) -> np.ndarray:
        slices = to_slices(finite(scan), self.settings.slice_axis)
        _, height, width = slices.shape
        scores = np.zeros_like(scan, np.float32)  # in the scan's memory order, as it will be written
        score_slices = to_slices(scores, self.settings.slice_axis)
        for batch in batches_in_time(filled_slices(slices), batch_images(PIXELS_AT_ONCE // (height * width))):
            padded = pad_to_multiple(slices[batch], SIDE_MULTIPLE)
            score_slices[batch] = self.levels.score(rebuilt(self.runner, padded[..., None])[2])[:, :height, :width]
        return scores

    def train_epoch(self, scans: Sequence[np.ndarray], rng: np.random.Generator) -> Iterator[dict[str, float]]:
        """As many rounds as show the main module each slice about once; a check after each round.

        Yields
        ------
        dict of str to float
            `loss` of each step; `checked` too after the step that ends a round.
        """
        axis, batch = self.settings.slice_axis, self.settings.batch_size
        training, held_out = hold_out(scans)
        adversaries = self.prepare(common_side(scans, axis))
        healthy = ScanSlices(training, axis, adversaries.side)
        others = ScanSlices(self.unlabelled, axis, adversaries.side) if self.unlabelled else None
        held = self._held_out(ScanSlices(held_out, axis, adversaries.side), others)
        steps = max(1, round(sum(scan.shape[axis] for scan in training) / batch))
        for _ in range(max(1, round(steps / self.settings.phase_steps))):
            phase = min(steps, self.settings.phase_steps)
            yield from self.train_round(healthy.draw, InputSlices(healthy, others).draw, held, phase, rng)
            if self.finished:
                return

    def train_round(
        self, reference: Draw, inputs: Draw, held: tuple[np.ndarray, np.ndarray], steps: int, rng: np.random.Generator
    ) -> Iterator[dict[str, float]]:
        """One round of training and its check, for slices from any source.

        Parameters
        ----------
        reference, inputs : callable
            Draw batches, (count, rng) to (count, H, W, 1) float32 in [0, 1].
        held : two (N, H, W, 1) float32 ndarrays
            Held-out reference and input images.
        steps : int
            Of each phase.
        """
        adversaries = self.prepare(held[0].shape[1:3])
        adversaries.enter(self.rounds.stage)
        losses: dict[str, float] = {}
        for following in adversaries.round(reference, inputs, steps, rng):
            if losses:
                yield losses
            losses = following
        self.check(*held)
        yield losses | {"checked": 1.0}

    def check(self, reference: np.ndarray, inputs: np.ndarray) -> None:
        """Measure Iro's grey levels on held-out images, (N, H, W, 1) each, and let the rule decide."""
        pieces = [rebuilt(self.network, images)[2] for images in (inputs, reference)]
        self.histogram = grey_levels.measure(*pieces)
        self.levels = self.rounds.check(self.histogram)
        if self.settings.threshold is not None:
            self.levels = grey_levels.levels_at(self.settings.threshold, self.histogram.normal)

    def prepare(self, side: tuple[int, int]) -> Adversaries:
        """The networks of training for images of this height and width."""
        self._forward = None
        if self._adversaries is None or self._adversaries.side != side:
            self._adversaries = Adversaries(self.network, self.settings, side)
        return self._adversaries

    @staticmethod
    def _held_out(healthy: ScanSlices, others: ScanSlices | None) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(HELD_OUT_SEED)
        return healthy.draw(HELD_OUT_SLICES, rng), InputSlices(healthy, others).draw(HELD_OUT_SLICES, rng)

    def draw_check(self, path: Path) -> None:
        if self.histogram is not None:
            pictures.save_histogram(self.histogram, self.levels, path)

    def save_weights(self, path: Path) -> None:
        self.network.save_weights(path)
        with h5py.File(path, "a") as file:
            group = file.create_group(LEVELS_GROUP)
            group.attrs["levels"] = encode_text(self.levels)

    def load_weights(self, path: Path) -> None:
        self.network.load_weights(path)
        self._forward = None
        with h5py.File(path, "r") as file:
            self.levels = _decoded(Levels, file[LEVELS_GROUP].attrs["levels"], path)

    def save_discriminator(self, path: Path) -> None:
        """Write the discriminator alone; prediction does not need it."""
        self.trained.discriminator.save_weights(path)

    @property
    def trained(self) -> Adversaries:
        """The networks of training; `UsageError` before any training."""
        if self._adversaries is None:
            raise UsageError("a method that was not trained has no state of training", fix="Train it first")
        return self._adversaries

    def save_state(self, path: Path) -> None:
        self.trained.save(path, encode_text(TrainingState(self.rounds, self.levels, self.trained.side)))

    def load_state(self, path: Path) -> None:
        state = _decoded(TrainingState, read_notes(path), path)
        self.rounds, self.levels = state.rounds, state.levels
        self.prepare(state.side).load(path, min(self.rounds.stage, self.rounds.last_stage))


def _decoded(kind: type[Described], text: str, path: Path) -> Described:
    try:
        return decode_text(kind, text)
    except Unfit as error:
        fix = "Restore the file from its source, or train again"
        raise WeightsError(f"ASC-Net's grey levels are damaged ({error})", where=path, fix=fix) from error
