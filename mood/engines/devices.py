"""Training on several devices, of this machine or of several: every batch is shared out among them.

All devices hold the same network. Each learns from its share of a batch, the gradients are added up and every copy is
changed in the same way, so that a step does what it does on one device with the whole batch; batch normalisation is of
the whole batch too. On several machines the same command runs on each, draws the same batches from the same seed, and
the first one alone leaves files (TensorFlow's MirroredStrategy and MultiWorkerMirroredStrategy).
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mood import runtime
from mood.errors import NoInputError, TrainingError, UsageError

VARIABLE = "MOOD_HOST"  # which line of the file this machine is, from 1 on, where its name does not tell
SLURM = "SLURM_PROCID"  # the same from 0 on, of srun with one task a node
PORT = 17707
HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?")


@dataclass
class Sharing:
    """Among whom batches are shared out.

    Attributes
    ----------
    strategy : tensorflow.distribute.Strategy
    index : int
        Of this machine; the first one has the last word on files.
    """

    strategy: Any
    index: int = 0
    steps: dict[int, Callable[..., Any]] = field(default_factory=dict)  # compiled, by network

    @property
    def devices(self) -> int:
        """How many there are, on all machines."""
        return int(self.strategy.num_replicas_in_sync)


_sharing: Sharing | None = None  # within `shared`


def read_hosts(path: Path) -> list[str]:
    """The machines of a file, HOST or HOST:PORT on each line, as HOST:PORT.

    Raises
    ------
    NoInputError
        When there is no such file, or no machine in it.
    UsageError
        When a line is no machine, or one is there twice.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise NoInputError("the list of hosts cannot be read", where=path, fix="Name a text file") from error
    words = [word for word in (line.partition("#")[0].strip() for line in lines) if word]
    hosts = []
    for word in words:
        found = HOST.fullmatch(word)
        if found is None:
            raise UsageError(f"this is no host: '{word}'", where=path, fix="Write HOST or HOST:PORT on each line")
        hosts.append(f"{found[1]}:{found[2] or PORT}")
    if not hosts:
        raise NoInputError("the list of hosts is empty", where=path, fix="Write HOST or HOST:PORT on each line")
    if len(set(hosts)) < len(hosts):
        raise UsageError("a host is there twice", where=path, fix="Give each process a port of its own")
    return hosts


def own_index(hosts: Sequence[str]) -> int:
    """Which machine this is, from 0 on: by MOOD_HOST, by SLURM, or by its name; `UsageError` where none tells."""
    for variable, first in ((VARIABLE, 1), (SLURM, 0)):
        text = os.environ.get(variable, "")
        if text.isdecimal() and first <= int(text) < len(hosts) + first:
            return int(text) - first
        if text and variable == VARIABLE:
            raise UsageError(f"{VARIABLE} is '{text}'", fix=f"Give a number from 1 to {len(hosts)}")
    names = {socket.gethostname(), socket.gethostname().partition(".")[0], socket.getfqdn()}
    matching = [index for index, host in enumerate(hosts) if host.rpartition(":")[0] in names]
    if len(matching) != 1:
        what = f"the list of hosts does not tell which of them '{socket.gethostname()}' is"
        raise UsageError(what, fix=f"Set {VARIABLE} to its line, from 1 on")
    return matching[0]


@contextmanager
def shared(devices: int = 1, hosts: Sequence[str] = ()) -> Iterator[None]:
    """Within, networks are built for several devices, and `train_on_batch` shares batches out among them.

    Parameters
    ----------
    devices : int
        Of this machine: GPUs where there are some, else processors that TensorFlow takes for several.
    hosts : sequence of str
        HOST:PORT of each machine, all devices of which are used; none for this one alone.

    Raises
    ------
    UsageError
        When there are not so many devices, or Keras does not run on TensorFlow.
    """
    global _sharing
    if devices == 1 and len(hosts) < 2:
        yield
        return
    if runtime.prepare_training() != "tensorflow":
        fix = f"Start anew with {runtime.VARIABLE}=tensorflow, or with one device"
        raise UsageError("only TensorFlow trains on several devices", fix=fix)
    _sharing = _of_machines(hosts) if hosts else _of_devices(devices)
    try:
        yield
    finally:
        _sharing = None


