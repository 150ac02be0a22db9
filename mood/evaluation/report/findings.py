"""What stands out of each scan, for files that are no pages: BIDS derivatives and DICOM objects."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mood.errors import ScanError
from mood.evaluation.places import Place, body_mask, find_places
from mood.evaluation.report.facts import RunFacts, ScanFiles
from mood.evaluation.report.rarity import TOP
from mood.evaluation.report.study import describe, read
from mood.evaluation.report.viewer_files import colour, title
from mood.formats import bids, bids_derivatives, dicom_objects
from mood.formats.bids_derivatives import Derivative
from mood.formats.dicom_geometry import on_frames
from mood.formats.dicom_objects import Frames
from mood.formats.dicom_volume import OpenedSeries
from mood.geometry import usable_affine
from mood.intensities import to_unit_range
from mood.volume import Volume

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Finding:
    """One scan, its map, and the places that stand out of it.

    Attributes
    ----------
    volume : Volume
    score_map : (X, Y, Z) float32 ndarray in [0, 1]
    labels : (X, Y, Z) uint16 ndarray
        The number of each place, 0 outside.
    places : list of Place
    """

    files: ScanFiles
    volume: Volume
    score_map: np.ndarray
    labels: np.ndarray
    places: list[Place]

    def derivative(self, threshold: float) -> Derivative:
        """The same as a BIDS derivative is made from."""
        assert self.files.map_path is not None
        rows = [_row(place) for place in self.places]
        header, affine = self.volume.header, self.volume.affine
        name, score = self.files.name, self.files.score
        return Derivative(name, self.files.map_path, self.labels, rows, score, threshold, header, affine)


def _row(place: Place) -> dict[str, Any]:
    red, green, blue = colour(place.number)
    drawn = f"#{red:02x}{green:02x}{blue:02x}"
    return {"name": title(place), "color": drawn, "volume_ml": place.volume_ml, "peak": place.peak}


def find(files: ScanFiles, facts: RunFacts) -> Finding:
    """Look for what stands out of one map; `ScanError` when it or its scan cannot be read, or there is none."""
    if files.map_path is None:
        raise ScanError("there is no map of this scan", where=files.scan_path, fix="Predict it with its maps")
    volume, score_map, _ = read(files)
    body = body_mask(to_unit_range(volume.data, facts.region))
    labels, places = find_places(score_map, facts.threshold, body, usable_affine(volume.affine))
    places = describe(places, labels, files, facts, volume.affine)
    return Finding(files, volume, score_map, labels, places)


def save_bids(files: Sequence[ScanFiles], facts: RunFacts, source: Path, target: Path) -> int:
    """Write BIDS derivatives of the scans that have a map; those that have none are named in the log.

    Parameters
    ----------
    files : sequence of ScanFiles
    facts : RunFacts
        Of the run that made the maps.
    source : pathlib.Path
        The data set, or the folder of the scans.
    target : pathlib.Path
        Top of the derivatives.

    Returns
    -------
    int
        Of how many scans there are derivatives now.

    Raises
    ------
    OutputError
        When they cannot be written.
    UsageError
        When two scans would have the same, a scan's name is none of BIDS, or the folder is somebody else's.
    """
    bids.check_names([one.name for one in files], source)
    about = ", ".join(f"{name} {value}" for name, value in facts.record.get("about", {}).items())
    bids_derivatives.begin(target, source, about or facts.method)
    written = 0
    for one in files:
        try:
            derivative = find(one, facts).derivative(facts.threshold)
        except ScanError as error:
            log.warning("%s: no derivatives. %s", one.name, error)
            continue
        top = source if source.is_dir() else source.parent
        bids_derivatives.save(target, derivative, one.scan_path.relative_to(top).as_posix())
        written += 1
    bids_derivatives.finish(target)
    return written


def save_dicom(
    files: ScanFiles, facts: RunFacts, opened: OpenedSeries, kinds: Sequence[str], target: Path
) -> list[Path]:
    """Write what stands out of a series as DICOM objects on its images, `NAME_seg.dcm` and `NAME_pm.dcm`.

    Parameters
    ----------
    files : ScanFiles
        Of the volume that the series became.
    facts : RunFacts
        Of the run that made the map.
    opened : OpenedSeries
    kinds : sequence of str
        From `mood.formats.dicom_objects.KINDS`.
    target : pathlib.Path
        Folder to write to.

    Returns
    -------
    list of pathlib.Path

    Raises
    ------
    ScanError
        When there is no map, or it does not lie on the images.
    OutputError
        When the folder cannot be written.
    """
    found = find(files, facts)
    frames = _frames(found, facts, opened)
    paths = [target / f"{files.name}_{kind}.dcm" for kind in kinds]
    for kind, path in zip(kinds, paths, strict=True):
        dicom_objects.save(kind, frames, path)
    return paths


def _frames(found: Finding, facts: RunFacts, opened: OpenedSeries) -> Frames:
    geometry, affine, path = opened.geometry, found.volume.affine, opened.path
    assert geometry is not None
    about = facts.record.get("about", {})
    return Frames(
        sources=dicom_objects.read_sources([opened.series.files[i] for i in geometry.order]),
        map=on_frames(found.score_map, affine, geometry, path),
        labels=on_frames(found.labels, affine, geometry, path),
        titles=[title(place) for place in found.places],
        colours=[colour(place.number) for place in found.places],
        display_range=(facts.threshold, max(facts.scale.value_at(TOP), facts.threshold)),
        method=f"{facts.method} for {facts.region.name} {about.get('weights', '')[:8]}".strip(),
    )
