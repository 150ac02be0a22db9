"""What methods have in common that are one Keras network: compiling, keeping, and running it."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

import keras

from mood import runtime
from mood.engines import Forward
from mood.engines.memory import in_halves
from mood.methods.base import Method


class NetworkMethod(Method):
    """A method with one network, which `__init__` of the subclass builds."""

    network: keras.Model
    _graphs: dict[str, list[Path]] | None = None  # that stand for `parts`
    _runner: Any = None

    @abstractmethod
    def optimizer_and_loss(self) -> tuple[keras.optimizers.Optimizer, Any]:
        """What the network is trained with."""

    def prepare_training(self) -> None:
        """Compile the network once; predictions made from now on see the weights of then."""
        self._runner = self._graphs = None
        if not self.network.compiled:
            optimizer, loss = self.optimizer_and_loss()
            self.network.compile(optimizer, loss, jit_compile=runtime.jit_compile())
            optimizer.build(self.network.trainable_variables)

    @property
    def runner(self) -> Any:
        """The network in inference mode: (N, H, W, C) float32 ndarray to ndarray."""
        if self._runner is None:
            self._runner = self.assemble(self.forwards())
        return self._runner

    @runner.setter
    def runner(self, runner: Any) -> None:
        self._runner = runner

    def parts(self) -> dict[str, keras.Model]:
        """The networks that prediction runs, by name."""
        return {"network": self.network}

    def forwards(self) -> dict[str, Forward]:
        """What runs each part."""
        if self._graphs is not None:
            return {name: in_halves(self.engine.graph_runner(files)) for name, files in self._graphs.items()}
        return self.engine.runners(self.parts())

    def assemble(self, forwards: dict[str, Forward]) -> Any:
        """The runner, made of what runs each part."""
        return forwards["network"]

    def use_graphs(self, graphs: dict[str, list[Path]]) -> None:
        self._graphs, self._runner = graphs, None

    @property
    def _bare(self) -> keras.Model:
        """The same layers without the optimizer, whose state is no part of the weights."""
        return keras.Model(self.network.inputs, self.network.outputs, name=self.network.name)

    def save_weights(self, path: Path) -> None:
        self._bare.save_weights(path)

    def load_weights(self, path: Path) -> None:
        self._bare.load_weights(path)
        self._runner = self._graphs = None

    def save_state(self, path: Path) -> None:
        self.network.save_weights(path)

    def load_state(self, path: Path) -> None:
        self.prepare_training()
        self.network.load_weights(path)
