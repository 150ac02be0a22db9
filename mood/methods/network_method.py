"""What methods have in common that are one Keras network: compiling, keeping, and running it."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

import keras

from mood import runtime
from mood.methods.base import Method
from mood.networks.engine import forward


class NetworkMethod(Method):
    """A method with one network, which `__init__` of the subclass builds."""

    network: keras.Model
    _runner: Any = None

    @abstractmethod
    def optimizer_and_loss(self) -> tuple[keras.optimizers.Optimizer, Any]:
        """What the network is trained with."""

    def prepare_training(self) -> None:
        """Compile the network once; predictions made from now on see the weights of then."""
        self._runner = None
        if not self.network.compiled:
            optimizer, loss = self.optimizer_and_loss()
            self.network.compile(optimizer, loss, jit_compile=runtime.jit_compile())
            optimizer.build(self.network.trainable_variables)

    @property
    def runner(self) -> Any:
        """The network in inference mode: (N, H, W, C) float32 ndarray to ndarray."""
        if self._runner is None:
            self._runner = self.make_runner()
        return self._runner

    @runner.setter
    def runner(self, runner: Any) -> None:
        self._runner = runner

    def make_runner(self) -> Any:
        return forward(self.network)

    @property
    def _bare(self) -> keras.Model:
        """The same layers without the optimizer, whose state is no part of the weights."""
        return keras.Model(self.network.inputs, self.network.outputs, name=self.network.name)

    def save_weights(self, path: Path) -> None:
        self._bare.save_weights(path)

    def load_weights(self, path: Path) -> None:
        self._bare.load_weights(path)
        self._runner = None

    def save_state(self, path: Path) -> None:
        self.network.save_weights(path)

    def load_state(self, path: Path) -> None:
        self.prepare_training()
        self.network.load_weights(path)
