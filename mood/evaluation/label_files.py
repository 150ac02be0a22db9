"""Labels and the predictions that belong to them, read as the challenge's scorer reads them.

The rules are those of the official `evalresults.py`: a prediction has the file name of its label; maps are
scaled as the header says, cast to float16 and clipped to [0, 1]; label voxels are rounded and anomalous
from 1 on; a sample score is the number on the first line, and stays float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import nibabel as nib
import numpy as np

from mood.errors import NoInputError, ScanError, unknown

SUFFIXES = {"pixel": (".nii.gz", ".nii"), "sample": (".nii.gz.txt", ".nii.txt", ".txt")}
CHUNK_VOXELS = 2**20
SAME_AFFINE_MM = 1e-2

T = TypeVar("T")


@dataclass(frozen=True)
class Pair:
    """One case: its label and where its prediction should be."""

    name: str
    label: Path
    prediction: Path


def find_pairs(labels: Path, predictions: Path, mode: str) -> list[Pair]:
    """Every label of the folder with the path of its prediction, by name; predictions may be absent.

    Parameters
    ----------
    labels : pathlib.Path
        Holds the labels directly, or in a folder named after the mode, as the challenge's `toy_label`.
    predictions : pathlib.Path
        Holds predictions under the file names of the labels; other files do not matter.
    mode : {'pixel', 'sample'}

    Raises
    ------
    UsageError
        When the mode is neither.
    NoInputError
        When a folder is missing, or there is no label.
    """
    if mode not in SUFFIXES:
        raise unknown("mode", mode, SUFFIXES)
    folder = labels / mode if (labels / mode).is_dir() else labels
    for needed in (folder, predictions):
        if not needed.is_dir():
            raise NoInputError("there is no such folder", where=needed, fix="Check the path")
    files = sorted(p for p in folder.iterdir() if p.name.endswith(SUFFIXES[mode]) and p.name[0] != ".")
    if not files:
        fix = f"Put files NAME{SUFFIXES[mode][0]} directly into it"
        raise NoInputError(f"the folder holds no {mode} label", where=folder, fix=fix)
    return [Pair(case_name(p, mode), p, predictions / p.name) for p in files]


def case_name(path: Path, mode: str) -> str:
    """The file name of a label or prediction without its suffixes."""
    suffix = next(suffix for suffix in SUFFIXES[mode] if path.name.endswith(suffix))
    return path.name.removesuffix(suffix)


def read_label_map(path: Path) -> np.ndarray:
    """Where the label says anomalous, as (X, Y, Z) bool; `ScanError` when it cannot be read."""
    return _read(path, lambda p: _read_voxels(p, _anomalous, np.dtype(bool)))


def read_score_map(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """A predicted map as (X, Y, Z) float16 in [0, 1]; NaN stays NaN.

    Bit for bit what `nibabel.load(path).get_fdata(dtype=numpy.float16)` and a clip give, without a float64
    copy of the volume.

    Raises
    ------
    ScanError
        When the file is missing, cannot be read, or does not have the label's shape.
    """
    score_map = _read(path, lambda p: _read_voxels(p, _clipped, np.dtype(np.float16)))
    if score_map.shape != shape:
        what = f"the map has shape {score_map.shape}, its label {shape}"
        raise ScanError(what, where=path, fix="Save the map on the scan's own grid")
    return score_map


def geometry_difference(pair: Pair) -> str:
    """What differs between where a map and its label lie: orientation or affine; nothing when neither does.

    The official rule compares voxel by voxel whatever the headers say, so a map that was stored in another orientation
    is compared with the wrong places.
    """
    try:
        label, score_map = (np.asarray(nib.load(path).affine) for path in (pair.label, pair.prediction))  # type: ignore[attr-defined]
        axes = ["".join(code or "?" for code in nib.aff2axcodes(affine)) for affine in (label, score_map)]
    except Exception:  # reading it will tell why
        return ""
    if axes[0] != axes[1]:
        return f"the label's axes are {axes[0]}, the map's {axes[1]}"
    apart = float(np.abs(label - score_map).max())
    return f"their affines differ by up to {apart:.3g} mm" if apart > SAME_AFFINE_MM else ""


def read_sample_label(path: Path) -> bool:
    """Whether the sample is anomalous; `ScanError` when the first line is neither 0 nor 1."""
    label = _read(path, lambda p: int(_first_line(p)))
    if label not in (0, 1):
        raise ScanError(f"the label is {label}", where=path, fix="Write 0 (healthy) or 1 (anomalous)")
    return label == 1


def read_sample_score(path: Path) -> float:
    """The predicted sample score in [0, 1], or what is not finite; `ScanError` when the first line is no number."""
    score = _read(path, lambda p: float(_first_line(p)))
    return min(max(score, 0.0), 1.0) if math.isfinite(score) else score


def _read(path: Path, read: Callable[[Path], T]) -> T:
    if not path.is_file():
        raise ScanError("there is no such file", where=path, fix="Check that it was written")
    try:
        return read(path)
    except MemoryError:
        raise
    except Exception as error:  # the official scorer, too, takes any failure for an unreadable file
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        fix = "Write it again"
        raise ScanError(f"the file cannot be read ({reason})", where=path, fix=fix) from error


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8") as lines:
        return lines.readline()


def _anomalous(values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).all():
        raise ValueError("it holds a NaN or an infinite number")
    return values > 0.5  # what rounds to 1 or more


def _clipped(values: np.ndarray) -> np.ndarray:
    return np.clip(values, 0.0, 1.0)


def _read_voxels(path: Path, convert: Callable[[np.ndarray], np.ndarray], dtype: np.dtype) -> np.ndarray:
    """Voxels of a NIfTI file, scaled in float64 as nibabel does and converted chunk by chunk."""
    image: Any = nib.load(path)
    proxy = image.dataobj
    stored = proxy.get_unscaled().ravel(order="F")
    converted = np.empty(stored.size, dtype=dtype)
    for start in range(0, stored.size, CHUNK_VOXELS):
        chunk = slice(start, start + CHUNK_VOXELS)
        values = stored[chunk]
        if (proxy.slope, proxy.inter) != (1.0, 0.0):
            values = values * np.float64(proxy.slope) + np.float64(proxy.inter)
        converted[chunk] = convert(values)
    return converted.reshape(proxy.shape, order="F")
