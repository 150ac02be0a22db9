"""Scans in other files than single-file NIfTI: FreeSurfer's .mgz and .mgh, and pairs of .hdr and .img."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from mood.errors import ScanError
from mood.nifti_file import RE_EXPORT, check_readable, check_size, first_line, spatial_shape

log = logging.getLogger(__name__)

OTHER_SUFFIXES = (".mgz", ".mgh", ".hdr", ".img")


def is_other(path: Path) -> bool:
    """Whether a file is one of these, by its name."""
    return path.name.lower().endswith(OTHER_SUFFIXES)


def without_images(paths: list[Path]) -> list[Path]:
    """Paths without each .img whose .hdr is there: the two are one scan."""
    headers = {path.with_suffix("") for path in paths if path.suffix.lower() == ".hdr"}
    return [path for path in paths if path.suffix.lower() != ".img" or path.with_suffix("") not in headers]


def read_other(path: Path) -> tuple[np.ndarray, nib.Nifti1Header]:
    """Voxels as (X, Y, Z) float32, and a NIfTI header for maps of them.

    Raises
    ------
    ScanError
        When the file, or the other one of a pair, is missing or damaged, or no 3-D image of one number a voxel.
    """
    check_readable(path)
    try:
        image: Any = nib.load(path)
        kind = image.get_data_dtype()
    except Exception as error:  # nibabel raises whatever a damaged header leads it to
        raise _damaged(path, error) from error
    shape = spatial_shape(image.shape, path)
    check_size(shape, path)
    if kind.kind not in "iufb":
        raise ScanError(f"voxels are of type {kind}", where=path, fix="Save one number a voxel")
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            data = np.asarray(image.dataobj, np.float32).reshape(shape, order="F")
        header = _header(image, shape, path)
    except Exception as error:
        raise _damaged(path, error) from error
    return data, header


def _header(image: Any, shape: tuple[int, ...], path: Path) -> nib.Nifti1Header:
    if type(image).__name__ in ("AnalyzeImage", "Spm99AnalyzeImage", "Spm2AnalyzeImage"):
        log.warning("%s: an Analyze header knows no orientation; axes are taken as %s", path, _axes(image.affine))
    header = nib.Nifti1Image(np.broadcast_to(np.uint8(0), shape), image.affine).header
    header.set_xyzt_units("mm")
    return header


def _axes(affine: np.ndarray) -> str:
    return "".join(code or "?" for code in nib.aff2axcodes(affine))


def _damaged(path: Path, error: Exception) -> ScanError:
    return ScanError(f"the file cannot be read ({first_line(error)})", where=path, fix=RE_EXPORT)
