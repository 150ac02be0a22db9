"""The published network for the benchmarks of speed, with its floating-point operations counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from mood.engines import WAYS, choose
from mood.methods.fpi import Fpi
from mood.networks.cropped import CroppedForward, cropped_parts
from mood.networks.wide_resnet import CUT_STRIDE
from mood.regions import Region
from mood.runtime import gpus, seed_initial_weights

QUANTISED_ON = 16  # slices


def published_network(region: Region) -> Fpi:
    """FPI as published, with random weights whose normalisations have statistics of their own."""
    seed_initial_weights(0)
    method = Fpi(region, Fpi.default_settings(region))
    rng = np.random.default_rng(0)
    ranges = {"gamma": (0.5, 0.9), "beta": (-0.1, 0.1), "moving_mean": (-0.1, 0.1), "moving_variance": (0.7, 1.5)}
    for variable in method.network.weights:
        for name, (low, high) in ranges.items():
            if variable.path.endswith(name):
                variable.assign(rng.uniform(low, high, variable.shape).astype(np.float32))
    return method


def timed(function: Callable, *arguments) -> tuple[Any, np.ndarray]:
    """The result, and the seconds by the clock and of the processors."""
    start = time.perf_counter(), time.process_time()
    result = function(*arguments)
    return result, np.array([time.perf_counter() - start[0], time.process_time() - start[1]])


def matrix_product(side: int = 4096) -> np.ndarray:
    """GFLOP of a large float32 matrix product a second, by the clock and of the processors; on a GPU where one is."""
    a = np.ones((side, side), np.float32)
    if not gpus():
        return 2 * side**3 / timed(np.matmul, a, a)[1] / 1e9
    on_device = keras.ops.convert_to_tensor(a)
    keras.ops.convert_to_numpy(keras.ops.matmul(on_device, on_device)[:1])  # compiles
    _, seconds = timed(lambda: keras.ops.convert_to_numpy(keras.ops.matmul(on_device, on_device)[:1]))
    return 2 * side**3 / seconds / 1e9


class Counted:
    """One part of a network that counts the floating-point operations of its convolutions."""

    def __init__(self, run: Callable, part: keras.Model) -> None:
        self.run, self.operations = run, 0.0
        fixed = keras.models.clone_model(part, input_tensors=keras.Input((64, 64, part.inputs[0].shape[-1])))
        convolutions = [layer for layer in fixed.layers if isinstance(layer, keras.layers.Conv2D)]
        self.per_pixel = sum(2 * np.prod((*c.kernel.shape, *c.output.shape[1:3])) for c in convolutions) / 64**2

    def __call__(self, slices: np.ndarray) -> np.ndarray:
        self.operations += self.per_pixel * np.prod(slices.shape[:3])
        return self.run(slices)


class CountedForward(CroppedForward):
    """`CroppedForward` of a network on an engine (`mood.engines.WAYS`), its operations counted."""

    def __init__(self, network: keras.Model, way: str, chosen: np.ndarray) -> None:
        parts, engine = cropped_parts(network), choose(*WAYS[way])
        runs = engine.runners(parts)
        if engine.takes_graphs:
            images = list(chosen[:: max(1, len(chosen) // QUANTISED_ON), ..., None])
            seen = {"front": images, "rest": [runs["front"](image[None])[0] for image in images]}
            runs = {name: engine.quantised(part, seen[name]).runner() for name, part in parts.items()}
        super().__init__(**{name: Counted(run, parts[name]) for name, run in runs.items()})

    @property
    def operations(self) -> float:
        return self.front.operations + self.rest.operations


def full_frame_operations(forward: CroppedForward) -> float:
    """For each pixel, through both parts; the second one starts at a quarter of the side."""
    return forward.front.per_pixel + forward.rest.per_pixel / CUT_STRIDE**2
