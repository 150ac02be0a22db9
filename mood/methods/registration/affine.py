"""A scan registered to a template: niimath's affine where it is the better one, else alignment by moments."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from scipy import ndimage

from mood.methods.registration.moments import measure, moments_matrix
from mood.methods.registration.niimath import fit_affine
from mood.methods.registration.template import Template

AFFINE, MOMENTS = "affine", "moments"
WORTH_A_SEARCH = 0.1  # correlation by moments; below it a scan is nothing like the template, and a search is long
PLAUSIBLE_SCALE = (0.6, 1.6)  # of the template's mm to the scan's along every direction: no adult head beyond
LARGEST_SHEAR = 1.7  # the most stretched direction over the least
REMEMBERED = 4  # registrations: of the scan that is scored, and of the next one
DOUBTFUL = 0.5  # correlation; healthy T1 brains reach 0.57 and more


@dataclass(frozen=True, eq=False)
class Registration:
    """How a scan lies on a template.

    Attributes
    ----------
    matrix : (4, 4) float64 ndarray
        From the template's millimetres to the scan's, each from the middle of its grid, RAS axes.
    method : {'affine', 'moments'}
    correlation : float
        Between scan and template inside the template's brain; NaN where the template has no image.
    outside : float
        Mean brightness of the registered scan outside the template's brain over that inside; NaN likewise.
    scales : three floats, rising
        Millimetres of the scan for one of the template along the matrix's principal directions.
    warning : str
        What is wrong with it, one sentence; empty when nothing is.
    """

    matrix: np.ndarray
    method: str
    correlation: float
    outside: float
    scales: tuple[float, ...]
    warning: str
    scan_shape: tuple[int, ...]
    scan_spacing_mm: tuple[float, ...]
    template_shape: tuple[int, ...]
    template_spacing_mm: tuple[float, ...]

    def to_template(self, scan: np.ndarray) -> np.ndarray:
        """What lies on the scan's voxels on the template's, linearly; 0 where the scan does not reach."""
        return _resampled(scan, self.matrix, self.scan_spacing_mm, self.template_shape, self.template_spacing_mm)

    def to_scan(self, image: np.ndarray, spacing_mm: tuple[float, ...] | None = None) -> np.ndarray:
        """What lies on the template's voxels on the scan's, linearly; 0 where the template does not reach.

        Parameters
        ----------
        spacing_mm : three floats, optional
            Of the image's voxels, where they are not the template's; both have one middle.
        """
        inverse = np.linalg.inv(self.matrix)
        spacing_mm = spacing_mm or self.template_spacing_mm
        return _resampled(image, inverse, spacing_mm, self.scan_shape, self.scan_spacing_mm)


def register(scan: np.ndarray, spacing_mm: tuple[float, ...], template: Template) -> Registration:
    """Register a scan to a template; several methods that ask for the same pay for one search.

    Parameters
    ----------
    scan : (X, Y, Z) float32 ndarray in [0, 1], finite
        RAS axes, background 0, standardised like the template.
    spacing_mm : three floats

    Returns
    -------
    Registration
        Always; its `warning` says when it is not to be relied on.
    """
    key = hashlib.blake2b(scan.tobytes()).digest(), scan.shape, spacing_mm, template
    with _changing:
        if asked := key not in _last:
            _last[key] = Future()
        found = _last[key]
        while len(_last) > REMEMBERED:
            _last.popitem(last=False)
    if asked:
        _fill(found, lambda: _searched(scan, spacing_mm, template))
    return found.result()


def _fill(future: Future[Registration], search: Callable[[], Registration]) -> None:
    try:
        future.set_result(search())
    except BaseException as error:
        future.set_exception(error)
        raise


_last: OrderedDict[Any, Future[Registration]] = OrderedDict()
_changing = Lock()  # a scan that is read ahead is registered while another one is scored


def _searched(scan: np.ndarray, spacing_mm: tuple[float, ...], template: Template) -> Registration:
    moments = moments_matrix(measure(scan, spacing_mm), template.extent)
    rough = _registration(moments, MOMENTS, scan, spacing_mm, template)
    if template.image is None or not template.can_be_searched:
        return rough
    if rough.correlation < WORTH_A_SEARCH or not plausible(moments):
        return rough
    matrix = fit_affine(scan, spacing_mm, template.image, template.grid.spacing_mm)
    if matrix is None or not plausible(matrix):
        return rough
    fine = _registration(matrix, AFFINE, scan, spacing_mm, template)
    return fine if fine.correlation > rough.correlation else rough


def plausible(matrix: np.ndarray) -> bool:
    """Whether an affine between two heads is neither mirrored nor stretched beyond what heads differ by."""
    scales = _scales(matrix)
    low, high = PLAUSIBLE_SCALE
    upright = np.linalg.det(matrix[:3, :3]) > 0
    return bool(upright and low <= scales[0] and scales[2] <= high and scales[2] <= LARGEST_SHEAR * scales[0])


def correlation(image: np.ndarray, template: np.ndarray) -> float:
    """Pearson's, where `template` is above 0; 0 where either is constant there."""
    inside = template > 0
    a, b = image[inside].astype(np.float64), template[inside].astype(np.float64)
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm > 0 else 0.0


def _registration(
    matrix: np.ndarray, method: str, scan: np.ndarray, spacing_mm: tuple[float, ...], template: Template
) -> Registration:
    grid, image = template.grid, template.image
    fit, outside = float("nan"), float("nan")
    if image is not None:
        registered = _resampled(scan, matrix, spacing_mm, grid.shape, grid.spacing_mm)
        fit = correlation(registered, image)
        inside, beyond = (_mean(registered[where]) for where in (image > 0, image == 0))
        outside = beyond / inside if inside > 0 else float("inf")
    warning = f"it fits the template badly (correlation {fit:.2f})" if fit < DOUBTFUL else ""
    return Registration(
        matrix, method, fit, outside, _scales(matrix), warning, scan.shape, spacing_mm, grid.shape, grid.spacing_mm
    )


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else 0.0


def _scales(matrix: np.ndarray) -> tuple[float, ...]:
    return tuple(float(s) for s in np.sort(np.linalg.svd(matrix[:3, :3], compute_uv=False)))


def _resampled(
    image: np.ndarray,
    matrix: np.ndarray,
    spacing_mm: tuple[float, ...],
    shape: tuple[int, ...],
    target_spacing_mm: tuple[float, ...],
) -> np.ndarray:
    """`image` at where `matrix` takes the target's voxels to; linear, 0 beyond its edges, float32."""
    own, target = np.array(spacing_mm), np.array(target_spacing_mm)
    linear = matrix[:3, :3] * target / own[:, None]
    middle, target_middle = (np.array(image.shape) - 1) / 2, (np.array(shape) - 1) / 2
    offset = matrix[:3, 3] / own + middle - linear @ target_middle
    return ndimage.affine_transform(np.asarray(image, np.float32), linear, offset, tuple(shape), order=1)
