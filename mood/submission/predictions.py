"""What can be wrong with the predictions of the challenge, file by file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from mood.nifti_file import largest_voxels

PIXEL, SAMPLE = "pixel", "sample"
MODES = (SAMPLE, PIXEL)
FAULT, NOTE = "fault", "note"


@dataclass(frozen=True)
class Finding:
    """Something that was found to be wrong.

    Attributes
    ----------
    code : str
        One word for it: "nan", "missing".
    what : str
        In words.
    where : str
        The file, script or part of the image it is about.
    fix : str
        What to do.
    grave : {'fault', 'note'}
        A fault costs points, or the evaluation; a note may.
    """

    code: str
    what: str
    where: str = ""
    fix: str = ""
    grave: str = FAULT


def prediction_name(scan_name: str, mode: str) -> str:
    """What the prediction of the scan NAME.nii.gz is called."""
    return scan_name + (".txt" if mode == SAMPLE else "")


def prediction_findings(scan: Path, folder: Path, mode: str) -> Iterator[Finding]:
    """What is wrong with the prediction of one scan.

    Parameters
    ----------
    scan : pathlib.Path
        May be one that cannot be read; then nothing is asked of shape and place.
    folder : pathlib.Path
        With the predictions.
    mode : {'sample', 'pixel'}
    """
    path = folder / prediction_name(scan.name, mode)
    if not path.is_file():
        fix = "Write one file for each scan, named after it: NAME.nii.gz, and NAME.nii.gz.txt for a score"
        yield Finding("missing", "there is no prediction, which counts as 0", path.name, fix)
        return
    yield from score_findings(path) if mode == SAMPLE else map_findings(path, scan)


def score_findings(path: Path) -> Iterator[Finding]:
    """One float in [0, 1] on the first line."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    fix = "Write one number in [0, 1]"
    try:
        score = float(lines[0])
    except ValueError:
        yield Finding("format", f"the first line is no number: {lines[0][:40]!r}", path.name, fix)
        return
    if math.isnan(score):
        yield Finding("nan", "the score is NaN, which makes the whole evaluation fail", path.name, fix)
    elif not 0.0 <= score <= 1.0:
        yield Finding("range", f"the score is {score:g}, outside of [0, 1]", path.name, fix)
    if len(lines) > 1:
        yield Finding("format", f"{len(lines)} lines instead of one", path.name, fix, NOTE)


def map_findings(path: Path, scan: Path) -> Iterator[Finding]:
    """Of the scan's shape and place, every value finite and in [0, 1]."""
    try:
        image: Any = nib.load(path)
        values = np.asarray(image.dataobj, dtype=np.float32)
    except Exception as error:  # nibabel raises whatever a damaged file leads it to
        what = f"the map cannot be read ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
        yield Finding("format", what, path.name, "Write NIfTI, and write it to its end")
        return
    asked = header_of(scan)
    if asked is not None:
        yield from _grid_findings(path.name, image, asked)
    yield from _value_findings(path.name, values)
    if asked is not None and not values.any():
        what = "every value is 0 although the scan can be read"
        yield Finding("empty", what, path.name, "See in the log whether a fall-back stands in for a map", NOTE)


def header_of(scan: Path) -> Any:
    """The nibabel image of a scan, voxels not read yet; None when it cannot be read or is no volume that is meant."""
    try:
        image: Any = nib.load(scan)
    except Exception:
        return None
    return image if len(image.shape) == 3 and 0 < math.prod(image.shape) <= largest_voxels() else None


def _grid_findings(name: str, image: nib.Nifti1Image, scan: nib.Nifti1Image) -> Iterator[Finding]:
    if image.shape != scan.shape:
        what = f"the shape is {image.shape} instead of {scan.shape}, which counts as 0"
        yield Finding("shape", what, name, "Bring the map back to the scan's own voxels")
        return
    codes = [code for code in ("qform_code", "sform_code") if image.header[code] != scan.header[code]]
    if np.isfinite(scan.affine).all() and not np.allclose(image.affine, scan.affine, atol=1e-5):
        yield Finding("place", "the affine is not the scan's", name, "Keep affine and header of the scan", NOTE)
    elif codes:
        what = f"{' and '.join(codes)} not the scan's"
        yield Finding("place", what, name, "Keep the header of the scan", NOTE)


def _value_findings(name: str, values: np.ndarray) -> Iterator[Finding]:
    bad = values.size - int(np.count_nonzero(np.isfinite(values)))
    if bad:
        what = f"{bad} of {values.size} values are NaN or infinite, which makes the whole evaluation fail"
        yield Finding("nan", what, name, "Replace them before the map is written")
    elif values.size and (values.min() < 0 or values.max() > 1):
        what = f"values from {values.min():g} to {values.max():g}, outside of [0, 1]; they are clipped"
        yield Finding("range", what, name, "Scale the method's own numbers once, the same way for all scans")


def folder_findings(folder: Path, expected: Iterable[str], uid: int | None = None) -> Iterator[Finding]:
    """Files that nobody asked for, half-written ones included, and files of the wrong owner."""
    wanted = set(expected)
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if name not in wanted:
            yield Finding("extra", "nobody asked for this file", name, "Write predictions only, and tidy up")
        elif uid is not None and path.stat().st_uid != uid:
            what = f"owned by user {path.stat().st_uid} instead of {uid}"
            yield Finding("owner", what, name, "Write as the user that the container is given")
