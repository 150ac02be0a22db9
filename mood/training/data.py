"""The scans of a training run: prepared once, some kept apart, with synthetic outliers to choose a checkpoint by."""

from __future__ import annotations

import itertools
import logging
import zipfile
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from mood.atomic import check_writable, remove_stale, replacing
from mood.calibration import Calibration, calibrate
from mood.conform import ConformedScan
from mood.detector import Detector
from mood.errors import LOWER_RATE, NoInputError, ScanError, TrainingError, UsageError
from mood.evaluation import metrics
from mood.intensities import to_unit_range
from mood.methods import Method
from mood.synthesis.native import NativeScan, StoredScans, native_scan
from mood.synthesis.outliers import ALL_KINDS, draw_outlier, plant_outlier
from mood.volume import Volume, find_scans, load, scan_name

log = logging.getLogger(__name__)

CASES_PER_SCAN = 2  # outliers that a checkpoint is chosen by


def prepared_scans(source: Path, cache: Path, method: Method, fewest: int = 2) -> list[Path]:
    """Every readable scan in the form that the method trains on, on disk, so that none is read twice.

    As float16: arrays on the method's grid (.npy), or native scans (.npz). Scans that cannot be read are
    reported and left out; `NoInputError` when fewer than `fewest` remain.
    """
    check_writable(cache)
    remove_stale(cache)
    suffix = ".npz" if method.trains_on_native else ".npy"
    done = []
    for path in find_scans(source):
        kept = cache / f"{scan_name(path)}{suffix}"
        if not _is_whole(kept):
            try:
                with replacing(kept) as temporary:
                    _prepare(load(path), method, temporary)
            except ScanError as error:
                log.warning("left out: %s", error)
                continue
        done.append(kept)
    if len(done) < fewest:
        fix = f"Give at least {fewest} readable scan(s)"
        raise NoInputError(f"{len(done)} readable scan(s) to train on", where=source, fix=fix)
    return done


def _prepare(volume: Volume, method: Method, target: Path) -> None:
    if method.trains_on_native:
        native_scan(volume, method.region).save(target)
    else:
        data = Detector(method).conform(volume).data
        np.save(target, np.ascontiguousarray(data, dtype=np.float16))


def _is_whole(prepared: Path) -> bool:
    """Whether a prepared scan is there and can be read; one that is damaged is said."""
    if not prepared.exists():
        return False
    try:
        data = NativeScan.load(prepared).data if prepared.suffix == ".npz" else np.load(prepared)
        return bool(np.isfinite(data).all())
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        log.warning("%s is damaged (%s) and is made again", prepared, error)
        return False


def discard_prepared(cache: Path, keep: Collection[str]) -> None:
    """Remove prepared scans, but those of the names in `keep`."""
    for path in cache.glob("*.np[yz]"):
        if path.stem not in keep:
            path.unlink()


def stored_scans(prepared: list[Path], method: Method) -> Sequence[Any]:
    """Prepared scans as `Method.train_epoch` takes them; they stay on disk."""
    if method.trains_on_native:
        return StoredScans(prepared)
    return [np.load(path, mmap_mode="r") for path in prepared]


def unlabelled_scans(folder: Path, cache: Path, method: Method) -> Sequence[Any]:
    """Scans that may hold anything, prepared; `UsageError` for a method that has no use for them."""
    if not method.learns_from_unlabelled:
        fix = "Leave out --unlabelled, or choose another method"
        raise UsageError(f"method '{method.name}' learns from healthy scans only", fix=fix)
    return stored_scans(prepared_scans(folder, cache, method, fewest=1), method)


def hold_out(scans: list[Path], held_out: int) -> tuple[list[Path], list[Path]]:
    """Held-out scans, spread evenly over the names (and so over the sites), and the others."""
    count = min(held_out, max(len(scans) - 2, 0))
    chosen = set(np.linspace(0, len(scans) - 1, count + 2).astype(int)[1:-1]) if count else set()
    return [scans[i] for i in sorted(chosen)], [p for i, p in enumerate(scans) if i not in chosen]


@dataclass(frozen=True, eq=False)
class SelectionCase:
    """An outlier planted into a scan's own voxels.

    Attributes
    ----------
    scan : ConformedScan
    label : (X', Y', Z') uint8 ndarray
        On the scan's own voxels.
    """

    scan: ConformedScan
    label: np.ndarray


def selection_cases(held_out: list[Path], method: Method, seed: int) -> list[SelectionCase]:
    """Two cases of each held-out scan with an outlier each, the kinds in turn that training holds nothing like."""
    rng = np.random.default_rng([seed, 1])
    kinds = itertools.cycle(kind for kind in ALL_KINDS if kind not in method.trained_kinds)
    cases = zip(held_out * CASES_PER_SCAN, kinds, strict=False)
    return [_planted(load(path), kind, method, rng) for path, kind in cases]


def _planted(volume: Volume, kind: str, method: Method, rng: np.random.Generator) -> SelectionCase:
    data = to_unit_range(volume.data, method.region)
    x_mm, y_mm, z_mm = (float(mm) for mm in nib.affines.voxel_sizes(volume.affine))
    planted, label = plant_outlier(data, draw_outlier(kind, data, rng, spacing_mm=(x_mm, y_mm, z_mm)))
    return SelectionCase(Detector(method).conform(replace(volume, data=planted)), label)


def selection_ap(method: Method, cases: list[SelectionCase]) -> float:
    """Pooled pixel average precision; 0 when there are no cases. `TrainingError` when a map is not finite."""
    maps = (case.scan.placement.restore(_finite_map(method, case)) for case in cases)
    counts = [metrics.count_values(score_map, case.label) for score_map, case in zip(maps, cases, strict=True)]
    return float(metrics.average_precision(sum(counts[1:], counts[0]))) if counts else 0.0


def _finite_map(method: Method, case: SelectionCase) -> np.ndarray:
    score_map = Detector(method).grid_map(case.scan)
    if not np.isfinite(score_map).all():
        raise TrainingError("training diverged: maps of held-out scans are not finite", fix=LOWER_RATE)
    return score_map


def measure_calibration(method: Method, healthy: list[Path]) -> Calibration:
    """What a method's scores mean, from healthy scans that it was not trained on."""
    detector, scores, tissue = Detector(method), [], []
    for path in healthy:
        scan = detector.conform(load(path))
        score_map = detector.grid_map(scan)
        scores.append(method.raw_sample_score(score_map))
        tissue.append(score_map[scan.data > 0])
    return calibrate(scores, tissue)
