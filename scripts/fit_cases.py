"""Scans that are not fit to score, made from healthy ones; for bench_fit.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import nibabel as nib
import numpy as np
from scipy import ndimage

from mood.volume import Volume

Made = Callable[[Volume, np.random.Generator], Volume]

SHELLS_MM = (("fluid", 2.5, 0.15), ("bone", 8.0, 0.08), ("scalp", 15.0, 0.9))  # outer edge, brightness in T1
LUNG = (-840.0, 60.0)  # HU and its spread
# Brightness of air, fat, soft tissue and bone of a CT window in T1-weighted MR, and in MR that suppresses fat.
CT_LEVELS = (0, 0.03, 0.1, 0.2, 0.35, 0.5, 0.6, 0.8, 1)
MR_LEVELS = (0, 0.02, 0.9, 0.95, 0.4, 0.45, 0.4, 0.15, 0.05)
FAT_SUPPRESSED = (0, 0.02, 0.15, 0.2, 0.35, 0.5, 0.75, 0.3, 0.1)
# Brightness of fluid, grey and white matter of a T1 in other contrasts.
T1_LEVELS = (0, 0.25, 0.5, 0.75, 1)
T2_LEVELS = (1, 0.9, 0.55, 0.4, 0.3)


def spacing(volume: Volume) -> np.ndarray:
    """Voxel sizes in mm along the array's axes."""
    return nib.affines.voxel_sizes(volume.affine)


def half(volume: Volume, rng: np.random.Generator) -> Volume:
    """Its left or right half."""
    data, filled = volume.data.copy(), np.flatnonzero(volume.data.max(axis=(1, 2)) > 0)
    middle = int(filled[0] + filled[-1]) // 2
    data[slice(middle, None) if rng.random() < 0.5 else slice(None, middle)] = 0
    return replace(volume, data=data)


def slab(volume: Volume, rng: np.random.Generator) -> Volume:
    """30 to 60 mm of it."""
    filled = np.flatnonzero(volume.data.max(axis=(0, 1)) > 0)
    thick = int(rng.uniform(30, 60) / spacing(volume)[2])
    start = int(rng.integers(filled[0], max(filled[-1] - thick, filled[0] + 1)))
    return replace(volume, data=volume.data[:, :, start : start + thick])


def inverted(volume: Volume, rng: np.random.Generator) -> Volume:
    """Dark for bright within the tissue."""
    top = np.percentile(volume.data[volume.data > 0], 99.5)
    return replace(volume, data=np.where(volume.data > 0, np.clip(1.05 * top - volume.data, 1, None), 0))


def like_t2(volume: Volume, rng: np.random.Generator) -> Volume:
    """Fluid bright, white matter dark."""
    share = volume.data / np.percentile(volume.data[volume.data > 0], 99.5)
    levels = np.interp(share.clip(0, 1), T1_LEVELS, T2_LEVELS)
    return replace(volume, data=np.where(volume.data > 0, 255 * levels, 0).astype(np.float32))


def small(volume: Volume, rng: np.random.Generator) -> Volume:
    """An animal's size: 0.3 to 0.5 of a person's along each axis."""
    affine = volume.affine.copy()
    affine[:3, :3] *= rng.uniform(0.3, 0.5)
    return replace(volume, affine=affine)


def coarse(volume: Volume, rng: np.random.Generator) -> Volume:
    """Voxels of 6 to 9 mm."""
    factors = spacing(volume) / rng.uniform(6, 9)
    data = ndimage.zoom(ndimage.gaussian_filter(volume.data, 0.4 / factors), factors, order=1)
    affine = volume.affine.copy()
    affine[:3, :3] /= factors
    return replace(volume, data=np.where(data > 0.05 * data.max(), data, 0), affine=affine)


def with_skull(volume: Volume, rng: np.random.Generator) -> Volume:
    """In a painted head: fluid, bone and scalp about it, a face and a neck of half the times."""
    mm, pad = spacing(volume), int(60 / spacing(volume).min())
    data = np.pad(volume.data.astype(np.float32), pad)
    top = float(np.percentile(data[data > 0], 99))
    brain = ndimage.binary_closing(data > 0, iterations=3)
    distance = ndimage.distance_transform_edt(~brain, sampling=mm)
    inner = 0.0
    for _, outer, level in SHELLS_MM:
        shell = (distance > inner) & (distance <= outer)
        data[shell] = top * np.clip(rng.normal(level, 0.08, np.count_nonzero(shell)), 0.02, None)
        inner = outer
    if rng.random() < 0.5:
        soft = _face_and_neck(brain, mm) & (distance > inner)
        data[soft] = top * np.clip(rng.normal(0.5, 0.2, np.count_nonzero(soft)), 0.05, None)
    affine = volume.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ np.full(3, pad)
    return replace(volume, data=data, affine=affine)


def _face_and_neck(brain: np.ndarray, mm: np.ndarray) -> np.ndarray:
    centre = ndimage.center_of_mass(brain)
    x, y, z = (
        ((np.arange(n) - c) * side).reshape([-1 if i == axis else 1 for i in range(3)])
        for axis, (n, c, side) in enumerate(zip(brain.shape, centre, mm, strict=True))
    )
    face = (x / 60) ** 2 + ((y - 45) / 55) ** 2 + ((z + 75) / 65) ** 2 < 1
    neck = ((x / 55) ** 2 + ((y + 10) / 60) ** 2 < 1) & (z < -50)
    return face | neck


def chest(volume: Volume, rng: np.random.Generator) -> Volume:
    """Lungs where an abdomen has its organs."""
    hu = volume.data.min() < -200
    body = ndimage.binary_opening(volume.data > (-300 if hu else 5), iterations=2)
    body = np.stack([ndimage.binary_fill_holes(body[:, :, at]) for at in range(body.shape[2])], axis=2)
    wall = ndimage.binary_erosion(body, np.ones((3, 3, 1)), iterations=int(rng.uniform(25, 35) / spacing(volume)[0]))
    middle = ndimage.center_of_mass(body)[0]
    aside = np.abs(np.arange(body.shape[0]) - middle) * spacing(volume)[0] > rng.uniform(15, 25)
    data = volume.data.astype(np.float32)
    lung = wall & aside[:, None, None]
    data[lung] = rng.normal(*LUNG, np.count_nonzero(lung)) if hu else 0
    return replace(volume, data=data)


def mr(levels: tuple[float, ...]) -> Made:
    """A CT's tissues as bright as in MR, under a coil's uneven field."""

    def made(volume: Volume, rng: np.random.Generator) -> Volume:
        low, high = (-160, 240) if volume.data.min() < -200 else (0, 255)
        shown = np.interp(((volume.data - low) / (high - low)).clip(0, 1), CT_LEVELS, levels)
        field = ndimage.zoom(rng.uniform(0.6, 1.3, (4, 4, 4)), np.array(volume.data.shape) / 4, order=1)
        noisy = 400 * shown * field + rng.normal(0, 6, shown.shape)
        return replace(volume, data=np.abs(noisy).astype(np.float32))

    return made


BRAINS: dict[str, Made] = {
    "skull on (painted)": with_skull,
    "half": half,
    "slab": slab,
    "inverted": inverted,
    "like T2": like_t2,
    "an animal's size": small,
    "6 to 9 mm": coarse,
}
ABDOMENS: dict[str, Made] = {
    "chest (painted lungs)": chest,
    "like MR": mr(MR_LEVELS),
    "like MR, fat suppressed": mr(FAT_SUPPRESSED),
}
