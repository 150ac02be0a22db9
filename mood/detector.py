"""A trained method and the way of a scan through it: conform -> score -> restore, here and nowhere else.

import mood

detector = mood.load_detector("brain")
for path in paths:
    detector.score(path).save("maps")
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mood import engines, methods, volume
from mood.calibration import UNCALIBRATED, SitePlace
from mood.conform import ConformedScan, place
from mood.images import Image, as_volume
from mood.methods.base import Method
from mood.methods.fit.check import check_fit, fit_grid
from mood.methods.fit.verdict import UNCHECKED, Fit
from mood.methods.result import Result
from mood.methods.strip import ALWAYS, AUTO, BY, strip_skull
from mood.regions import Grid, Region, get_region
from mood.volume import Volume
from mood.weights import store
from mood.weights.store import WeightsFolder

log = logging.getLogger(__name__)


class Examined(NamedTuple):
    """A scan ready to be scored, whether it is fit, and by whom its skull was taken off (empty: not by mood)."""

    scan: ConformedScan
    fit: Fit
    stripped: str


@dataclass(frozen=True, eq=False)
class Detector:
    """A trained method, ready for scans as they come.

    Attributes
    ----------
    method : Method
    weights : WeightsFolder, optional
        Where its weights come from.
    """

    method: Method
    weights: WeightsFolder | None = None

    @property
    def region(self) -> Region:
        """What it takes scans of."""
        return self.method.region

    def score(self, image: Image) -> Result:
        """Score one scan.

        Parameters
        ----------
        image : str, pathlib.Path, nibabel image or Volume
            A skull-stripped T1 of a brain, or an abdominal CT in Hounsfield units, of any shape, voxel size,
            orientation and data type. A path may be that of a DICOM series too: a folder or a zip archive.

        Returns
        -------
        Result
            With the map on the scan's own voxels.

        Raises
        ------
        ScanError
            When it cannot be read, is not 3-D, not finite or constant.
        """
        seen = self.examine(as_volume(image, self.region.modality))
        return self.result(seen.scan, self.grid_map(seen.scan), seen.fit)

    def examine(self, scan: Volume, strip: str = AUTO) -> Examined:
        """A scan on the method's grid, and whether it is what the weights know; the log warns when not.

        For a brain that takes the seconds of a registration, which a method that registers does not repeat.

        Parameters
        ----------
        scan : Volume
        strip : {'auto', 'always', 'never'}
            Whether the skull is taken off first: where it seems to be on, whatever it seems, or not at all.
        """
        conformed, fit = self._looked_at(scan) if strip != ALWAYS else (None, UNCHECKED)
        stripped = strip == ALWAYS or (strip == AUTO and fit.skull_on)
        if stripped:
            log.info("%s: the skull is taken off", scan.path)
            conformed, fit = self._looked_at(strip_skull(scan, self.method.engine))
        if not fit.ok:
            log.warning("%s: not fit to score: %s", scan.path, fit.told)
        assert conformed is not None
        return Examined(conformed, fit, BY if stripped else "")

    def _looked_at(self, scan: Volume) -> tuple[ConformedScan, Fit]:
        grid = fit_grid(self.region)
        conformed = self.conform(scan, grid)
        data = conformed.data if grid == self.method.grid else conformed.further[grid]
        return conformed, check_fit(data, conformed.placement.spacing_mm, self.region)

    def conform(self, scan: Volume, *more: Grid) -> ConformedScan:
        """A scan on the method's grid, on others where the method makes use of them, and on those asked for."""
        placed = place(scan, self.method.region, self.method.grid)
        data, placement = placed.on(self.method.grid)
        grids = {*self.method.further_grids(placement.spacing_mm), *more} - {self.method.grid}
        further = {grid: placed.on(grid)[0] for grid in grids}
        return ConformedScan(data, placement, scan.header, scan.affine, volume.scan_name(scan.path), further)

    def grid_map(self, scan: ConformedScan) -> np.ndarray:
        """The map on the method's grid, (X, Y, Z) float32 ndarray in [0, 1]."""
        return self.method.score_scan(scan)

    def result(self, scan: ConformedScan, grid_map: np.ndarray, fit: Fit = UNCHECKED) -> Result:
        """What a map on the grid comes to on the scan's own voxels."""
        known, raw = self.method.calibration, self.method.raw_sample_score(grid_map)
        score = known.share_below(raw) if known else raw
        shown = known.display_range if known else (0.0, float(grid_map.max()) or 1.0)
        place = SitePlace.of(known, raw)
        return Result(scan.placement.restore(grid_map), score, scan.name, scan.affine, scan.header, shown, fit, place)

    def about(self) -> dict[str, Any]:
        """What a record of a run says of the weights."""
        known = self.method.calibration
        about = {
            "method": self.method.name,
            "region": self.region.name,
            "scores": known.told if known else UNCALIBRATED,
        }
        return about if self.weights is None else about | {"weights": self.weights.sha256}

    def __repr__(self) -> str:
        method, engine = self.method, self.method.engine
        return f"Detector({method.name} for {method.region.name}, {engine.precision} on {engine.name})"


