"""Is a scan a skull-stripped T1 of a whole adult brain, with voxels that show something?

What costs nothing is looked at first: voxels, volume and size. Only what passes is registered to the template, which
takes seconds: there the correlation says whether the tissue has T1's contrast, the brightness outside the template's
brain whether something was left on, and the part of the template that the scan covers whether something is missing.
"""

from __future__ import annotations

import numpy as np
from nibabel.affines import from_matvec

from mood.conform import content_box
from mood.intensities import standardised
from mood.methods.fit.verdict import Fit, Limit, held_against
from mood.methods.registration.affine import AFFINE, Registration, register
from mood.methods.registration.template import Template, packaged_template
from mood.regions import Grid, Region

COARSEST_MM = 4.5
SMALLEST_ML, LARGEST_ML = 750.0, 2200.0
LARGEST_HEAD_MM = (240.0, 300.0, 400.0)  # left to right, back to front, and down to the neck
TISSUE = 0.5  # of a registered voxel, to be tissue
CLASSES = ((0.35, 0.65), (0.85, 1.0))  # of the template's brightness inside the brain: grey matter, white matter

SIZES = (
    Limit("voxel_mm", "its voxels are too coarse", "{:.3g} mm", high=COARSEST_MM),
    Limit("volume_ml", "too small for an adult's brain: a part of one, or not a person's", "{:.0f} ml", SMALLEST_ML),
    Limit("width_to_length", "half a brain, or an odd shape for one", "{:.2f} times as wide as long", 0.62, 1.15),
    Limit("height_to_length", "a slab, or an odd shape for a brain", "{:.2f} times as high as long", 0.6, 1.2),
)
SKULL = Limit("volume_ml", "the skull is still on", "{:.0f} ml of tissue", high=LARGEST_ML)
NO_HEAD = Limit("volume_ml", "larger than a head: another part of the body", "{:.0f} ml of tissue", high=LARGEST_ML)
CONTRAST = (
    Limit("white_to_grey", "white matter is not brighter than grey matter: not T1", "{:.2f} times as bright", 1.05),
    Limit("correlation", "it is unlike a T1 of a brain", "correlation {:.2f} with the template", 0.52),
    Limit("covered", "a part of the brain is missing", "{:.0%} of the template covered", 0.88),
)
# Where no search could be made, or it led nowhere, a tilted head lies badly on the template.
ROUGH = (Limit("correlation", "it is unlike a T1 of a brain", "correlation {:.2f} with the template", 0.2),)
RIM = Limit("outside", "parts of skull or neck are still on", "{:.2f} of the brain's brightness around it", high=0.06)


def check_brain(scan: np.ndarray, grid: Grid, spacing_mm: tuple[float, ...], region: Region) -> Fit:
    """Look at a scan.

    Parameters
    ----------
    scan : (X, Y, Z) float32 ndarray in [0, 1]
        On `grid`, background 0.
    spacing_mm : three floats
        Of the scan's own voxels.
    """
    figures = _sizes(scan, grid, spacing_mm)
    sides = [figures[name] for name in ("width_mm", "length_mm", "height_mm")]
    is_head = all(side <= most for side, most in zip(sides, LARGEST_HEAD_MM, strict=True))
    if reason := (SKULL if is_head else NO_HEAD).reason(figures):
        return Fit((*held_against(SIZES[:1], figures), reason), figures, skull_on=is_head)
    if reasons := held_against(SIZES, figures):
        return Fit(reasons, figures)
    template = packaged_template(str(region.template), grid)
    registration = register(standardised(scan, region), grid.spacing_mm, template)
    figures |= _likeness(scan, registration, template)
    rim = RIM.reason(figures)
    reasons = held_against(CONTRAST if figures["searched"] else ROUGH, figures) + ((rim,) if rim else ())
    return Fit(reasons, figures, skull_on=bool(rim), to_mni=_to_mni(registration, template))


def _to_mni(registration: Registration, template: Template) -> np.ndarray | None:
    """From millimetres from the scan's middle to MNI coordinates; None where the registration is in doubt."""
    if registration.warning or template.middle_mm is None:
        return None
    return from_matvec(np.eye(3), template.middle_mm) @ np.linalg.inv(registration.matrix)


def _sizes(scan: np.ndarray, grid: Grid, spacing_mm: tuple[float, ...]) -> dict[str, float]:
    tissue = np.count_nonzero(scan > 0) * float(np.prod(grid.spacing_mm))
    low, high = content_box(scan)
    sides = [(b - a) * mm for a, b, mm in zip(low, high, grid.spacing_mm, strict=True)]
    named = dict(zip(("width_mm", "length_mm", "height_mm"), sides, strict=True))
    ratios = {"width_to_length": sides[0] / sides[1], "height_to_length": sides[2] / sides[1]}
    return {"voxel_mm": max(spacing_mm), "volume_ml": tissue / 1000, **named, **ratios}


def _likeness(scan: np.ndarray, registration: Registration, template: Template) -> dict[str, float]:
    """How a scan compares with the region's template once it lies on it."""
    image = np.zeros(template.grid.shape) if template.image is None else template.image
    tissue = registration.to_template((scan > 0).astype(np.float32)) > TISSUE
    return {
        "searched": float(registration.method == AFFINE),
        "correlation": registration.correlation,
        "outside": registration.outside,
        "covered": float(tissue[image > 0].mean()),
        "white_to_grey": _white_to_grey(scan, tissue, registration, image),
    }


def _white_to_grey(scan: np.ndarray, tissue: np.ndarray, registration: Registration, template: np.ndarray) -> float:
    """Brightness where the template has white matter over that where it has grey."""
    inside = template > 0
    bounds = np.quantile(template[inside], CLASSES)
    registered = registration.to_template(scan)
    means = []
    for low, high in bounds:
        of_class = registered[inside & tissue & (template > low) & (template <= high)]
        means.append(float(of_class.mean()) if of_class.size else 0.0)
    return means[1] / means[0] if means[0] > 0 else 0.0
