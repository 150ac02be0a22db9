"""What the self-supervised tasks make of a scan, to look at before training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.random import Generator

from mood.errors import NoInputError, ScanError
from mood.methods.slices import fit_shape
from mood.regions import Region
from mood.synthesis.native import NativeScan, native_scan
from mood.synthesis.tasks import Task, alter, draw_place
from mood.volume import load

TRIES = 20  # some places change too little to be seen
SLICED_ALONG = 2


def task_rows(
    paths: Sequence[Path], region: Region, tasks: Sequence[type[Task]], rng: Generator
) -> dict[str, dict[str, np.ndarray]]:
    """For each task the slice of a scan where it alters most: `scan`, `altered` and `label`, (X, Y) each.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        Healthy scans; the first is altered, the second gives foreign tissue.

    Raises
    ------
    NoInputError
        When there are fewer than two.
    ScanError
        When one of the two cannot be read or is empty.
    """
    if len(paths) < 2:
        raise NoInputError("there is only one scan", where=paths[0], fix="Give two healthy scans: one lends tissue")
    host, other = (native_scan(load(path), region) for path in paths[:2])
    if not host.data.any():
        raise ScanError("the scan is empty", where=paths[0], fix="Take another one as the first")
    foreign = fit_shape(other.data, host.data.shape)
    return {task.name: _row(host, foreign, task, rng) for task in tasks}


def _row(host: NativeScan, foreign: np.ndarray, task: type[Task], rng: Generator) -> dict[str, np.ndarray]:
    for _ in range(TRIES):
        place = draw_place(host.data, rng, task.irregular, host.spacing_mm)
        content, label = alter(host.data, foreign, place, task.draw(rng))
        if label.any():
            break
    index = int(label.sum(axis=(0, 1)).argmax())
    at, inside = place.box[SLICED_ALONG].start + index, place.box[:SLICED_ALONG]
    scan = host.data[:, :, at]
    altered, whole = scan.copy(), np.zeros_like(scan)
    altered[inside], whole[inside] = content[:, :, index], label[:, :, index]
    return {"scan": scan, "altered": altered, "label": whole}
