"""Volumes of whole numbers on a scan's own voxels: masks and numbered places."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from mood.atomic import replacing


def save_labels(path: Path, labels: np.ndarray, top: int, header: nib.Nifti1Header, affine: np.ndarray) -> None:
    """Write labels on the grid of the scan they belong to, all or nothing.

    Parameters
    ----------
    path : pathlib.Path
        Ends in `.nii.gz`.
    labels : (X, Y, Z) unsigned integer ndarray
    top : int
        The label that viewers show as the brightest.
    header, affine
        Those of the scan.

    Raises
    ------
    OutputError
        When the folder cannot be written.
    """
    header = header.copy()
    header.set_data_dtype(labels.dtype)
    header["cal_min"], header["cal_max"] = 0, top
    header.set_intent("label", name="mood regions")
    kind = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
    image = kind(labels.reshape(header.get_data_shape(), order="F"), affine, header)
    image.header.set_slope_inter(1.0, 0.0)
    with replacing(path) as temporary:
        image.to_filename(temporary)
