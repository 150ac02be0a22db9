"""ASC-Net's training: discriminator and main module take turns, in two stages.

    round = phase of the discriminator -> its weights go into the frozen copy that the main module sees
            -> phase of the main module through the complete model

Stage 1 (Dey and Hong 2021, section 2): reference images are real, foreground cuts of the inputs fake.
Stage 2: the reference images' own foreground cuts count as real too, the inputs are passed over twice,
and the disjointness loss changes. What the authors' scripts do otherwise, and why not here:

- They train a discriminator, drop it and train the main module against an untrained one. Here the
  trained one is used: its weights are copied into the complete model after every phase.
- They start the discriminator and Adam's moments anew in every phase. Here both go on.
- Their disjointness loss of stage 2 is constant. Here it is the soft Dice overlap; the setting
  `published_disjointness` brings the constant back.
- A discriminator that is certain has a tanh without slope and teaches nothing. Here its phase ends early
  once its loss is below `discriminator_floor`.
- The discriminator has two widths in their scripts, one setting here.
- All losses of the main module have weight 1 there, and an untrained or certain discriminator's has no
  gradient to speak of. One that teaches is felt in every pixel, while the reconstruction is a mean over
  pixels; at weight 1 it keeps Iro from the image. `adversarial_weight` is small here.
- Whether batch normalisation inside the frozen discriminator uses the batch's statistics changed between
  versions of Keras. Here it uses the running ones, and dropout stays active.
- A person decides when to stop; `mood.methods.ascnet.stopping` has the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import keras
import numpy as np

from mood import runtime
from mood.engines.keras import Forward
from mood.errors import TrainingError
from mood.networks import ascnet as networks
from mood.networks.ascnet import FAKE, REAL
from mood.weights.bundle import read_bundle, write_bundle

Draw = Callable[[int, np.random.Generator], np.ndarray]  # count -> (count, H, W, 1) float32 in [0, 1]

PREDICTED_AT_ONCE = 16


class AdversarialSettings(Protocol):
    """What this module reads of `AscNetSettings`."""

    @property
    def width(self) -> int: ...
    @property
    def discriminator_top(self) -> int: ...
    @property
    def momentum(self) -> float: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def discriminator_learning_rate(self) -> float: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def phase_steps(self) -> int: ...
    @property
    def discriminator_floor(self) -> float: ...
    @property
    def adversarial_weight(self) -> float: ...
    @property
    def published_disjointness(self) -> bool: ...


class Adversaries:
    """The networks while they are trained.

    Parameters
    ----------
    main : keras.Model
        From `build_main_module`; trained in place.
    settings : AdversarialSettings
    side : (int, int)
        Height and width of the images, multiples of 16.
    """

    def __init__(self, main: keras.Model, settings: AdversarialSettings, side: tuple[int, int]) -> None:
        self.main, self.settings, self.side = main, settings, side
        self.discriminator, self.frozen = (
            networks.build_discriminator(
                *side, settings.width, settings.discriminator_top, settings.momentum, trained=trained
            )
            for trained in (True, False)
        )
        self.complete = networks.build_complete(main, self.frozen)
        self.stage = 0
        adam = self._adam(self.discriminator, settings.discriminator_learning_rate)
        self.discriminator.compile(adam, "mean_absolute_error", jit_compile=runtime.jit_compile())
        self._main_adam = self._adam(main, settings.learning_rate)

    @staticmethod
    def _adam(model: keras.Model, rate: float) -> keras.optimizers.Optimizer:
        adam = keras.optimizers.Adam(rate)
        adam.build(model.trainable_variables)
        return adam

    def enter(self, stage: int) -> None:
        """Prepare stage 1 or 2; Adam's moments stay."""
        if stage == self.stage:
            return
        second = (
            networks.published_second_stage_disjointness
            if self.settings.published_disjointness
            else networks.soft_disjointness
        )
        disjointness = networks.first_stage_disjointness if stage == 1 else second
        functions = ["mean_absolute_error", "mean_squared_error", disjointness]
        losses = dict(zip(networks.LOSSES, functions, strict=True))
        weights = dict(zip(networks.LOSSES, (self.settings.adversarial_weight, 1.0, 1.0), strict=True))
        self.complete.compile(self._main_adam, losses, loss_weights=weights, jit_compile=runtime.jit_compile())
        self.stage = stage

    def round(self, reference: Draw, inputs: Draw, steps: int, rng: np.random.Generator) -> Iterator[dict[str, float]]:
        """One phase of each; yields the losses after each step.

        Parameters
        ----------
        reference, inputs : callable
            Draw batches of images at random.
        steps : int
            Of each phase; stage 2 doubles those of the main module.
        """
        self._reseed(rng)
        for _ in range(steps):
            losses = self._train_discriminator(reference, inputs, rng)
            yield losses
            if losses["loss"] < self.settings.discriminator_floor:
                break
        self.frozen.set_weights(self.discriminator.get_weights())
        for _ in range(steps * self.stage):
            yield self._train_main(inputs(self.settings.batch_size, rng))

    def _reseed(self, rng: np.random.Generator) -> None:
        """Let dropout depend on `rng` alone: Keras does not save where its random numbers stand."""
        for model in (self.main, self.discriminator, self.frozen):
            for layer in model.layers:
                if isinstance(layer, keras.layers.Dropout):
                    layer.seed_generator.state.assign(np.array([rng.integers(2**31), 0]))

    def _train_discriminator(self, reference: Draw, inputs: Draw, rng: np.random.Generator) -> dict[str, float]:
        real, shown = (draw(self.settings.batch_size, rng) for draw in (reference, inputs))
        fake = self._cuts(shown)
        if self.stage == 2:  # half of the real ones are the reference's own cuts
            half = len(real) // 2
            real[:half] = self._cuts(real[:half]) if half else real[:half]
        images = np.concatenate([real, fake])
        labels = np.concatenate([np.full((len(real), 1), REAL), np.full((len(fake), 1), FAKE)]).astype(np.float32)
        loss = self.discriminator.train_on_batch(images, labels)
        return {"loss": _finite(float(np.ravel(loss)[0]))}

    def _cuts(self, images: np.ndarray) -> np.ndarray:
        return np.asarray(self.main.predict_on_batch(images)[0])

    def _train_main(self, images: np.ndarray) -> dict[str, float]:
        count, height, width, _ = images.shape
        goals = [np.full((count, 1), REAL, np.float32), images, np.zeros((count, height, width, 2), np.float32)]
        logs = self.complete.train_on_batch(images, dict(zip(networks.LOSSES, goals, strict=True)), return_dict=True)
        losses = {name: float(logs[f"{name}_loss"]) for name in networks.LOSSES}
        return {"loss": _finite(float(logs["loss"]))} | losses

    def save(self, path: Path, notes: str) -> None:
        """Both networks with Adam's moments, and `notes`, in one file."""
        self.enter(self.stage or 1)
        parts = {"complete": self.complete.save_weights, "discriminator": self.discriminator.save_weights}
        write_bundle(path, parts, notes)

    def load(self, path: Path, stage: int) -> None:
        """What `save` wrote in this stage."""
        self.enter(stage)
        read_bundle(path, {"complete": self.complete.load_weights, "discriminator": self.discriminator.load_weights})


def rebuilt(main: keras.Model | Forward, images: np.ndarray) -> list[np.ndarray]:
    """[Ifc, Iwc, Iro] of (N, H, W, 1) images, a few at a time, each (N, H, W) float32."""
    run = main.predict_on_batch if isinstance(main, keras.Model) else main
    pieces = []
    for start in range(0, len(images), PREDICTED_AT_ONCE):
        pieces.append([np.asarray(out)[..., 0] for out in run(images[start : start + PREDICTED_AT_ONCE])[:3]])
    return [np.concatenate(outputs) for outputs in zip(*pieces, strict=True)]


def _finite(loss: float) -> float:
    if not np.isfinite(loss):
        fix = "Go on from the last checkpoint with a smaller learning_rate; it is kept"
        raise TrainingError("the training diverged: the loss is not a number", fix=fix)
    return loss
