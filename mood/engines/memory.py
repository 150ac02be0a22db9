"""Networks when memory runs out: fewer images at once, then a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np

from mood.engines import Forward
from mood.errors import ScanError

SIGNS = (
    "memoryerror", "resourceexhausted", "resource_exhausted", "out of memory", "outofmemory", "bad_alloc",
    "allocate memory", "failed to allocate",
)  # fmt: skip


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says so, as NumPy, TensorFlow, JAX, PyTorch and OpenVINO do."""
    text = f"{type(error).__name__} {error}".lower()
    return any(sign in text for sign in SIGNS)


def in_halves(run: Forward) -> Forward:
    """`run` that goes on with half as many images at once where memory runs out.

    Raises
    ------
    ScanError
        When it runs out for one image too.
    """

    def halving(images: np.ndarray) -> Any:
        try:
            return run(images)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if len(images) == 1:
                fix = "Give it more memory, or choose another method"
                raise ScanError("memory ran out in the network", fix=fix) from error
        middle = len(images) // 2  # here, where the error no longer keeps what it was raised over
        return joined([halving(images[:middle]), halving(images[middle:])])

    return halving


def joined(results: list[Any]) -> Any:
    """What a network said of images in several parts, as if it had seen them at once."""
    if isinstance(results[0], (list, tuple)):
        return [np.concatenate(parts) for parts in zip(*results, strict=True)]
    return np.concatenate(results)
