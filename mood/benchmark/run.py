"""The loop over cases and methods: every case is scored by every method in memory, counted and let go."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import nibabel as nib
import numpy as np

from mood.benchmark.cases import Case
from mood.benchmark.gallery import save_maps
from mood.benchmark.operating import found_at, operating_threshold
from mood.benchmark.tally import Tally
from mood.conform import ConformedScan
from mood.detector import Detector
from mood.methods import Method
from mood.methods.scoring import smoothed
from mood.regions import Grid
from mood.synthesis.toy import write_sample
from mood.volume import save_map, save_score

Conformed = dict[tuple[Grid, ...], ConformedScan]
Observer = Callable[[Case, str, np.ndarray, float], None]
FIRST = "_0_"  # in the name of a case: the first repeat
SMOOTHED = " smoothed"  # appended to a method's name


def measure(
    methods: dict[str, Method], cases: Iterable[Case], observers: Iterable[Observer] = (), smoothing_mm: float = 0.0
) -> dict[str, Tally]:
    """Score every case with every method.

    A method that does not smooth its maps itself gets a second tally, `NAME smoothed`, with maps that are.

    Parameters
    ----------
    observers : iterable of callable
        Called with each case, the name of the tally, the map on the scan's own voxels and the sample score.
    smoothing_mm : float
        Standard deviation of the Gaussian; 0 leaves the second tallies out.
    """
    tallies: dict[str, Tally] = {}
    observers = list(observers)
    for case in cases:
        conformed: Conformed = {}
        for name, method in methods.items():
            detector, scan = Detector(method), conformed_case(case, method, conformed)
            score_map = detector.grid_map(scan)
            maps = {name: score_map}
            if smoothing_mm and not smooths(method):
                maps[name + SMOOTHED] = smoothed(score_map, smoothing_mm, method.grid.spacing_mm)
            for row, variant in maps.items():
                result = detector.result(scan, variant)
                threshold = operating_threshold(method) if row == name else None  # of maps as they are calibrated
                found = found_at(threshold, case, result.map)
                tallies.setdefault(row, Tally()).add(
                    case.kind, result.map, case.label, result.sample_score, case.name, found
                )
                for observe in observers:
                    observe(case, row, result.map, result.sample_score)
    return tallies


def smooths(method: Method) -> bool:
    """Whether a method's maps come smoothed."""
    return getattr(method.settings, "smoothing_mm", 0.0) > 0


def conformed_case(case: Case, method: Method, conformed: Conformed) -> ConformedScan:
    """The scan on the method's grids; it is conformed once for all methods on the same ones."""
    spacing_mm = tuple(float(mm) for mm in nib.affines.voxel_sizes(case.volume.affine))
    grids = method.grid, *method.further_grids(spacing_mm)
    if grids not in conformed:
        conformed[grids] = Detector(method).conform(case.volume)
    return conformed[grids]


class Gallery:
    """Keeps a slice of each kind of case of the group's first scan, or of each lesion, for a picture of plain rows."""

    def __init__(self, lesions: bool = False) -> None:
        self.lesions = lesions
        self.rows: dict[str, dict[str, np.ndarray]] = {}
        self.scan: Path | None = None

    def __call__(self, case: Case, name: str, score_map: np.ndarray, sample_score: float) -> None:
        self.scan = self.scan or case.volume.path
        shown = self.lesions or (case.volume.path == self.scan and FIRST in case.name)
        if not shown or not case.label.any() or name.endswith(SMOOTHED):
            return
        # Axial in both regions: the view that radiologists know, and slabs show most there.
        level = int(case.label.sum(axis=(0, 1)).argmax())
        title = case.name if self.lesions else case.kind.replace("_", " ")
        images = {"scan": case.volume.data, "label": case.label, name: score_map}
        row = self.rows.setdefault(title, {})
        row.update({key: np.array(image[:, :, level], np.float32) for key, image in images.items()})

    def save(self, path: Path) -> None:
        """Write the picture; nothing when nothing was kept."""
        if self.rows:
            save_maps(self.rows, path)


class Keeper:
    """Writes cases and predictions as files, so that `mood evaluate` can count them again.

    FOLDER/toy and FOLDER/toy_label as in the challenge, predictions in FOLDER/METHOD.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: Case | None = None

    def __call__(self, case: Case, name: str, score_map: np.ndarray, sample_score: float) -> None:
        volume = case.volume
        if case is not self.written:
            write_sample(volume.data, case.label, volume, case.name, self.folder)
            self.written = case
        target = self.folder / name
        target.mkdir(parents=True, exist_ok=True)
        save_map(score_map, volume.header, volume.affine, target / f"{case.name}.nii.gz")
        save_score(sample_score, target / f"{case.name}.nii.gz.txt")