def load_detector(
    region: str,
    method: str | None = None,
    weights: str | Path | None = None,
    engine: str = engines.AUTO,
    precision: str = engines.EXACT,
) -> Detector:
    """A trained detector for one region of the body.

    Parameters
    ----------
    region : str
        `brain` or `abdom`.
    method : str, optional
        A name that `mood info` lists; by default the one that measures best.
    weights : str or pathlib.Path, optional
        A folder that `mood train` wrote; by default weights in `restore_dir`, or those that come with the package.
    engine : str
        What runs the networks: `auto`, `keras` or `openvino`.
    precision : str
        `float32`, or `int8`, which is faster, less exact, and needs graphs that `mood quantise` made.

    Returns
    -------
    Detector
        Ready for scans of that region.

    Raises
    ------
    UsageError
        When a name is unknown, or what it names is not installed.
    WeightsError
        When there are no weights, or they are damaged or for something else.

    Examples
    --------
    >>> load_detector("brain", method="mix", engine="keras")
    Detector(mix for brain, float32 on keras)
    """
    where, folder = get_region(region).name, None if weights is None else Path(weights)
    chosen = methods.known(method or store.default_method(where, folder))
    running = engines.choose(engine, precision)
    found = store.find_weights(chosen, where, folder, methods.MEMBERS.get(chosen, ()))
    detector = Detector(methods.load_method(found, running), found)
    log.info("weights of %s for %s: %s, SHA-256 %s", chosen, where, found.path, found.sha256)
    return detector


def score(
    image: Image,
    region: str = "brain",
    method: str | None = None,
    weights: str | Path | None = None,
    engine: str = engines.AUTO,
    precision: str = engines.EXACT,
) -> Result:
    """Score one scan; for many, `load_detector` once and let it score each of them.

    Parameters
    ----------
    image : str, pathlib.Path, nibabel image or Volume
        As for `Detector.score`; so are the errors.
    region : str
        `brain` or `abdom`.
    method : str, optional
        As for `load_detector`; so are the errors.
    weights : str or pathlib.Path, optional
        As for `load_detector`.
    engine : str
        As for `load_detector`.
    precision : str
        As for `load_detector`.

    Returns
    -------
    Result
        With the map on the scan's own voxels.

    Examples
    --------
    >>> import nibabel as nib
    >>> import numpy as np
    >>> voxels = np.random.default_rng(0).uniform(0.2, 1.0, (24, 20, 16))
    >>> result = score(nib.Nifti1Image(np.pad(voxels, 4), np.diag([6.0, 6.0, 6.0, 1.0])), region="brain")
    >>> result.map.shape
    (32, 28, 24)
    >>> 0 <= result.sample_score <= 1
    True
    """
    scan = as_volume(image, get_region(region).modality)  # before anything that takes longer to fail
    return load_detector(region, method, weights, engine, precision).score(scan)
