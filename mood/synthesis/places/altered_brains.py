"""A network with its training data in front of it: parameters of places go in, estimates and labels come out."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.random import Generator

from mood.synthesis.places.altering import altered
from mood.synthesis.places.drawing import Drawing
from mood.synthesis.places.framing import draw_views, framed, space_to_depth
from mood.synthesis.places.store import ScanStore

Tensor = Any

BANK_SIDE = 128  # of the cube of white noise that all noise is read from


class AlteredBrains(keras.Model):
    """Alters the scans of a store and lets `network` tell where: (parameters) -> (B, x, y, z, 2), estimate and label.

    The scans are variables of this model, so that they stay on the device. Its loss is `of_estimate(loss)`.

    Parameters
    ----------
    network : keras.Model
        (B, X / 2, Y / 2, Z / 2, 8 or 16) to (B, X / 2, Y / 2, Z / 2, 1).
    store : ScanStore
    shape : three even ints
        Voxels of the fine grid.
    side : int
        Voxels of the cubes that places are worked out in.
    mirrored : bool
        Whether the network sees the mirror image too.
    seed : int
        Of the bank of noise.
    """

    def __init__(
        self, network: keras.Model, store: ScanStore, shape: tuple[int, int, int], side: int, mirrored: bool, seed: int
    ) -> None:
        super().__init__(dtype=keras.DTypePolicy("float32"))
        self.network, self.frame, self.side, self.mirrored, self.box = network, shape, side, mirrored, store.box
        self.scans = constant(self, "scans", store.voxels.reshape(-1))
        bank = np.random.default_rng(seed).normal(size=(BANK_SIDE,) * 3)
        self.bank = constant(self, "bank", bank.astype(np.float16))

    def call(self, inputs: dict[str, dict[str, Tensor]], training: bool | None = None) -> Tensor:
        image, label = self.brains(inputs)
        estimate = self.network(channels_of(image, self.mirrored), training=training)
        return ops.concatenate([ops.cast(estimate, "float32"), label], axis=-1)

    def brains(self, inputs: dict[str, dict[str, Tensor]]) -> tuple[Tensor, Tensor]:
        """Altered brains on the fine grid and their labels on the coarse one."""
        hosts = inputs["hosts"]
        scans, labels = altered(
            ops.convert_to_tensor(self.scans), self.box, ops.convert_to_tensor(self.bank),
            hosts["index"], hosts["spacing_mm"], inputs["places"], self.side,
        )  # fmt: skip
        return framed(scans, labels, self.box, ops.convert_to_tensor(self.bank), inputs["views"], self.frame)


def constant(layer: keras.Layer, name: str, values: np.ndarray) -> keras.Variable:
    """An array that stays on the device as it is, of its own type."""
    variable = layer.add_weight(
        name=name, shape=values.shape, dtype=str(values.dtype), trainable=False, initializer="zeros", autocast=False
    )
    variable.assign(values)
    return variable


def channels_of(image: Tensor, mirrored: bool) -> Tensor:
    """(B, X, Y, Z) on the fine grid to what the network sees on the coarse one, the mirror image last."""
    own = space_to_depth(image)
    return ops.concatenate([own, space_to_depth(ops.flip(image, axis=1))], axis=-1) if mirrored else own


def draw_batch(
    store: ScanStore, hosts: np.ndarray, drawing: Drawing, grid_mm: float, rng: Generator
) -> dict[str, dict[str, np.ndarray]]:
    """What `AlteredBrains` is called with for these hosts."""
    about = {"index": hosts.astype(np.int32), "spacing_mm": store.spacing_mm[hosts]}
    views = draw_views(store, hosts, grid_mm, rng)
    return {"hosts": about, "places": drawing.batch(store, hosts, rng), "views": views}


def of_estimate(loss: Any) -> Any:
    """A loss of (label, estimate) as one of a model whose output holds both."""

    def joint_loss(_: Tensor, outputs: Tensor) -> Tensor:
        return loss(ops.stop_gradient(outputs[..., 1:]), outputs[..., :1])

    return joint_loss
