"""One scan looked at: its places, what its page shows, and its files for other viewers."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

from mood.errors import ScanError
from mood.evaluation.agreement import agreeing
from mood.evaluation.anatomy import named
from mood.evaluation.label_files import read_label_map
from mood.evaluation.metrics import average_precision, count_values
from mood.evaluation.places import Place, body_mask, count_places, find_places
from mood.evaluation.report.checks import scan_checks
from mood.evaluation.report.display import Display, make_display, pack
from mood.evaluation.report.facts import Agreement, RunFacts, ScanFiles, ScanSummary
from mood.evaluation.report.mean_map import on_template
from mood.evaluation.report.pictures import data_address, mosaic, thumbnail
from mood.evaluation.report.rarity import STEPS
from mood.evaluation.report.viewer_files import save_viewer_files
from mood.geometry import usable_affine
from mood.intensities import to_unit_range
from mood.volume import Volume, load, read_array

log = logging.getLogger(__name__)

MOST_PLACES = 200  # in a page's table; regions.csv has them all
CURVE_POINTS = 60
NO_MAP = "There is no map of this scan among the predictions."


@dataclass(frozen=True)
class Study:
    """A summary to keep, and what only the scan's own page holds.

    Attributes
    ----------
    volumes : dict of str to str
        Gzipped NIfTI in base64, by what they are.
    mosaic : str
        A picture as data address.
    points_mm : list of three floats
        The peak of each place.
    """

    summary: ScanSummary
    volumes: dict[str, str]
    mosaic: str
    points_mm: list[list[float]]
    rarest_mm: list[float]  # the rarest voxel, which need not be in a place
    slices_mm: list[float]  # first and last axial slice of the profile
    on_template: np.ndarray | None = None  # which of its voxels belong to a place, where the scan lies on it


def problem(files: ScanFiles, what: str) -> ScanSummary:
    """A scan that has no page, and why."""
    return ScanSummary(files.name, problem=what, score=files.score)


def study(files: ScanFiles, facts: RunFacts, page: str, target: Path) -> Study | ScanSummary:
    """Look at one scan and write its files for other viewers to `target`; only a summary where there is a problem."""
    if files.map_path is None:
        return problem(files, files.row.get("message") or NO_MAP)
    try:
        volume, score_map, truth = read(files)
        return _study(files, facts, page, target, volume, score_map, truth)
    except ScanError as error:
        log.warning("%s: %s", files.name, error)
        return problem(files, f"{error.what[0].upper()}{error.what[1:]}. {error.fix}.")


def read(files: ScanFiles) -> tuple[Volume, np.ndarray, np.ndarray | None]:
    """A scan with its map and its label, where there is one; `ScanError` when they do not fit."""
    volume = load(files.scan_path)
    assert files.map_path is not None
    score_map = np.clip(np.nan_to_num(read_array(files.map_path)[0], nan=0.0), 0.0, 1.0)
    if score_map.shape != volume.data.shape:
        what = f"the map has shape {score_map.shape}, its scan {volume.data.shape}"
        raise ScanError(what, where=files.map_path, fix="Predict this scan again")
    return volume, score_map, _read_truth(files, volume)


def _read_truth(files: ScanFiles, volume: Volume) -> np.ndarray | None:
    if files.label_path is None:
        return None
    truth = read_label_map(files.label_path)
    if truth.shape != volume.data.shape:
        log.warning("%s: its label is left out, for it has shape %s", files.name, truth.shape)
        return None
    return truth


@dataclass(frozen=True)
class _Looked:
    """What was made of one scan and its map, on the scan's own voxels, and the display of it."""

    body: np.ndarray
    labels: np.ndarray
    places: list[Place]
    decades: np.ndarray
    affine: np.ndarray
    display: Display

    @property
    def points_mm(self) -> list[list[float]]:
        """The peak of each place."""
        peaks = (nib.affines.apply_affine(self.affine, place.peak_voxel) for place in self.places)
        return [[float(mm) for mm in peak] for peak in peaks]


