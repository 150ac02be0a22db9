"""What runs trained networks, by name. A new engine is a class here, a module with its code, and a line in `ENGINES`.

    engine = choose("auto")              # also decides what Keras runs on, so before anything imports it
    run = engine.runner(network)         # a Keras model with inputs (N, H, W, C), any height and width
    maps = run(images)                   # arrays in, arrays out

The classes import nothing until they run something, so that choices can be listed and checked at once.
"""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from mood import runtime
from mood.engines.threads import thread_count
from mood.errors import UsageError, unknown
from mood.installation import advice

if TYPE_CHECKING:
    import keras

log = logging.getLogger(__name__)

Forward = Callable[[np.ndarray], Any]  # (N, H, W, C) float32 ndarray to the output as ndarray, or to a list of them
AUTO = "auto"
EXACT, HALF, QUANTISED = "float32", "bfloat16", "int8"


class Unsupported(UsageError):
    """A network that an engine cannot run; Keras can."""


class Graph(Protocol):
    """A network in an engine's own form."""

    def save(self, stem: Path) -> list[Path]:
        """Write it to files called like `stem` and more; the paths of all of them."""

    def runner(self) -> Forward:
        """What runs it."""


class Engine(ABC):
    """Runs networks in inference mode, with arithmetic of one precision.

    Attributes
    ----------
    name : str
        As on the command line and in records.
    packages, extra : tuple of str, str
        What has to be installed, and the optional dependency that brings it.
    backends : tuple of str
        What Keras runs on beside it, the best first.
    uses_gpu : bool
        Whether it makes use of one.
    precisions : tuple of str
        All take any network but `QUANTISED`, which takes graphs that `quantised` made.
    """

    name: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]
    extra: ClassVar[str]
    backends: ClassVar[tuple[str, ...]]
    uses_gpu: ClassVar[bool]
    precisions: ClassVar[tuple[str, ...]] = (EXACT,)

    def __init__(self, precision: str = EXACT) -> None:
        if precision not in self.precisions:
            able = ", ".join(kind.name for kind in ENGINES.values() if precision in kind.precisions)
            fix = f"Leave out --engine, or choose {able}"
            raise UsageError(f"the engine {self.name} has no {precision}", fix=fix)
        self.precision = precision

    @classmethod
    def available(cls) -> bool:
        """Whether it is installed, told without importing it."""
        return all(map(runtime.installed, cls.packages))

    @property
    def takes_graphs(self) -> bool:
        """Whether it runs graphs that `quantised` made instead of networks."""
        return self.precision == QUANTISED

    @abstractmethod
    def runner(self, network: keras.Model) -> Forward:
        """The network in inference mode as a function of arrays; `Unsupported` when it cannot run here.

        Parameters
        ----------
        network : keras.Model
            One input (N, H, W, C). Later changes of its weights may go unseen.
        """

    def runners(self, networks: Mapping[str, keras.Model]) -> dict[str, Forward]:
        """What runs each of the networks of a method; all of them run on Keras when one cannot run here.

        Parameters
        ----------
        networks : mapping of str to keras.Model
            By the part they play in the method.
        """
        from mood.engines.memory import in_halves

        try:
            return {name: in_halves(self.runner(network)) for name, network in networks.items()}
        except Unsupported as error:
            log.warning("%s; Keras runs this network instead, with the same result", error.what)
            return {name: in_halves(FALLBACK.runner(network)) for name, network in networks.items()}

    def quantised(self, network: keras.Model, images: Sequence[np.ndarray]) -> Graph:
        """The network with eight-bit arithmetic.

        Parameters
        ----------
        network : keras.Model
            With float32 weights.
        images : sequence of (H, W, C) float32 ndarray
            What its ranges are measured on.
        """
        raise UsageError(f"the engine {self.name} has no {QUANTISED}", fix="Choose another one")

    def graph_runner(self, files: Sequence[Path]) -> Forward:
        """What runs a graph that was saved.

        Parameters
        ----------
        files : sequence of pathlib.Path
            What `Graph.save` returned.
        """
        raise UsageError(f"the engine {self.name} runs no graphs", fix="Choose another one")

    def device(self) -> str:
        """What it computes on, for logs and records."""
        return runtime.device()

    @classmethod
    def version(cls) -> str:
        """The installed version of what runs the networks."""
        return version(cls.packages[0])

    def described(self) -> dict[str, str]:
        """Name, version, precision, device and number of threads, for records."""
        device = f"{self.device()}, {thread_count()} threads"
        return {"engine": f"{self.name} {self.version()}", "precision": self.precision, "device": device}


