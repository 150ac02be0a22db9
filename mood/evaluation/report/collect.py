"""What lies in the folders: scans with their maps, scores, labels and the record of the run."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mood.errors import NoInputError, ScanError, UsageError
from mood.evaluation.label_files import read_sample_score
from mood.evaluation.report.facts import ScanFiles
from mood.run_record import RUN_RECORD, SCORE_TABLE, printable
from mood.volume import find_scans, scan_name
from mood.weights.store import WeightsFolder, packaged_weights, read_folder

log = logging.getLogger(__name__)


def find_files(scans: Path, predictions: Path, labels: Path | None = None) -> list[ScanFiles]:
    """Every scan with what there is of it; labels without a scan are named in a warning.

    Raises
    ------
    NoInputError
        When a folder is missing, there is no scan, or no scan has a prediction.
    """
    for folder in (predictions, labels):
        if folder is not None and not folder.is_dir():
            raise NoInputError("there is no such folder", where=folder, fix="Check the path or the mount")
    rows = score_rows(predictions)
    found_labels = {} if labels is None else label_paths(labels)
    files = [_files(path, predictions, found_labels, rows) for path in find_scans(scans)]
    if not any(one.map_path or one.score is not None for one in files):
        fix = "Name the folder that mood predict wrote for these scans"
        raise NoInputError("the folder holds no prediction of these scans", where=predictions, fix=fix)
    if lonely := sorted(set(found_labels) - {scan_name(one.scan_path) for one in files}):
        log.warning("%d labels without a scan are left out: %s", len(lonely), ", ".join(map(printable, lonely[:5])))
    return files


def _files(scan: Path, predictions: Path, labels: Mapping[str, Path], rows: Mapping[str, dict[str, str]]) -> ScanFiles:
    stem, name = scan_name(scan), printable(scan_name(scan))
    row = rows.get(name, {})
    maps = [path for path in (predictions / f"{stem}.nii.gz", predictions / f"{stem}.nii") if path.is_file()]
    return ScanFiles(name, scan, maps[0] if maps else None, labels.get(stem), _score(predictions, stem, row), row)


def _score(predictions: Path, stem: str, row: Mapping[str, str]) -> float | None:
    path = predictions / f"{stem}.nii.gz.txt"
    try:
        return read_sample_score(path) if path.is_file() else float(row["sample_score"])
    except (ScanError, KeyError, ValueError):
        return None


def score_rows(predictions: Path) -> dict[str, dict[str, str]]:
    """The rows of `scores.csv` by scan; empty where there is none that can be read."""
    try:
        with (predictions / SCORE_TABLE).open(newline="", encoding="utf-8") as file:
            return {row["scan"]: row for row in csv.DictReader(file)}
    except (OSError, KeyError, UnicodeDecodeError, csv.Error):
        return {}


def label_paths(labels: Path) -> dict[str, Path]:
    """Labels of voxels by the name of their scan: NAME.nii.gz or NAME_label.nii.gz, in it or in its folder `pixel`."""
    folder = labels / "pixel" if (labels / "pixel").is_dir() else labels
    files = sorted(path for path in folder.iterdir() if path.name.endswith((".nii", ".nii.gz")))
    suffixed = {scan_name(path).removesuffix("_label"): path for path in files if scan_name(path).endswith("_label")}
    return {scan_name(path): path for path in files if not scan_name(path).endswith("_label")} | suffixed


def read_record(predictions: Path) -> dict[str, Any]:
    """`run.json` of the predictions; empty where there is none that can be read."""
    try:
        record = json.loads((predictions / RUN_RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) and isinstance(record.get("about", {}), dict) else {}


def find_weights(record: Mapping[str, Any], weights: Path | None) -> WeightsFolder | None:
    """The weights that made the predictions; None where they are not at hand.

    Raises
    ------
    UsageError
        When `weights` names others than the record does.
    """
    wanted = record.get("about", {}).get("weights")
    if weights is not None:
        named = read_folder(weights)
        if wanted and named.sha256 != wanted:
            fix = "Name the weights that the predictions were made with"
            raise UsageError("the predictions were made with other weights", where=weights, fix=fix)
        return named
    return next((found for found in packaged_weights() if wanted and found.sha256 == wanted), None)


def read_participants(table: Path | None, scans: Path, names: list[str]) -> dict[str, dict[str, str]]:
    """The rows of a participants.tsv by scan; found beside the scans or one folder above when none is named.

    A row belongs to the scans that are called like its participant, or begin so: `sub-01` to `sub-01_T1w`.

    Raises
    ------
    NoInputError
        When a table is named that cannot be read.
    """
    candidates = [table] if table else [scans / "participants.tsv", scans.resolve().parent / "participants.tsv"]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        if table:
            raise NoInputError("there is no such table of participants", where=table, fix="Check the path")
        return {}
    try:
        with found.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        fix = "Save it as UTF-8 text with tabs, its first column participant_id"
        raise NoInputError(f"the table of participants cannot be read ({error})", where=found, fix=fix) from error
    return _rows_of_scans(rows, names)


def _rows_of_scans(rows: list[dict[str, str]], names: list[str]) -> dict[str, dict[str, str]]:
    matched: dict[str, dict[str, str]] = {}
    by_id = {row.get("participant_id", ""): row for row in rows}
    for name in names:
        parts = name.split("_")
        ids = ("_".join(parts[:count]) for count in range(len(parts), 0, -1))
        row = next((by_id[each] for each in ids if each in by_id), None)
        if row is not None:
            columns = {key: value for key, value in row.items() if key and key != "participant_id" and value}
            matched[name] = columns
    return matched
