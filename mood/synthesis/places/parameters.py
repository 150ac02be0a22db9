"""What describes one altered place: every number, its meaning, and the value that changes nothing.

r            distance from the centre as a share of the radius, 1 at the surface of the shape
source       where the new content is read: the scan itself or another one, moved, turned, displaced
content      gain * source + tissue class * radial profile * (offset + pull to a level) + noise, blurred
altered      host + strength * mask * (content - host)
"""

from __future__ import annotations

from typing import Any

import numpy as np

KNOTS = 8  # of a radial profile, from the centre to the surface
ALL_TISSUE = 10.0  # width of a class of intensities that holds all of them

Place = dict[str, Any]


def untouched() -> Place:
    """A place that leaves the host as it is."""
    return {
        "strength": 0.0,  # share of the new content within the mask; 0 for a place that is not used
        "centre": np.zeros(3),  # host voxels, whole numbers
        "source": 0,  # index of the scan that the content is read from
        "origin": np.zeros(3),  # source voxel that the centre shows
        "frame": np.eye(3),  # from millimetres about the centre to voxels about the origin
        "to_unit": np.eye(3) / 10.0,  # from millimetres about the centre to a space where the shape has radius 1
        "roundness": 2.0,  # exponent of the norm there: 2 an ellipsoid, large a cuboid
        "raggedness": 0.0,  # how far noise moves the surface, in radii; about 1 breaks the shape up
        "grain_mm": 1.0,  # correlation length of that noise
        "rim": 1e-3,  # share of the radius over which the mask fades
        "displace": np.zeros((3, 3)),  # linear displacement about the centre, fading to 0 at the surface
        "push_mm": np.zeros(3),  # constant displacement, likewise
        "fade": 2.0,  # exponent of that fading: (1 - r ** fade) ** 2
        "gain": 1.0,
        "profile": np.ones(KNOTS),  # of offset and pull, by r
        "offset": 0.0,
        "pull": 0.0,  # share of the way to `level`
        "level": 0.0,
        "tissue": 0.5,  # intensity of the class that offset and pull act on
        "tissue_width": ALL_TISSUE,
        "noise": 0.0,  # standard deviation
        "noise_mm": 0.0,  # correlation length
        "blur": 0.0,  # share of the blurred content; negative sharpens
        "blur_mm": 1.0,
        "noise_start": np.zeros(6),  # where the two fields of noise are read from the bank
    }


def stacked_places(places: list[list[Place]]) -> dict[str, np.ndarray]:
    """Places of a batch as arrays (brains, places, ...): whole numbers int32, others float32."""
    whole = ("source", "noise_start", "centre")
    return {
        key: np.array([[place[key] for place in row] for row in places], np.int32 if key in whole else np.float32)
        for key in places[0][0]
    }
