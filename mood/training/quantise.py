"""The int8 form of trained weights, measured on healthy scans; it runs three times as fast.

what each part of the network sees in some scans, as they are and altered -> ranges of its activations
    -> graphs beside the weights
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mood import engines
from mood.detector import Detector
from mood.errors import UsageError
from mood.methods import load_method
from mood.methods.mix.method import DEFAULT_TASKS
from mood.methods.mix.training_images import altered_scan
from mood.methods.network_method import NetworkMethod
from mood.methods.slices import fit_shape
from mood.synthesis.native import native_scan
from mood.synthesis.tasks import get_tasks
from mood.training import provenance
from mood.volume import find_scans, load
from mood.weights.store import WeightsFolder, read_folder, write_graphs

IMAGES = 256  # that ranges are measured on
IMAGES_PER_CALL = 4


@dataclass(frozen=True)
class Difference:
    """Between the maps in int8 and those in float32, on the scans that were used."""

    largest: float
    mean: float  # of the absolute difference


class Recorder:
    """A part of a network that keeps some of the images of each call."""

    def __init__(self, run: Callable, rng: np.random.Generator) -> None:
        self.run, self.rng = run, rng
        self.images: list[np.ndarray] = []

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.images += list(images[self.rng.permutation(len(images))[:IMAGES_PER_CALL]])
        return self.run(images)

    def some(self) -> list[np.ndarray]:
        """At most `IMAGES` of them, at random."""
        order = self.rng.permutation(len(self.images))[:IMAGES]
        return [self.images[i] for i in order]


def quantise_weights(weights: WeightsFolder, source: Path, scans: int = 8, seed: int = 0) -> Difference:
    """Write int8 graphs beside trained weights.

    Parameters
    ----------
    weights : WeightsFolder
        Of a method that is one network.
    source : pathlib.Path
        Folder of healthy scans.
    scans : int
        How many of them to use, spread evenly over the names.
    seed : int
        Of the images that ranges are measured on.

    Raises
    ------
    UsageError
        When the method is not one network, or what quantises and runs it is not installed.
    NoInputError
        When the folder holds no scan.
    """
    method = load_method(weights)
    if not isinstance(method, NetworkMethod):
        fix = "Quantise mix, fpi or autoencoder"
        raise UsageError(f"method '{method.name}' does not run as {engines.QUANTISED}", fix=fix)
    found = find_scans(source)
    chosen = [found[i] for i in np.unique(np.linspace(0, len(found) - 1, scans).astype(int))]
    rng = np.random.default_rng(seed)
    recorders = {name: Recorder(run, rng) for name, run in method.forwards().items()}
    method.runner = method.assemble(dict(recorders))
    shown = [Detector(method).conform(load(path)).data for path in chosen]
    shown += [_altered(path, other, method, rng) for path, other in itertools.pairwise([chosen[-1], *chosen])]
    maps = [method.score_volume(scan) for scan in shown]
    engine = engines.choose(precision=engines.QUANTISED)
    graphs = {name: engine.quantised(part, recorders[name].some()) for name, part in method.parts().items()}
    write_graphs(provenance.with_step(weights, provenance.step("quantise", chosen)), graphs)
    rounded = load_method(read_folder(weights.path), engine)
    apart = [np.abs(rounded.score_volume(scan) - score_map) for scan, score_map in zip(shown, maps, strict=True)]
    return Difference(float(max(d.max() for d in apart)), float(np.mean([d.mean() for d in apart])))


def _altered(path: Path, other: Path, method: NetworkMethod, rng: np.random.Generator) -> np.ndarray:
    """A scan on the method's grid, altered in a few places as for the training of mix.

    Healthy scans alone leave cold what a network sees outliers with, and its ranges would be too narrow.
    """
    host, foreign = (native_scan(load(scan), method.region) for scan in (path, other))
    fitted = fit_shape(foreign.data, host.data.shape)
    altered = altered_scan(host, fitted, get_tasks(DEFAULT_TASKS), rng)
    return altered.scan.onto(method.grid.shape, method.grid.spacing_mm).data
