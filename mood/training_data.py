"""The scans of a training run: conformed once, some kept apart, with synthetic outliers to choose a checkpoint by."""

from __future__ import annotations

import itertools
import logging
from pathlib import Path

import numpy as np

from mood import metrics
from mood.calibration import Calibration, calibrate
from mood.conform import conform
from mood.errors import NoInputError, ScanError, UsageError
from mood.methods import Method
from mood.synthesis.outliers import ALL_KINDS, draw_outlier, plant_outlier
from mood.volume import find_scans, load, scan_name

log = logging.getLogger(__name__)

CASES_A_SCAN = 2  # outliers that a checkpoint is chosen by


def conformed_scans(source: Path, cache: Path, method: Method, fewest: int = 2) -> list[Path]:
    """Every readable scan on the method's grid, as float16 arrays on disk, so that none is read twice.

    Scans that cannot be read are reported and left out; `NoInputError` when fewer than `fewest` remain.
    """
    cache.mkdir(parents=True, exist_ok=True)
    done = []
    for path in find_scans(source):
        kept = cache / f"{scan_name(path)}.npy"
        if not kept.exists():
            try:
                data, _ = conform(load(path), method.region, method.grid)
            except ScanError as error:
                log.warning("left out: %s", error)
                continue
            temporary = kept.with_suffix(".tmp.npy")
            np.save(temporary, np.ascontiguousarray(data, dtype=np.float16))
            temporary.rename(kept)
        done.append(kept)
    if len(done) < fewest:
        fix = f"Give at least {fewest} readable scan(s)"
        raise NoInputError(f"{len(done)} readable scan(s) to train on", where=source, fix=fix)
    return done


def unlabelled_scans(folder: Path, cache: Path, method: Method) -> list[np.ndarray]:
    """Scans that may hold anything, conformed; `UsageError` for a method that has no use for them."""
    if not method.learns_from_unlabelled:
        fix = "Leave out --unlabelled, or choose another method"
        raise UsageError(f"method '{method.name}' learns from healthy scans only", fix=fix)
    return [np.load(path, mmap_mode="r") for path in conformed_scans(folder, cache, method, fewest=1)]


def hold_out(scans: list[Path], held_out: int) -> tuple[list[Path], list[Path]]:
    """Held-out scans, spread evenly over the names (and so over the sites), and the others."""
    count = min(held_out, max(len(scans) - 2, 0))
    chosen = set(np.linspace(0, len(scans) - 1, count + 2).astype(int)[1:-1]) if count else set()
    return [scans[i] for i in sorted(chosen)], [p for i, p in enumerate(scans) if i not in chosen]


def selection_cases(
    held_out: list[Path], seed: int, trained_kinds: tuple[str, ...] = ()
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Two cases of each held-out scan with an outlier each, the kinds in turn that training holds nothing like.

    Returns
    -------
    list of (scan, label) pairs, (X, Y, Z) each
    """
    rng = np.random.default_rng([seed, 1])
    kinds = itertools.cycle(kind for kind in ALL_KINDS if kind not in trained_kinds)
    cases = []
    for path, kind in zip(held_out * CASES_A_SCAN, kinds, strict=False):
        scan = np.load(path).astype(np.float32)
        cases.append(plant_outlier(scan, draw_outlier(kind, scan, rng)))
    return cases


def selection_ap(method: Method, cases: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Pooled pixel average precision on (scan, label) pairs; 0 when there are none."""
    counts = [metrics.count_values(method.score_volume(scan), label) for scan, label in cases]
    return float(metrics.average_precision(sum(counts[1:], counts[0]))) if counts else 0.0


def measure_calibration(method: Method, healthy: list[Path]) -> Calibration:
    """What a method's scores mean, from healthy scans that it was not trained on."""
    scores, tissue = [], []
    for path in healthy:
        scan = np.load(path).astype(np.float32)
        score_map = method.score_volume(scan)
        scores.append(method.raw_sample_score(score_map))
        tissue.append(score_map[scan > 0])
    return calibrate(scores, tissue)
