"""When ASC-Net's training ends: Iro's histogram has split into distinct peaks and stays so.

The original asks a person after every round. Here a check after every round looks for normal and anomalous
peaks (`mood.methods.ascnet.grey_levels`). Once the same peaks were found several times in a row, stage 1 gives way
to stage 2 and stage 2 to the end. A cap on the rounds of each stage ends what does not converge.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from mood.errors import TrainingError
from mood.methods.ascnet import grey_levels
from mood.methods.ascnet.grey_levels import Histogram, Levels
from mood.typed import Count, Positive

log = logging.getLogger(__name__)

COLLAPSED_CHECKS = 8  # in a row, after which training is given up


@dataclass
class Rounds:
    """Where a training stands: stage 1, 2, or 3 when it has ended."""

    stable_checks: Positive
    most_rounds: Positive  # of a stage
    last_stage: Annotated[int, Meta(ge=1, le=2)] = 2
    stage: Annotated[int, Meta(ge=1, le=3)] = 1
    done: Count = 0  # rounds of this stage
    stable: Count = 0  # checks in a row that found the same peaks
    flat: Count = 0  # checks in a row that found one grey level
    levels: Levels | None = None

    @property
    def finished(self) -> bool:
        return self.stage > self.last_stage

    def check(self, histogram: Histogram) -> Levels:
        """Count a round and its histogram; moves on to the next stage when the rule says so.

        Raises
        ------
        TrainingError
            When Iro has collapsed, or the last stage reached its cap without distinct peaks.
        """
        found = grey_levels.find_levels(histogram)
        same = self.levels is not None and grey_levels.agree(self.levels, found, histogram.high - histogram.low)
        self.stable = self.stable + 1 if same else int(found.split)
        self.flat = self.flat + 1 if grey_levels.collapsed(histogram) else 0
        self.levels, self.done = found, self.done + 1
        kinds = ", ".join(f"{p:.2f}{'!' if k else ''}" for p, k in zip(found.peaks, found.kinds, strict=True))
        log.info("stage %d, round %d: Iro peaks at %s", self.stage, self.done, kinds if found.split else "no split")
        self._give_up()
        if self.stable >= self.stable_checks or self.done >= self.most_rounds:
            self.stage, self.done, self.stable = self.stage + 1, 0, 0
        return found

    def _give_up(self) -> None:
        fix = "The last good checkpoint is kept; try more rounds, another learning_rate or a larger width"
        if self.flat >= COLLAPSED_CHECKS:
            raise TrainingError(f"Iro was one grey level in {self.flat} checks in a row: it has collapsed", fix=fix)
        split = self.levels is not None and self.levels.split
        if self.stage == self.last_stage and self.done >= self.most_rounds and not split:
            what = f"Iro's histogram has no distinct peaks after {self.done} rounds of stage {self.stage}"
            raise TrainingError(what, fix=fix)