class KerasEngine(Engine):
    """Keras on the backend that it was built on; the only one that runs every network, and trains."""

    name = "keras"
    packages, extra = ("keras",), "cpu"
    backends = runtime.TRAINING_BACKENDS
    uses_gpu = True

    @classmethod
    def available(cls) -> bool:
        return super().available() and any(map(runtime.installed, cls.backends))

    def runner(self, network: keras.Model) -> Forward:
        from mood.engines.keras import forward

        return forward(network)


class OpenVinoEngine(Engine):
    """OpenVINO on a CPU: starts sooner, takes less memory, and has bfloat16, fast where a processor multiplies it."""

    name = "openvino"
    packages, extra = ("openvino",), "openvino"
    backends = ("openvino",)
    uses_gpu = False
    precisions = (EXACT, HALF, QUANTISED)

    def runner(self, network: keras.Model) -> Forward:
        from mood.engines.openvino import build_graph, graph_forward

        return graph_forward(build_graph(network), self.precision)

    def quantised(self, network: keras.Model, images: Sequence[np.ndarray]) -> Graph:
        from mood.engines.int8 import QuantisedGraph, quantise

        return QuantisedGraph(quantise(network, images))

    def graph_runner(self, files: Sequence[Path]) -> Forward:
        from mood.engines.openvino import graph_forward

        return graph_forward(next(path for path in files if path.suffix == ".xml"))

    def device(self) -> str:
        return f"CPU ({os.cpu_count()} cores, OpenVINO)"


ENGINES: dict[str, type[Engine]] = {kind.name: kind for kind in (KerasEngine, OpenVinoEngine)}
CHOICES = (AUTO, *ENGINES)
PRECISIONS = tuple(dict.fromkeys(precision for kind in ENGINES.values() for precision in kind.precisions))
# Every way to run a network, by a short name, as engine and precision.
WAYS = {
    kind.name if precision == EXACT else precision: (kind.name, precision)
    for kind in ENGINES.values()
    for precision in kind.precisions
}
FALLBACK = KerasEngine()  # runs every network


def choose(name: str = AUTO, precision: str = EXACT) -> Engine:
    """The engine to run networks with from now on, ready: what Keras runs on is decided too.

    Parameters
    ----------
    name : str
        One of `CHOICES`. `auto` is the engine that goes with `KERAS_BACKEND` where that is set or Keras is
        imported already; else OpenVINO where it is installed and there is no GPU, for it starts sooner and takes
        less memory; else Keras.
    precision : str
        One of `PRECISIONS`.

    Raises
    ------
    UsageError
        When there is no such engine or precision, they do not go together, or something is not installed.

    Examples
    --------
    >>> choose("keras").described()["precision"]
    'float32'
    """
    for kind, word, words in (("engine", name, CHOICES), ("precision", precision, PRECISIONS)):
        if word not in words:
            raise unknown(kind, word, words)
    engine = (_automatic(precision) if name == AUTO else ENGINES[name])(precision)
    if not all(map(runtime.installed, engine.packages)):  # not `available`: Keras runs on OpenVINO alone too
        raise UsageError(f"the engine {engine.name} is not installed", fix=advice(engine.extra))
    runtime.prepare(engine.backends)
    return engine


def _automatic(precision: str) -> type[Engine]:
    able = [kind for kind in ENGINES.values() if precision in kind.precisions]
    if len(able) > 1 and (fixed := runtime.fixed_backend()):
        return next(kind for kind in able if fixed in kind.backends)
    installed = [kind for kind in able if kind.available()] or able
    return min(installed, key=lambda kind: kind.uses_gpu != runtime.has_gpu())
