"""niimath's affine registration, a program of its own (BSD-2, in the wheel of its name).

`-allineate` with its default cost and twelve degrees of freedom; two to six seconds for a brain. It falls into a
slow global search where nothing fits, and so its processor's time is limited: what it finds must not depend on what
else the machine does.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import subprocess
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

PROCESSOR_LIMIT_S, WALL_LIMIT_S = 40, 600
MATRIX = "fixed_to_moving"  # in niimath's file


@functools.cache
def program() -> Path | None:
    """Where niimath is; None, and a line in the log, where it is not installed."""
    try:
        import niimath
    except ImportError:
        log.warning("niimath is not installed: scans are aligned by the moments of their tissue")
        return None
    return Path(niimath.bin_path)


def fit_affine(
    scan: np.ndarray,
    spacing_mm: tuple[float, ...],
    image: np.ndarray,
    image_spacing_mm: tuple[float, ...],
) -> np.ndarray | None:
    """The affine from a template's millimetres to a scan's, each from the middle of its grid.

    Parameters
    ----------
    scan, image : (X, Y, Z) float32 ndarray
        RAS axes; `image` is the template.

    Returns
    -------
    (4, 4) float64 ndarray, or None
        None, and a line in the log, when niimath is missing, fails or runs past its limit.
    """
    if (binary := program()) is None:
        return None
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _fitted(binary, Path(folder), (scan, spacing_mm), (image, image_spacing_mm))
    except (OSError, subprocess.SubprocessError, KeyError, ValueError) as error:
        log.warning("niimath failed: %s", error)
    return None


def _fitted(
    binary: Path,
    folder: Path,
    scan: tuple[np.ndarray, tuple[float, ...]],
    template: tuple[np.ndarray, tuple[float, ...]],
) -> np.ndarray:
    moving, fixed, matrix, out = (folder / name for name in ("scan.nii", "template.nii", "affine.json", "out.nii"))
    nib.save(_centred_image(*scan), moving)
    nib.save(_centred_image(*template), fixed)
    command = [str(part) for part in (binary, moving, "-allineate", fixed, "-final", "NN", "-savemat", matrix, out)]
    _run(command)
    affine = np.array(json.loads(matrix.read_text(encoding="utf-8"))[MATRIX], np.float64)
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        raise ValueError("its matrix is not one of 4 x 4 numbers")
    return affine


def _run(command: list[str]) -> None:
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}  # more wait for each other longer than they help
    silent = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=silent, stdout=silent, stderr=silent, env=one_thread) as process:
        if hasattr(resource, "prlimit"):  # Linux
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(process.pid, resource.RLIMIT_CPU, (PROCESSOR_LIMIT_S, PROCESSOR_LIMIT_S))
        try:
            code = process.wait(WALL_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    if code:
        raise subprocess.CalledProcessError(code, command[:3])


def _centred_image(data: np.ndarray, spacing_mm: tuple[float, ...]) -> nib.Nifti1Image:
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = [-mm * (size - 1) / 2 for mm, size in zip(spacing_mm, data.shape, strict=True)]
    return nib.Nifti1Image(np.asarray(data, np.float32), affine)
