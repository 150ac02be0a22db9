"""Slices as pictures: the mosaic for where there is no 3-D graphics, thumbnails, and the preview of a scan."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import nibabel as nib
import numpy as np
from PIL import Image

from mood.evaluation.report.display import Display

# From this many decades on: one healthy voxel in 100, 1,000, 10,000, 100,000. Told apart by lightness as well.
BANDS = ((2.0, (255, 221, 87)), (3.0, (255, 150, 50)), (4.0, (235, 60, 110)), (5.0, (190, 90, 255)))
OPACITY = 0.65
OUTLINE, TRUTH = (255, 255, 255), (64, 224, 255)
PLANES = ("sagittal", "coronal", "axial")  # cut across the RAS axis of this index
MOSAIC_ROWS = 3
TILE, THUMBNAIL, QUALITY = 240, 168, 78  # pixels, pixels, of JPEG


def slice_picture(display: Display, axis: int, index: int, threshold_decades: float) -> Image.Image:
    """One slice: the scan in grey, what reaches the threshold in colours of rarity, outlines of places and label.

    Seen with the patient's left on the left, front and top up.
    """
    index = int(np.clip(index, 0, display.scan.shape[axis] - 1))
    cut = tuple(index if i == axis else slice(None) for i in range(3))
    picture = np.repeat(np.clip(display.scan[cut], 0, 1)[..., None] * 255, 3, axis=2)
    decades = display.decades[cut]
    for start, colour in BANDS:
        chosen = (decades >= max(start, threshold_decades)) & (decades > 0)
        picture[chosen] = (1 - OPACITY) * np.repeat(display.scan[cut][chosen][:, None] * 255, 3, 1)
        picture[chosen] += OPACITY * np.array(colour)
    picture[_edge(display.labels[cut] > 0)] = OUTLINE
    if display.truth is not None:
        picture[_edge(display.truth[cut])] = TRUTH
    first, second = (mm for i, mm in enumerate(display.spacing_mm) if i != axis)
    width, height = picture.shape[0] * first, picture.shape[1] * second
    image = Image.fromarray(picture.transpose(1, 0, 2)[::-1].astype(np.uint8))
    scale = TILE / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return image.resize(size, Image.Resampling.BICUBIC)


def _edge(mask: np.ndarray) -> np.ndarray:
    """The pixels of a mask that have one outside it beside them."""
    wide = np.pad(mask, 1)
    inner = wide[1:-1, :-2] & wide[1:-1, 2:] & wide[:-2, 1:-1] & wide[2:, 1:-1]
    return mask & ~inner


def mosaic(display: Display, points_mm: Sequence[Sequence[float]], threshold_decades: float) -> Image.Image:
    """Three planes through each of the first places, or, where there is none, through the rarest voxel."""
    inverse = np.linalg.inv(display.affine)
    voxels = [np.rint(nib.affines.apply_affine(inverse, point)).astype(int) for point in points_mm[:MOSAIC_ROWS]]
    voxels = voxels or [np.array(np.unravel_index(int(display.decades.argmax()), display.decades.shape))]
    sheet = Image.new("RGB", (3 * TILE, len(voxels) * TILE))
    for row, voxel in enumerate(voxels):
        for column, axis in enumerate((2, 1, 0)):
            tile = slice_picture(display, axis, voxel[axis], threshold_decades)
            corner = column * TILE + (TILE - tile.width) // 2, row * TILE + (TILE - tile.height) // 2
            sheet.paste(tile, corner)
    return sheet


def thumbnail(display: Display, threshold_decades: float) -> Image.Image:
    """The axial slice with the most voxels above the threshold, or else the rarest one."""
    above = (display.decades >= threshold_decades).sum(axis=(0, 1))
    worst = int(above.argmax()) if above.any() else int(display.decades.max(axis=(0, 1)).argmax())
    picture = slice_picture(display, 2, worst, threshold_decades)
    square = Image.new("RGB", (TILE, TILE))
    square.paste(picture, ((TILE - picture.width) // 2, (TILE - picture.height) // 2))
    return square.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)


def data_address(picture: Image.Image) -> str:
    """A picture inside a page: a JPEG as `data:` address."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
