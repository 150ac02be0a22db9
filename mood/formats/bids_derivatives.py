"""BIDS derivatives: maps, masks and numbered places under the names that the standard has for them.

    OUT/dataset_description.json, .bidsignore, scores.tsv
    OUT/sub-01/[ses-a/]anat/sub-01_[ses-a_]desc-mood_{probseg,mask,dseg}.nii.gz, each with .json; dseg with .tsv

What the standard has no name for is listed in `.bidsignore`.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from mood.atomic import check_writable, replacing, write_text
from mood.errors import UsageError
from mood.formats.bids import DESCRIPTION, parse
from mood.formats.label_volumes import save_labels
from mood.installation import __version__

VERSION = "1.10.0"  # of the standard
DESC = "desc-mood"
TABLE, IGNORED = "scores.tsv", ".bidsignore"
FLAT = "mood"  # folder of maps under the names of their scans, where it lies among the derivatives
SCORE = "SampleScore"  # in the map's description
PLACE_COLUMNS = {
    "name": "Where in the body's extent, and how large",
    "color": "The colour that the place is drawn in",
    "volume_ml": "Volume in millilitres",
    "peak": "Highest value of the map in the place",
}


@dataclass(frozen=True)
class Derivative:
    """What was made of one scan.

    Attributes
    ----------
    name : str
        Of the scan, without `.nii.gz`.
    map_path : pathlib.Path
        Its map, as it was written.
    labels : (X, Y, Z) uint16 ndarray
        The number of each place, 0 outside.
    places : sequence of dict of str to object
        `PLACE_COLUMNS` of each place, in the order of their numbers.
    sample_score : float or None
    threshold : float
        The map value from which a voxel belongs to a place.
    header, affine
        Of the scan.
    """

    name: str
    map_path: Path
    labels: np.ndarray
    places: Sequence[Mapping[str, Any]]
    sample_score: float | None
    threshold: float
    header: nib.Nifti1Header
    affine: np.ndarray


def begin(folder: Path, source: Path, about: str) -> None:
    """Make a derivative data set, or go on with one of ours.

    Parameters
    ----------
    folder : pathlib.Path
    source : pathlib.Path
        The data set that it derives from.
    about : str
        What made it: method, region and weights.

    Raises
    ------
    UsageError
        When the folder is a data set of somebody else's.
    OutputError
        When it cannot be written.
    """
    _check_ours(folder)
    check_writable(folder)
    address = source.resolve().as_uri()
    description = {
        "Name": "Out-of-distribution maps by mood",
        "BIDSVersion": VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "mood", "Version": __version__, "Description": about}],
        "SourceDatasets": [{"URL": address}],
        "DatasetLinks": {"source": address},
    }
    _write_json(folder / DESCRIPTION, description)
    write_text(folder / IGNORED, f"{TABLE}\n{FLAT}\n")


def _check_ours(folder: Path) -> None:
    path = folder / DESCRIPTION
    if not path.exists():
        return
    try:
        makers = [maker["Name"] for maker in json.loads(path.read_text(encoding="utf-8"))["GeneratedBy"]]
    except (OSError, ValueError, KeyError, TypeError):
        makers = []
    if "mood" not in makers:
        fix = "Name a folder of its own, such as derivatives/mood"
        raise UsageError("the folder is a BIDS data set of something else", where=folder, fix=fix)


def save(folder: Path, one: Derivative, scan: str) -> list[Path]:
    """Write what was made of one scan.

    Parameters
    ----------
    folder : pathlib.Path
        What `begin` made.
    one : Derivative
    scan : str
        The scan's file from the top of its data set, such as `sub-01/anat/sub-01_T1w.nii.gz`.

    Returns
    -------
    list of pathlib.Path
        The three images.

    Raises
    ------
    UsageError
        When the scan's name is none of BIDS.
    OutputError
        When the folder cannot be written.
    """
    name = parse(one.name)
    place = folder / name.folder
    check_writable(place)
    stem = f"{name.entities}_{DESC}"
    images = {kind: place / f"{stem}_{kind}.nii.gz" for kind in ("probseg", "mask", "dseg")}
    with replacing(images["probseg"]) as temporary:
        shutil.copyfile(one.map_path, temporary)
    save_labels(images["mask"], (one.labels > 0).astype(np.uint8), 1, one.header, one.affine)
    save_labels(images["dseg"], one.labels, max(len(one.places), 1), one.header, one.affine)
    write_text(place / f"{stem}_dseg.tsv", _table(("index", *PLACE_COLUMNS), _numbered(one.places)))
    for kind, facts in _sidecars(one).items():
        _write_json(place / f"{stem}_{kind}.json", facts | {"Sources": [f"bids:source:{scan}"]})
    return list(images.values())


def _sidecars(one: Derivative) -> dict[str, dict[str, Any]]:
    meaning = "How abnormal each voxel is, from 0 to 1, higher is more abnormal; an order, no probability of a disease."
    places = f"Connected places where the map reaches {one.threshold:.6g}"
    columns = {column: {"Description": text} for column, text in PLACE_COLUMNS.items() if column != "name"}
    return {
        "probseg": {"Description": meaning, SCORE: one.sample_score},
        "mask": {"Description": f"{places}.", "Type": "ROI", "Threshold": one.threshold},
        "dseg": {"Description": f"{places}, the largest first.", "Manual": False} | columns,
    }


def _numbered(places: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    return [[number, *(place[column] for column in PLACE_COLUMNS)] for number, place in enumerate(places, 1)]


def finish(folder: Path) -> Path:
    """Write `scores.tsv`: a row a scan that has a map here, by whatever run.

    Raises
    ------
    OutputError
        When the folder cannot be written.
    """
    rows = []
    for path in sorted(folder.glob(f"sub-*/**/anat/*_{DESC}_probseg.json")):
        stem = path.name.removesuffix("_probseg.json").removesuffix(f"_{DESC}")
        name, score = parse(f"{stem}_T1w"), json.loads(path.read_text(encoding="utf-8")).get(SCORE)
        rows.append([name.participant, name.session or "n/a", stem, "n/a" if score is None else f"{score:.6f}"])
    write_text(folder / TABLE, _table(("participant_id", "session_id", "scan", "sample_score"), rows))
    return folder / TABLE


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerows([columns, *rows])
    return text.getvalue()


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