def _of_devices(devices: int) -> Sharing:
    import tensorflow as tf

    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if devices > len(found):
        what = f"{devices} devices are asked for, and TensorFlow has {len(found)} ({found[0].device_type})"
        raise UsageError(what, fix="Ask for fewer with --devices")
    return Sharing(tf.distribute.MirroredStrategy([device.name for device in found[:devices]]))


def _of_machines(hosts: Sequence[str]) -> Sharing:
    import tensorflow as tf

    index = own_index(hosts)
    task = {"cluster": {"worker": list(hosts)}, "task": {"type": "worker", "index": index}}
    os.environ["TF_CONFIG"] = json.dumps(task)
    try:
        return Sharing(tf.distribute.MultiWorkerMirroredStrategy(), index)
    except (tf.errors.OpError, RuntimeError) as error:
        raise _unreachable(error) from error


def _unreachable(error: Exception) -> TrainingError:
    said = str(error).strip().splitlines() or [type(error).__name__]
    fix = "See that the same command runs on each of them, and that they reach each other; then give it again"
    return TrainingError(f"the hosts of this training lost each other ({said[0][:200]})", fix=fix)


def count() -> int:
    """How many devices a batch is shared out among."""
    return _sharing.devices if _sharing else 1


def leaves_files() -> bool:
    """Whether what this process trains is kept: not where another machine keeps the same."""
    return _sharing is None or _sharing.index == 0


def scope() -> AbstractContextManager[Any]:
    """Within, networks and optimizers are made for all devices."""
    return _sharing.strategy.scope() if _sharing else nullcontext()


def wait_for_all() -> None:
    """Go on when every machine has come here."""
    if _sharing is not None:
        import tensorflow as tf

        try:
            ones = _sharing.strategy.run(tf.function(lambda: tf.ones(())))
            float(_sharing.strategy.reduce("SUM", ones, axis=None))
        except tf.errors.OpError as error:
            raise _unreachable(error) from error


def train_on_batch(network: Any, images: np.ndarray, targets: np.ndarray) -> float:
    """One step on a batch, its loss before the step.

    Parameters
    ----------
    network : keras.Model
        Compiled with an optimizer and one loss, within `scope`.
    images, targets : (N, ...) ndarray
        The whole batch. Where devices cannot share it evenly, each of them gets all of it: the same step, no faster.

    Raises
    ------
    TrainingError
        When another machine is gone.
    """
    if _sharing is None:
        return float(network.train_on_batch(images, targets))
    import tensorflow as tf

    strategy, size = _sharing.strategy, len(images)
    share = size // _sharing.devices if size % _sharing.devices == 0 else 0

    def own(context: Any) -> tuple[Any, Any]:
        start = context.replica_id_in_sync_group * share
        piece = slice(start, start + share) if share else slice(None)
        return tf.constant(images[piece]), tf.constant(targets[piece])

    try:
        with strategy.scope():
            network.reset_metrics()
            step = _sharing.steps.setdefault(id(network), _step(strategy, network))
            return float(step(strategy.experimental_distribute_values_from_function(own)))
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        raise _unreachable(error) from error


def total(values: Any) -> Any:
    """The sum over all devices of what each has summed up of its share, for a loss that is of the whole batch."""
    if _sharing is None:
        return values
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return values if context is None else context.all_reduce("SUM", values)


def own_part(loss: Any) -> Any:
    """What a device adds to a loss that is one number; Keras parts by itself those that are a number an image."""
    return loss if _sharing is None else loss / _sharing.devices


def _step(strategy: Any, network: Any) -> Callable[..., Any]:
    """Keras' own step on each device; its own way to reduce what they report fails on several machines."""
    import tensorflow as tf

    @tf.function(reduce_retracing=True)
    def step(share: Any) -> Any:
        logs = strategy.run(network.train_step, args=(share,))
        return strategy.reduce("MEAN", logs["loss"], axis=None)

    return step
