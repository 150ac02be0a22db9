"""Whether the members of a detector agree on a place: how much of it each of them finds by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from mood.evaluation.places import Place
from mood.formats.member_volumes import member_path, read_members


def agreeing(places: Sequence[Place], labels: np.ndarray, affine: np.ndarray, map_path: Path) -> list[Place]:
    """The same places with the share of each that every member finds; as they are where that was not kept.

    Parameters
    ----------
    labels : (X, Y, Z) uint16 ndarray
        The number of each place, 0 outside.
    affine : (4, 4) float64 ndarray
        Of the scan.
    map_path : pathlib.Path
        The map that they stand out of.
    """
    found = read_members(member_path(map_path)) if places else None
    if found is None:
        return list(places)
    told = []
    for place, box in zip(places, ndimage.find_objects(labels), strict=True):
        voxels = np.argwhere(labels[box] == place.number) + [axis.start for axis in box]
        shares = found.shares(nib.affines.apply_affine(affine, voxels))
        told.append(replace(place, members=", ".join(f"{name} {share:.0%}" for name, share in shares.items())))
    return told
