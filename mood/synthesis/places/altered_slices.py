"""Training images of a network that sees slices: some of each altered brain, with their neighbours as channels."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops
from numpy.random import Generator

from mood import runtime
from mood.synthesis.places.altered_brains import AlteredBrains, on_device
from mood.synthesis.places.drawing import Drawing
from mood.synthesis.places.framing import FACTOR
from mood.synthesis.places.store import AIR_RIM

Tensor = Any


class AlteredSlices:
    """Alters the scans of a store and cuts them: (parameters) -> images and labels, tensors.

    Images are (B * slices, H, W, (2 * context + 1) * channels), labels (B * slices, H, W, 1), float32 in [0, 1].

    Parameters
    ----------
    brains : AlteredBrains
    axis : int
        Sliced along.
    context : int
        Neighbouring slices on either side.
    slices : int
        Of each brain.
    """

    def __init__(self, brains: AlteredBrains, axis: int, context: int, slices: int) -> None:
        self.brains = brains
        self.axis, self.context, self.slices = axis, context, slices
        self._images = runtime.compiled(self._cut_images)

    def draw_batch(self, hosts: np.ndarray, drawing: Drawing, grid_mm: float, rng: Generator) -> dict[str, Any]:
        """What this is called with for these hosts; the slices are spread over their content."""
        store, count = self.brains.store, self.brains.frame[self.axis] // FACTOR
        half = (store.middle[hosts, self.axis] - AIR_RIM) * store.spacing_mm[hosts, self.axis] / (FACTOR * grid_mm)
        steps = (np.arange(self.slices) + rng.random((len(hosts), self.slices))) / self.slices
        chosen = np.rint((count - 1) / 2 + half[:, None] * (2 * steps - 1))
        shown = {"slices": np.clip(chosen, 0, count - 1).astype(np.int32)}
        return self.brains.draw_batch(hosts, drawing, grid_mm, rng) | shown

    def __call__(self, parameters: dict[str, Any]) -> tuple[Tensor, Tensor]:
        return self._images(self.brains.scans, self.brains.bank, on_device(parameters))

    def _cut_images(self, scans: Tensor, bank: Tensor, parameters: dict) -> tuple[Tensor, Tensor]:
        images, labels = self.brains.altered_images(scans, bank, parameters)
        return cut(images, parameters["slices"], self.axis, self.context), cut(labels, parameters["slices"], self.axis)


def cut(stack: Tensor, chosen: Tensor, axis: int, context: int = 0) -> Tensor:
    """Slices of (B, X, Y, Z, C) along `axis` with their neighbours: (B * S, H, W, (2 * context + 1) * C).

    Parameters
    ----------
    chosen : (B, S) int32 tensor
        Beyond the ends there are zeros.
    """
    along = ops.pad(ops.moveaxis(stack, axis + 1, 1), ((0, 0), (context, context), (0, 0), (0, 0), (0, 0)))
    brains, count, height, width, channels = along.shape
    seen = 2 * context + 1
    rows = ops.expand_dims(chosen, -1) + np.arange(seen, dtype=np.int32)
    rows = rows + ops.reshape(ops.arange(brains, dtype="int32") * count, (-1, 1, 1))
    taken = ops.take(ops.reshape(along, (-1, height, width, channels)), ops.reshape(rows, (-1,)), axis=0)
    pieces = ops.transpose(ops.reshape(taken, (-1, seen, height, width, channels)), (0, 2, 3, 1, 4))
    return ops.reshape(pieces, (-1, height, width, seen * channels))
