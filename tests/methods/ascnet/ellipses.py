"""Arrays that ASC-Net learns in seconds: one ellipse an image, with an intruder or without."""

import numpy as np

from mood.methods.ascnet.arrays import INPUTS, MASKS, REFERENCE
from mood.methods.ascnet.intruders import with_intruders


def ellipses(count, rng, side=32):
    """(count, side, side): one grey ellipse each, slightly noisy, on a background of 0."""
    rows, columns = np.mgrid[:side, :side]
    images = np.zeros((count, side, side), np.float32)
    for image in images:
        (row, column), (a, b) = rng.uniform(13, 19, 2), rng.uniform(9, 13, 2)
        inside = ((rows - row) / a) ** 2 + ((columns - column) / b) ** 2 < 1
        image[inside] = np.clip(0.55 + 0.04 * rng.standard_normal(inside.sum()), 0, 1)
    return images


def write_arrays(folder, count, rng):
    folder.mkdir()
    inputs, masks = with_intruders(ellipses(count, rng), rng)
    for name, images in ((REFERENCE, ellipses(count, rng)), (INPUTS, inputs), (MASKS, masks.astype(np.uint8))):
        np.save(folder / name, images[..., None])
    return folder
