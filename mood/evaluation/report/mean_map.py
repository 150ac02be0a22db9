"""The mean of many maps: in how many scans each place of the template stands out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from nibabel.affines import from_matvec
from PIL import Image
from scipy import ndimage

from mood.evaluation.report.pictures import BANDS, TILE
from mood.methods.registration.template import Template, packaged_template
from mood.regions import BRAIN

COARSE, FINE = 64, 128  # voxels along a side of the grid that maps are counted on, and that the template is drawn on
SLICES, COLUMNS = 8, 4  # axial, from the lowest to the highest
REACH = (0.16, 0.88)  # of the template's tissue, from bottom to top, that the slices lie in
LEAST = 0.5  # scans: what less than this many have is interpolation's
OPACITY = 0.75


def template(side: int) -> Template:
    """The brain's template on a grid of so many voxels along a side."""
    return packaged_template(str(BRAIN.template), BRAIN.grid.coarsened(side))


def on_template(mask: np.ndarray, to_mni: np.ndarray) -> np.ndarray:
    """Which voxels of the template a mask covers.

    Parameters
    ----------
    mask : (X, Y, Z) bool ndarray
        On the scan's own voxels.
    to_mni : (4, 4) float ndarray
        From their indices to MNI coordinates.

    Returns
    -------
    (64, 64, 64) float32 ndarray in [0, 1]
    """
    known = template(COARSE)
    spacing, shape = np.array(known.grid.spacing_mm), np.array(known.grid.shape)
    mm = from_matvec(np.diag(spacing), np.array(known.middle_mm) - spacing * (shape - 1) / 2)
    matrix = np.linalg.inv(to_mni) @ mm
    return ndimage.affine_transform(
        mask.astype(np.float32), matrix[:3, :3], matrix[:3, 3], tuple(known.grid.shape), order=1
    )


@dataclass
class MeanMap:
    """Counts scans, one at a time.

    Attributes
    ----------
    scans : int
        How many lie on the template.
    counts : (64, 64, 64) float32 ndarray
        In how many of them each voxel stands out.
    """

    scans: int = 0
    counts: np.ndarray = field(default_factory=lambda: np.zeros((COARSE,) * 3, np.float32))

    def add(self, covered: np.ndarray | None) -> None:
        """Count one scan; none that lies on no template."""
        if covered is not None:
            self.scans += 1
            self.counts += covered

    @property
    def most(self) -> int:
        """In how many scans the voxel stands out that does so in most."""
        return round(float(self.counts.max()))

    def picture(self) -> Image.Image:
        """Axial slices of the template, the patient's left on the left, coloured by how many scans stand out there."""
        image = template(FINE).image
        assert image is not None
        filled = np.flatnonzero(image.any(axis=(0, 1)))
        low, high = (filled[0] + share * (filled[-1] - filled[0]) for share in REACH)
        counts = ndimage.zoom(self.counts, FINE / COARSE, order=1, grid_mode=True, mode="nearest")
        sheet = Image.new("RGB", (COLUMNS * TILE, SLICES // COLUMNS * TILE))
        for i, z in enumerate(np.linspace(low, high, SLICES).round().astype(int)):
            tile = _slice(image[:, :, z], counts[:, :, z], max(self.most, 1))
            sheet.paste(tile, (i % COLUMNS * TILE, i // COLUMNS * TILE))
        return sheet


def _slice(grey: np.ndarray, counts: np.ndarray, most: int) -> Image.Image:
    picture = np.repeat(grey[..., None] * 255, 3, axis=2)
    shown = counts >= LEAST
    shades = np.array([colour for _, colour in BANDS], np.float32)
    at = np.linspace(1, max(most, 2), len(shades))
    colours = np.stack([np.interp(counts[shown], at, shades[:, i]) for i in range(3)], axis=1)
    picture[shown] = (1 - OPACITY) * picture[shown] + OPACITY * colours
    image = Image.fromarray(picture.transpose(1, 0, 2)[::-1].astype(np.uint8))
    return image.resize((TILE, TILE), Image.Resampling.BICUBIC)
