"""Training for a given time instead of a given number of steps: how fast the machine is need not be known before.

Everything that changes during a training is a function of the share of the time that has passed. The learning rate
ends near 0, which does what an average of weights would, and leaves the running statistics those of the last weights.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mood.evaluation.metrics import average_precision, count_values, stack_cases
from mood.methods.mix.prefetch import prefetched
from mood.weights.arrays import halve_matrices

log = logging.getLogger(__name__)

WARM_UP = 0.04  # share of the time in which the learning rate rises
LOWEST_RATE = 0.002  # of the learning rate, at the end
SECONDS_BETWEEN_LINES = 20.0
SECONDS_BETWEEN_SAVES = 60.0
STATE, STATE_ARRAYS = "timed.json", "timed.weights.h5"


@dataclass
class TimedRun:
    """One training on the clock.

    Attributes
    ----------
    name : str
        What the files and lines are called.
    network : keras.Model
        Compiled.
    draw : callable
        From the share of the time that has passed to the parameters of a batch; in a thread of its own.
    images : callable
        From these to images and labels.
    check : list of parameters
        Of scans that are not trained on.
    seconds : float
        Of training in all, those of earlier calls with the same `state` folder included.
    out, state : pathlib.Path
        Where the weights go, and what a later call goes on from.
    labelled : float
        Label from which a voxel of the check counts as altered.
    operations : float
        Floating-point operations of a step, for the log.
    """

    name: str
    network: keras.Model
    draw: Callable[[float], Any]
    images: Callable[[Any], tuple[Any, Any]]
    check: list[Any]
    seconds: float
    out: Path
    state: Path
    learning_rate: float
    labelled: float = 0.25
    operations: float = 0.0
    passed: float = 0.0
    steps: int = 0
    losses: list[float] = field(default_factory=list)
    curve: list[dict[str, Any]] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Of the time that has passed."""
        return min(1.0, self.passed / self.seconds)

    def go(self, latest: float = float("inf")) -> dict[str, Any]:
        """Train until the time is over, or `time.monotonic()` reaches `latest` less what the end takes.

        Returns
        -------
        dict
            Steps, seconds and what was measured at the end; the same at each point of the `curve`.
        """
        self._resume()
        batches = prefetched(self._batches())
        self.step(next(batches))  # compiles
        self._measure()
        self.seconds = min(self.seconds, max(1.0, self.passed + latest - time.monotonic()))
        begun = last_line = last_save = time.monotonic()
        before, steps_then = self.passed, self.steps
        try:
            while self.share < 1.0:
                self.step(next(batches))
                now = time.monotonic()
                self.passed = before + now - begun
                if now - last_line > SECONDS_BETWEEN_LINES:
                    self._say((self.steps - steps_then) / (now - last_line))
                    last_line, steps_then = now, self.steps
                if now - last_save > SECONDS_BETWEEN_SAVES:
                    self.save()
                    self._measure()
                    last_save = time.monotonic()
        finally:
            batches.close()  # type: ignore[attr-defined]
        self.save()
        return self._measure() | {"curve": self.curve}

    def _measure(self) -> dict[str, Any]:
        """A point of the learning curve."""
        facts = {"steps": self.steps, "seconds": round(self.passed, 1), "loss": round(self.recent_loss, 5)}
        self.curve.append(facts | self.measured())
        log.info("%s: %s", self.name, self.curve[-1])
        return dict(self.curve[-1])

    def step(self, batch: Any) -> None:
        """One step at the learning rate of now."""
        self.network.optimizer.learning_rate = self.rate()
        self.losses.append(float(self.network.train_on_batch(*self.images(batch))))
        self.steps += 1

    def rate(self) -> float:
        """The learning rate: a short rise, then half a cosine."""
        rise = min(1.0, (self.share + 1e-3) / WARM_UP)
        fall = LOWEST_RATE + (1 - LOWEST_RATE) * (0.5 + 0.5 * np.cos(np.pi * self.share))
        return float(self.learning_rate * rise * fall)

    @property
    def recent_loss(self) -> float:
        return float(np.mean(self.losses[-100:]))

    def measured(self) -> dict[str, float]:
        """Average precision over the voxels of the check batches, and the share of them that is altered."""
        pairs = [self._estimated(batch) for batch in self.check]
        estimates, labels = (np.concatenate([pair[i] for pair in pairs]) for i in (0, 1))
        altered = labels > self.labelled
        if not altered.any():
            return {}
        ap = average_precision(stack_cases([count_values(estimates, altered)]))[0]
        return {"check_ap": round(float(ap), 4), "chance": round(float(altered.mean()), 5)}

    def _estimated(self, batch: Any) -> tuple[np.ndarray, np.ndarray]:
        """Estimates and labels of a batch, flat."""
        images, labels = self.images(batch)
        estimate = keras.ops.convert_to_numpy(self.network.predict_on_batch(images))
        return estimate.astype(np.float32).ravel(), keras.ops.convert_to_numpy(labels).ravel()

    def save(self) -> None:
        """Write the weights as they are to `out`, and the state."""
        self.state.mkdir(parents=True, exist_ok=True)
        full = self.state / f"{self.name}.weights.h5"
        keras.Model(self.network.inputs, self.network.outputs).save_weights(full)
        halve_matrices(full, self.out / full.name)
        self.network.save_weights(self.state / f"{self.name}-{STATE_ARRAYS}")
        about = {"passed": self.passed, "steps": self.steps}
        (self.state / f"{self.name}-{STATE}").write_text(json.dumps(about), encoding="utf-8")

    def _resume(self) -> None:
        path = self.state / f"{self.name}-{STATE}"
        if path.exists():
            about = json.loads(path.read_text(encoding="utf-8"))
            self.passed, self.steps = about["passed"], about["steps"]
            self.network.load_weights(self.state / f"{self.name}-{STATE_ARRAYS}")
            log.info("%s: goes on after %.0f s, %d steps", self.name, self.passed, self.steps)

    def _batches(self) -> Iterator[Any]:
        while True:
            yield self.draw(self.share)

    def _say(self, rate: float) -> None:
        log.info(
            "%s: %4.0f of %.0f s, step %d, loss %.4f, rate %.1e, %.2f steps/s, %.1f TFLOP/s",
            self.name, self.passed, self.seconds, self.steps, self.recent_loss, self.rate(), rate,
            rate * self.operations / 1e12,
        )  # fmt: skip
