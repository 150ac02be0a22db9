"""What methods have in common that are one Keras network: compiling, keeping, and running it."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import keras

from mood import runtime
from mood.engines import Forward, devices
from mood.engines.memory import in_halves
from mood.methods.base import Method, UsedNetwork


class NetworkMethod(Method):
    """A method with one network, which `__init__` of the subclass builds."""

    network: keras.Model
    shown: ClassVar[str]  # as of `UsedNetwork`
    answer: ClassVar[str]
    _graphs: dict[str, list[Path]] | None = None  # that stand for `parts`
    _runner: Any = None

    @abstractmethod
    def optimizer_and_loss(self) -> tuple[keras.optimizers.Optimizer, Any]:
        """What the network is trained with."""

    def prepare_training(self) -> None:
        """Compile what is trained once; predictions made from now on see the weights of then."""
        self._runner = self._graphs = None
        for network in self.trained():
            if not network.compiled:
                with devices.scope():
                    optimizer, loss = self.optimizer_and_loss()
                    network.compile(optimizer, loss, jit_compile=runtime.jit_compile())
                    optimizer.build(network.trainable_variables)

    def trained(self) -> list[keras.Model]:
        """The networks that training changes."""
        return [self.network]

    @property
    def runner(self) -> Any:
        """The network in inference mode: (N, H, W, C) float32 ndarray to ndarray."""
        if self._runner is None:
            self._runner = self.assemble(self.forwards())
        return self._runner

    @runner.setter
    def runner(self, runner: Any) -> None:
        self._runner = runner

    def networks(self) -> dict[str, UsedNetwork]:
        return {"network": UsedNetwork(bare(self.network), self.shown, self.answer)}

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

    def save_weights(self, path: Path) -> None:
        bare(self.network).save_weights(path)

    def load_weights(self, path: Path) -> None:
        bare(self.network).load_weights(path)
        self._runner = self._graphs = None

    def save_state(self, path: Path) -> None:
        self.network.save_weights(path)

    def load_state(self, path: Path) -> None:
        self.prepare_training()
        self.network.load_weights(path)


def bare(network: keras.Model) -> keras.Model:
    """The same layers without the optimizer, whose state is no part of the weights."""
    return keras.Model(network.inputs, network.outputs, name=network.name)
