"""What lies where in a brain: side, lobe and tissue of a place, told from coordinates of the MNI template.

`lobes.csv` holds points and the lobe or structure that each lies in: the centres of the parcels of Schaefer et al.
(Cerebral Cortex 28, 2018; MIT licence, beside it) and a few in the structures below the cortex. A voxel is where the
nearest point is; `scripts/make_lobes.py` made the table and says how often that is right. An affine registration
brings a scan within some millimetres, so names are coarse, and no tissue is named where a place has several.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

from mood.evaluation.places import Place
from mood.methods.fit.check import fit_grid
from mood.methods.registration.template import packaged_template
from mood.regions import BRAIN

TABLE = Path(__file__).with_name("lobes.csv")
LOBES = (
    "frontal",
    "parietal",
    "temporal",
    "occipital",
    "insular",
)  # the others are structures, and names by themselves
FLUID_BELOW, WHITE_FROM = 0.26, 0.64  # of the template's brightness
FLUID, GREY, WHITE = "fluid spaces", "grey matter", "white matter"
MOST = 0.6  # share of its voxels that makes a place one lobe's, one tissue's, or one side's
PART = 0.25  # share that a second lobe has at least, to be named
ENOUGH = 4000  # voxels of a place to ask about


@functools.cache
def _points() -> tuple[KDTree, np.ndarray]:
    with TABLE.open(newline="", encoding="utf-8") as file:
        rows = [
            (row["lobe"], *(float(row[axis]) for axis in ("from_midline", "y", "z"))) for row in csv.DictReader(file)
        ]
    return KDTree([row[1:] for row in rows]), np.array([row[0] for row in rows])


def lobe_of(points_mm: np.ndarray) -> np.ndarray:
    """The lobe or structure of each point.

    Parameters
    ----------
    points_mm : (N, 3) float ndarray
        MNI coordinates.

    Returns
    -------
    (N,) str ndarray
    """
    tree, lobes = _points()
    folded = np.abs(points_mm) * (1, 0, 0) + points_mm * (0, 1, 1)  # the template is symmetric
    return lobes[tree.query(folded)[1]]


def tissue_of(points_mm: np.ndarray) -> np.ndarray:
    """What tissue the template has at each point, by its brightness; the scan's own is what may be unusual.

    Parameters
    ----------
    points_mm : (N, 3) float ndarray
        MNI coordinates.

    Returns
    -------
    (N,) str ndarray
        'fluid spaces', 'grey matter' or 'white matter'.
    """
    template = packaged_template(str(BRAIN.template), fit_grid(BRAIN))
    assert template.image is not None
    grid = template.grid
    voxels = (points_mm - np.array(template.middle_mm)) / grid.spacing_mm + (np.array(grid.shape) - 1) / 2
    brightness = ndimage.map_coordinates(template.image, voxels.T, order=1)
    return np.array([FLUID, GREY, WHITE])[np.digitize(brightness, (FLUID_BELOW, WHITE_FROM))]


def named(places: Sequence[Place], labels: np.ndarray, to_mni: np.ndarray | None) -> list[Place]:
    """The same places with the side and the name that MNI coordinates give them; as they are where there are none.

    Parameters
    ----------
    labels : (X, Y, Z) uint16 ndarray
        The number of each place, 0 outside.
    to_mni : (4, 4) float ndarray or None
        From voxel indices of the scan to MNI coordinates.
    """
    if to_mni is None:
        return list(places)
    found = []
    for place, box in zip(places, ndimage.find_objects(labels), strict=True):
        voxels = np.argwhere(labels[box] == place.number) + [axis.start for axis in box]
        side, name = name_of(voxels, to_mni)
        found.append(replace(place, side=side, name=name))
    return found


def name_of(voxels: np.ndarray, to_mni: np.ndarray) -> tuple[str, str]:
    """Side and name of a place in a brain.

    Parameters
    ----------
    voxels : (N, 3) int ndarray
        Of the place, indices of the scan.
    to_mni : (4, 4) float ndarray
        From voxel indices of the scan to MNI coordinates.

    Returns
    -------
    side : {'left', 'right', 'midline'}
    name : str
        Such as 'left temporal white matter' or 'right cerebellum'.
    """
    chosen = voxels[:: max(1, len(voxels) // ENOUGH)]
    points = nib.affines.apply_affine(to_mni, chosen)
    left = float(np.mean(1 - np.sign(points[:, 0]))) / 2
    side = "left" if left >= MOST else "right" if left <= 1 - MOST else "midline"
    lobes, shares = _shares(lobe_of(points))
    name = _name(lobes, shares, tissue_of(points))
    return side, f"{name} at the midline" if side == "midline" else f"{side} {name}"


def _shares(values: np.ndarray) -> tuple[list[str], list[float]]:
    """What there is, the most frequent first, and the share of each."""
    names, counts = np.unique(values, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return names[order].tolist(), (counts[order] / len(values)).tolist()


def _name(lobes: list[str], shares: list[float], tissues: np.ndarray) -> str:
    named = lobes[:2] if shares[0] < MOST and len(lobes) > 1 and shares[1] >= PART else lobes[:1]
    if any(name not in LOBES for name in named):
        return " and ".join(f"{name} lobe" if name in LOBES else name for name in named)
    (tissue, *_), (share, *_) = _shares(tissues)
    kind = tissue if share >= MOST else "lobes" if len(named) > 1 else "lobe"
    return f"{' and '.join(named)} {kind}"