def describe(
    places: list[Place], labels: np.ndarray, files: ScanFiles, facts: RunFacts, affine: np.ndarray
) -> list[Place]:
    """Places with their names and what each member finds of them, where the run kept what that takes."""
    assert files.map_path is not None
    found = named(places, labels, facts.to_mni(files.name))
    return agreeing(found, labels, usable_affine(affine), files.map_path)


def _look(
    files: ScanFiles, volume: Volume, score_map: np.ndarray, truth: np.ndarray | None, facts: RunFacts
) -> _Looked:
    affine = usable_affine(volume.affine)
    unit = to_unit_range(volume.data, facts.region)
    body = body_mask(unit)
    labels, places = find_places(score_map, facts.threshold, body, affine)
    places = describe(places, labels, files, facts, affine)
    decades = facts.scale.decades(score_map)
    return _Looked(body, labels, places, decades, affine, make_display(unit, decades, labels, truth, body, affine))


def preview(files: ScanFiles, facts: RunFacts) -> Image.Image | ScanSummary:
    """The picture of one scan: three planes through its largest places; a summary where there is a problem."""
    if files.map_path is None:
        return problem(files, NO_MAP)
    try:
        found = _look(files, *read(files), facts)
    except ScanError as error:
        return problem(files, str(error))
    return mosaic(found.display, found.points_mm, facts.threshold_decades)


def _study(
    files: ScanFiles,
    facts: RunFacts,
    page: str,
    target: Path,
    volume: Volume,
    score_map: np.ndarray,
    truth: np.ndarray | None,
) -> Study:
    found = _look(files, volume, score_map, truth, facts)
    display, limit = found.display, facts.threshold_decades
    save_viewer_files(target, files.name, found.labels, found.places, volume.header, volume.affine)
    summary = ScanSummary(
        name=files.name,
        page=page,
        score=files.score,
        places=found.places,
        peak_decades=[float(found.decades[place.peak_voxel]) for place in found.places],
        counts=_counts(score_map, found.body, found.affine, facts),
        profile=[round(float(value), 3) for value in display.decades.max(axis=(0, 1))],
        checks=scan_checks(files, facts, nib.affines.voxel_sizes(found.affine), not score_map.any()),
        agreement=None if truth is None else _agreement(score_map, truth, found.labels),
        thumbnail=data_address(thumbnail(display, limit)),
    )
    to_mni = facts.to_mni(files.name)
    return Study(
        summary,
        pack(display),
        data_address(mosaic(display, found.points_mm, limit)),
        found.points_mm[:MOST_PLACES],
        _rarest_mm(display),
        _axial_range_mm(display),
        None if to_mni is None else on_template(found.labels > 0, to_mni),
    )


def _counts(score_map: np.ndarray, body: np.ndarray, affine: np.ndarray, facts: RunFacts) -> list[int]:
    voxel_ml = abs(float(np.linalg.det(affine[:3, :3]))) / 1000
    return [count_places(score_map, facts.scale.value_at(step), body, voxel_ml) for step in STEPS]


def _axial_range_mm(display: Display) -> list[float]:
    ends = [display.affine @ [*(n // 2 for n in display.scan.shape[:2]), k, 1] for k in (0, display.scan.shape[2] - 1)]
    return [float(end[2]) for end in ends]


def _rarest_mm(display: Display) -> list[float]:
    voxel = np.unravel_index(int(display.decades.argmax()), display.decades.shape)
    return [float(mm) for mm in nib.affines.apply_affine(display.affine, voxel)]


def _agreement(score_map: np.ndarray, truth: np.ndarray, labels: np.ndarray) -> Agreement:
    counts = count_values(score_map, truth).occurring()
    hits = np.cumsum(counts.positives[::-1])
    called = hits + np.cumsum(counts.negatives[::-1])
    if not hits[-1]:
        return Agreement(float("nan"), float("nan"), (), ())
    found = labels > 0
    dice = 2 * float((found & truth).sum()) / float(found.sum() + truth.sum())
    kept = np.unique(np.searchsorted(hits / hits[-1], np.linspace(0, 1, CURVE_POINTS)).clip(0, len(hits) - 1))
    recalls, precisions = hits[kept] / hits[-1], hits[kept] / called[kept]
    return Agreement(float(average_precision(counts)), dice, recalls.round(4).tolist(), precisions.round(4).tolist())
