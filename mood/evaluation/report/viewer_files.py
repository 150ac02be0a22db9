"""Regions as files that other viewers open by themselves: label volumes, and the names and colours of the labels."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from mood.atomic import write_text
from mood.evaluation.places import Place
from mood.formats.label_volumes import save_labels

GOLDEN_ANGLE = 0.618  # of the colour circle, between one place and the next: neighbours in number differ in colour


def save_viewer_files(
    folder: Path, name: str, labels: np.ndarray, places: Sequence[Place], header: nib.Nifti1Header, affine: np.ndarray
) -> None:
    """Write the places of one scan for ITK-SNAP, FSLeyes, 3D Slicer and whatever reads NIfTI.

    `NAME_regions.nii.gz` (each place's number), `NAME_mask.nii.gz` (0 or 1), `NAME_itksnap.txt`,
    `NAME_fsleyes.lut` and `NAME_slicer.ctbl`.

    Parameters
    ----------
    labels : (X, Y, Z) uint16 ndarray
        On the scan's own voxels.
    header, affine
        Those of the scan.

    Raises
    ------
    OutputError
        When the folder cannot be written.
    """
    texts = {"itksnap.txt": itksnap_labels, "fsleyes.lut": fsleyes_colours, "slicer.ctbl": slicer_colours}
    save_labels(folder / f"{name}_regions.nii.gz", labels, max(len(places), 1), header, affine)
    save_labels(folder / f"{name}_mask.nii.gz", (labels > 0).astype(np.uint8), 1, header, affine)
    for suffix, write in texts.items():
        write_text(folder / f"{name}_{suffix}", write(places))


def colour(number: int) -> tuple[int, int, int]:
    """The colour of a place: red, green and blue from 0 to 255."""
    red, green, blue = colorsys.hsv_to_rgb(number * GOLDEN_ANGLE % 1, 0.75, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def title(place: Place) -> str:
    """A place in a few words, without commas or quotes."""
    return f"{place.number} {place.where.replace(',', '')} {place.volume_ml:.1f} ml"


def itksnap_labels(places: Sequence[Place]) -> str:
    """ITK-SNAP: number, red, green, blue, opacity, visible, in 3-D, quoted name."""
    rows = ['0 0 0 0 0 0 0 "Clear Label"']
    rows += [f'{place.number} {_words(colour(place.number))} 1 1 1 "{title(place)}"' for place in places]
    return "\n".join(rows) + "\n"


def fsleyes_colours(places: Sequence[Place]) -> str:
    """FSLeyes: number, red, green and blue from 0 to 1, name."""
    shares = {place.number: [f"{part / 255:.4f}" for part in colour(place.number)] for place in places}
    return "".join(f"{place.number} {' '.join(shares[place.number])} {title(place)}\n" for place in places)


def slicer_colours(places: Sequence[Place]) -> str:
    """3D Slicer: number, name without blanks, red, green, blue, opacity."""
    rows = ["# Color table file", "0 background 0 0 0 0"]
    rows += [f"{place.number} {title(place).replace(' ', '_')} {_words(colour(place.number))} 255" for place in places]
    return "\n".join(rows) + "\n"


def _words(numbers: tuple[int, ...]) -> str:
    return " ".join(map(str, numbers))
