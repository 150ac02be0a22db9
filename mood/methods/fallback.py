"""What the challenge gets of a scan that could not be scored: a map of zeros, and a score in the middle."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from mood.atomic import concerns_all
from mood.errors import OutputError
from mood.nifti_file import check_readable, largest_voxels, read_head
from mood.regions import Region
from mood.volume import save_pieces, save_score

log = logging.getLogger(__name__)

FALLBACK_SCORE = 0.5
PIECE = 2**22  # bytes written at once


def fall_back(scan: Path, outputs: Mapping[str, Path], region: Region) -> str:
    """Write what stands in for the outputs of a scan, and say so.

    Parameters
    ----------
    scan : pathlib.Path
    outputs : mapping of str to pathlib.Path
        Where the map (pixel), the score (sample) or both are wanted.
    region : Region

    Raises
    ------
    OutputError
        When nothing can be written to that folder.
    """
    try:
        if "pixel" in outputs:
            save_fallback_map(scan, region, outputs["pixel"])
        if "sample" in outputs:
            save_score(FALLBACK_SCORE, outputs["sample"])
    except Exception as error:
        if concerns_all(error):
            raise
        return f" No fallback prediction could be written: {error}"
    return " A fallback prediction was written."


def save_fallback_map(scan: Path, region: Region, path: Path) -> None:
    """Write zeros on the scan's grid where its header tells one that can be meant, else on the region's.

    Takes neither memory nor time by what a header claims: no more voxels are written than would be read.

    Raises
    ------
    OutputError
        When the map cannot be written.
    """
    header, affine = nib.Nifti1Header(), np.diag([*region.grid.spacing_mm, 1.0])
    header.set_data_shape(region.grid.shape)
    try:
        check_readable(scan)
        found = read_head(scan).header
        shape = found.get_data_shape()
        if len(shape) < 3 or not 0 < math.prod(shape) <= largest_voxels():
            raise ValueError(f"its header says {shape}")
        _save_zeros(found, found.get_best_affine(), path)
    except OutputError:
        raise
    except Exception as error:  # whatever a damaged header leads to
        log.warning("%s: its shape is unknown (%s); the map has the region's", scan, error)
        _save_zeros(header, affine, path)


def _save_zeros(header: Any, affine: np.ndarray, path: Path) -> None:
    voxels = math.prod(header.get_data_shape())
    save_pieces(lambda dtype: _zeros(voxels * dtype.itemsize), header, affine, path)


def _zeros(size: int) -> Iterator[bytes]:
    piece = bytes(min(size, PIECE))
    for start in range(0, size, PIECE):
        yield piece[: size - start]
