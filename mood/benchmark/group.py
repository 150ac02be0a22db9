"""The scans of a region's groups shared out among processes: each scores its scans with every method, on one thread.

What lies between the networks (registration, resampling, counting) keeps no second thread busy.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np

from mood import runtime
from mood.benchmark.baselines import methods_with_weights, on_engines, trained_baseline
from mood.benchmark.cases import Case, lesion_case, planted_cases
from mood.benchmark.foreign import foreign_case
from mood.benchmark.manifest import LESIONS, TRAIN, Entry, chosen
from mood.benchmark.run import Gallery, Keeper, measure
from mood.benchmark.tally import Tally, joined
from mood.engines.threads import limit_threads, thread_count
from mood.methods import BASELINES, Method, load_method
from mood.regions import Region
from mood.synthesis.outliers import ALL_KINDS
from mood.weights.store import default_method, read_folder


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    scans: int  # of each group, at most
    cases: int  # of each kind in a group, at least; a scan has as many of a kind as that takes
    training_scans: int  # for the baselines
    steps: int  # of the autoencoder's training
    resamples: int  # of the bootstrap


class Task(NamedTuple):
    """Some of a scan's cases: every `of`th of them, from one on.

    Attributes
    ----------
    other : Entry
        Of the same group, whose patches are put into the scan; the scan itself where there is no other.
    repeats : int
        Cases of each kind, of the whole scan.
    """

    group: str
    scan: Entry
    other: Entry
    repeats: int
    first: int = 0
    of: int = 1


class Found(NamedTuple):
    """What a task came to: a tally for each row, and slices for the picture of its group."""

    tallies: dict[str, Tally]
    slices: dict[str, dict[str, np.ndarray]]


def tasks_of(group: str, scans: list[Entry], cases: int) -> list[Task]:
    """At least so many cases of each kind in all, half a scan a task; patches come from the scan after it.

    By halves no processor is idle for long, however few scans there are.
    """
    repeats, parts = math.ceil(cases / len(scans)), 1 if group == LESIONS else 2
    pairs = list(zip(scans, scans[1:] + scans[:1], strict=True))
    return [Task(group, scan, other, repeats, part, parts) for scan, other in pairs for part in range(parts)]


class ScanPool:
    """The methods of a region, here and in as many processes as there are processors; a context manager.

    Attributes
    ----------
    methods : dict of Method by row
        Empty when none has weights.
    """

    def __init__(self, region: Region, entries: list[Entry], asked: argparse.Namespace, plan: Plan) -> None:
        self.asked, self.plan = asked, plan
        self._about = region, entries, asked, plan
        self.methods = methods_of(*self._about)
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def tallies(self, group: str, scans: list[Entry]) -> dict[str, Tally]:
        """Score the cases of a group; draw and keep what was asked for."""
        tasks = tasks_of(group, scans, self.plan.cases)
        found = list(self._each(tasks))
        if self.asked.pictures:
            gallery = Gallery(group == LESIONS)
            drawn = [of for task, of in zip(tasks, found, strict=True) if group == LESIONS or task.scan == scans[0]]
            gallery.rows = {title: row for of in drawn for title, row in of.slices.items()}
            gallery.save(self.asked.pictures / f"{self._about[0].name}-{group.replace(' ', '-')}.png")
        return {name: joined([scan.tallies[name] for scan in found]) for name in found[0].tallies}

    def _each(self, tasks: list[Task]) -> Iterator[Found]:
        processes = min(thread_count(), len(tasks))
        if processes == 1:
            return (scored(task, self.methods, self._about[0], self.asked) for task in tasks)
        if self._pool is None:  # spawned, since TensorFlow does not survive a fork
            self._pool = ProcessPoolExecutor(processes, get_context("spawn"), _begin, self._about)
        return self._pool.map(_scored, tasks)


_here: list[tuple[dict[str, Method], Region, argparse.Namespace]] = []  # in a process of the pool, one


def _begin(region: Region, entries: list[Entry], asked: argparse.Namespace, plan: Plan) -> None:
    limit_threads(1)
    _here.append((methods_of(region, entries, asked, plan), region, asked))


def _scored(task: Task) -> Found:
    return scored(task, *_here[0])


def scored(task: Task, methods: dict[str, Method], region: Region, asked: argparse.Namespace) -> Found:
    """Every case of a task by every method."""
    gallery = Gallery(task.group == LESIONS)
    observers: list[Gallery | Keeper] = [gallery] if asked.pictures else []
    if asked.predictions:
        observers.append(Keeper(asked.predictions / region.name))
    tallies = measure(methods, cases_of(task, region, asked.seed), observers, asked.smoothing_mm)
    return Found(tallies, gallery.rows)


def cases_of(task: Task, region: Region, seed: int) -> Iterator[Case]:
    """The cases of a task."""
    return islice(_cases_of_scan(task, region, seed), task.first, None, task.of)


def _cases_of_scan(task: Task, region: Region, seed: int) -> Iterator[Case]:
    """A real lesion; or a scan healthy, with outliers of every kind, and with patches of another one."""
    if task.group == LESIONS:
        yield lesion_case(task.scan, region)
        return
    yield from planted_cases(task.scan, region, list(ALL_KINDS), task.repeats, seed)
    if task.other != task.scan:
        yield from (foreign_case(task.scan, task.other, region, repeat, seed) for repeat in range(task.repeats))


def methods_of(region: Region, entries: list[Entry], asked: argparse.Namespace, plan: Plan) -> dict[str, Method]:
    """The rows of the tables: shipped methods, weights named on the command line, baselines."""
    if set(BASELINES) & set(asked.methods):
        runtime.prepare_training()  # in this process, so that the other methods run on what trains them
    methods = methods_with_weights(region, asked.methods)
    for found in map(read_folder, asked.weights):
        if found.region == region.name:
            methods[found.path.name] = load_method(found)
    methods |= on_engines(default_method(region.name), region, asked.engines)
    training = [entry for entry in entries if entry.region == region.name and entry.use == TRAIN]
    training = chosen(training, plan.training_scans)
    for name in BASELINES:
        if name in asked.methods and training:
            methods[name] = trained_baseline(name, region, training, plan.steps, asked.cache)
    return methods
