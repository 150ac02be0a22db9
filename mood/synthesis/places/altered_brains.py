"""Training images of a three-dimensional network: parameters of places go in, altered brains and labels come out."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops, tree
from numpy.random import Generator

from mood import runtime
from mood.synthesis.places.altering import altered
from mood.synthesis.places.drawing import Drawing
from mood.synthesis.places.framing import draw_views, framed, space_to_depth
from mood.synthesis.places.store import ScanStore

Tensor = Any

BANK_SIDE = 128  # of the cube of white noise that all noise is read from


class AlteredBrains:
    """Alters the scans of a store, which stay on the device: (parameters) -> images and labels, tensors.

    Images are (B, X / 2, Y / 2, Z / 2, 8 or 16), labels (B, X / 2, Y / 2, Z / 2, 1), both float32 in [0, 1].

    Parameters
    ----------
    store : ScanStore
    frame : three even ints
        Voxels of the fine grid, X, Y and Z.
    side : int
        Voxels of the cubes that places are worked out in.
    mirrored : bool
        Whether the mirror image comes with the image.
    seed : int
        Of the bank of noise.
    """

    def __init__(self, store: ScanStore, frame: tuple[int, int, int], side: int, mirrored: bool, seed: int = 0) -> None:
        if store.voxels.size > np.iinfo(np.int32).max:
            raise ValueError(f"{len(store)} scans in a box of {store.box} voxels are more than an index can reach")
        self.frame, self.side, self.mirrored, self.box, self.store = frame, side, mirrored, store.box, store
        bank = np.random.default_rng(seed).normal(size=(BANK_SIDE,) * 3)
        self.scans = ops.convert_to_tensor(store.voxels.reshape(-1))
        self.bank = ops.convert_to_tensor(bank.astype(np.float32))
        self._images = runtime.compiled(self.altered_images)

    def __call__(self, parameters: dict[str, dict[str, np.ndarray]]) -> tuple[Tensor, Tensor]:
        return self._images(self.scans, self.bank, on_device(parameters))

    def draw_batch(self, hosts: np.ndarray, drawing: Drawing, grid_mm: float, rng: Generator) -> dict[str, Any]:
        """What this is called with for these hosts."""
        about = {"index": hosts.astype(np.int32), "spacing_mm": self.store.spacing_mm[hosts]}
        views = draw_views(self.store, hosts, grid_mm, rng)
        return {"hosts": about, "places": drawing.batch(self.store, hosts, rng), "views": views}

    def altered_images(self, scans: Tensor, bank: Tensor, parameters: dict) -> tuple[Tensor, Tensor]:
        """The same with everything on the device: the voxels of the store and the bank of noise among the arguments."""
        hosts = parameters["hosts"]
        brains, labels = altered(
            scans, self.box, bank, hosts["index"], hosts["spacing_mm"], parameters["places"], self.side
        )
        image, label = framed(brains, labels, self.box, bank, parameters["views"], self.frame)
        return channels_of(image, self.mirrored), label


def on_device(parameters: Any) -> Any:
    """Arrays as tensors, in whatever they are nested in."""
    return tree.map_structure(ops.convert_to_tensor, parameters)


def channels_of(image: Tensor, mirrored: bool) -> Tensor:
    """(B, X, Y, Z) on the fine grid to what the network sees on the coarse one, the mirror image last."""
    own = space_to_depth(image)
    return ops.concatenate([own, space_to_depth(ops.flip(image, axis=1))], axis=-1) if mirrored else own
