"""A healthy torso as CT sees it: organs painted as ellipsoids and tubes, then warped.

Positions are millimetres from the middle of the field of view: +x to the patient's right, +y to the
front, +z to the head. Values are Hounsfield units (HU). It is a test object: plausible in grey level,
size and place, not a model of anybody's anatomy.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy.interpolate import CubicSpline

from mood.regions import Grid
from mood.synthesis.phantoms.random_fields import smooth_field, to_grey_levels, warp

AIR, LUNG, FAT, FLUID, MUSCLE, BOWEL_WALL, MARROW, BONE = -1000, -820, -100, 15, 58, 50, 170, 380
NO_END = np.inf
NOISE_HU = np.float32(12.0)  # in a voxel, standard deviation

# name: centre, radii (mm), HU; painted in this order, clipped to the cavity
ORGANS = {
    "right lung": ((74, -5, 235), (70, 96, 130), LUNG),
    "left lung": ((-76, -8, 235), (68, 96, 140), LUNG),
    "heart": ((-18, 28, 212), (58, 48, 62), 140),
    "liver, right lobe": ((72, 2, 78), (72, 82, 84), 108),
    "liver, left lobe": ((8, 48, 96), (76, 38, 44), 108),
    "gallbladder": ((58, 62, 34), (15, 24, 20), 8),
    "spleen": ((-104, -38, 92), (30, 46, 50), 118),
    "stomach wall": ((-58, 40, 82), (44, 42, 44), BOWEL_WALL),
    "stomach": ((-58, 40, 82), (40, 38, 40), FLUID),
    "pancreas": ((-20, 8, 38), (52, 12, 13), 90),
    "right kidney": ((66, -46, -2), (27, 24, 54), 180),
    "right renal sinus": ((58, -42, -2), (12, 9, 26), -40),
    "left kidney": ((-64, -46, 14), (27, 24, 55), 182),
    "left renal sinus": ((-56, -42, 14), (12, 9, 26), -40),
    "right iliacus": ((80, -18, -172), (30, 44, 62), MUSCLE),
    "left iliacus": ((-80, -18, -172), (30, 44, 62), MUSCLE),
    "bladder": ((0, 30, -200), (36, 32, 30), 5),
    "right psoas": ((42, -44, -90), (19, 20, 120), MUSCLE),
    "left psoas": ((-42, -44, -90), (19, 20, 120), MUSCLE),
    "aorta": ((-12, -22, 60), (11, 11, 175), 165),
    "right iliac vessels": ((24, -18, -150), (9, 9, 70), 150),
    "left iliac vessels": ((-28, -18, -150), (9, 9, 70), 150),
    "vena cava": ((20, -20, 40), (13, 10, 160), 135),
}
COLON = [
    (0, -45, -210), (-18, -5, -185), (-62, 0, -160), (-108, -10, -110), (-114, -22, -20), (-108, -10, 48),
    (-70, 48, 34), (-10, 68, 6), (48, 66, 2), (98, 26, -8), (108, -6, -60), (98, 6, -118),
]  # fmt: skip
SMALL_BOWEL = ((-82, -18, -175), (86, 72, 10))  # the box its loops wind through


class Canvas:
    """Hounsfield units on a grid, painted in millimetres; each shape moves and grows a little.

    Attributes
    ----------
    hu : (X, Y, Z) float32 ndarray
    cavity : (X, Y, 1) bool ndarray
        Where organs can be.
    """

    def __init__(self, grid: Grid, rng: Generator) -> None:
        self.hu = np.full(grid.shape, AIR, np.float32)
        self.cavity = np.ones((*grid.shape[:2], 1), bool)
        self.axes = [(np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(grid.shape, grid.spacing_mm, strict=True)]
        self.rng = rng

    def ellipsoid(self, centre, radii, hu: float, air_above: float = NO_END) -> None:
        """Fill one ellipsoid; in front of `air_above` (mm along y, the patient lies on the back) with air."""
        spans = zip(self.axes, centre, radii, strict=True)
        box = tuple(slice(*np.searchsorted(axis, [c - r, c + r])) for axis, c, r in spans)
        x, y, z = np.ix_(*(axis[part] for axis, part in zip(self.axes, box, strict=True)))
        (cx, cy, cz), (rx, ry, rz) = centre, radii
        inside = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2 < 1.0
        inside &= self.cavity[box[0], box[1]]
        self.hu[box][inside] = np.broadcast_to(np.where(y > air_above, AIR, hu), inside.shape)[inside]

    def organ(self, centre, radii, hu: float) -> None:
        """An ellipsoid with a subject's own place, size and enhancement."""
        place = np.array(centre) + self.rng.normal(0.0, 3.0, 3)
        self.ellipsoid(place, np.array(radii) * self.rng.normal(1.0, 0.05), hu + self.rng.normal(0.0, 4.0))

    def tube(self, points, radius: float, wall: float, share_of_air: float) -> None:
        """Bowel along a smooth curve: a wall, and inside it fluid with air in front."""
        curve = CubicSpline(np.arange(len(points)), np.array(points, float))
        length = np.linalg.norm(np.diff(points, axis=0), axis=1).sum()
        steps = np.linspace(0, len(points) - 1, max(2, int(length / (0.35 * radius))))
        # Haustra: the calibre narrows every few centimetres.
        radii = radius * (1 + 0.16 * np.sin(steps * length / len(points) * 2 * np.pi / (1.8 * radius)))
        level = self.rng.uniform(-0.7, 0.4, len(points))
        airy = self.rng.random(len(points)) < share_of_air
        for centre, r in zip(curve(steps), radii, strict=True):
            self.ellipsoid(centre, (r, r, r), BOWEL_WALL)
        for step, centre, r in zip(steps.astype(int), curve(steps), radii - wall, strict=True):
            surface = centre[1] + level[step] * r if airy[step] else NO_END
            self.ellipsoid(centre, (r, r, r), FLUID, air_above=surface)


def draw_torso(grid: Grid, rng: Generator) -> np.ndarray:
    """One subject's torso in HU; it reaches the first and the last slice along the last axis.

    Returns
    -------
    (X, Y, Z) float32 ndarray, Fortran order
    """
    size = rng.normal(1.0, 0.04)
    scaled = Grid(grid.shape, tuple(mm / size for mm in grid.spacing_mm))  # type: ignore[arg-type]
    canvas = Canvas(scaled, rng)
    ribs = _body(canvas, fat_mm=rng.uniform(14, 30))
    _bowel(canvas)
    for centre, radii, hu in ORGANS.values():
        canvas.organ(centre, radii, hu)
    canvas.cavity[...] = True
    _spine(canvas)
    _ribs_and_pelvis(canvas, ribs)
    bends = tuple(smooth_field(grid.shape, 6, 6.0 / mm, rng) for mm in grid.spacing_mm)
    torso = warp(canvas.hu, grid.shape, np.eye(3, 4), bends, mode="nearest")  # type: ignore[arg-type]
    perfusion = smooth_field(grid.shape, 24, 7.0, rng)
    for k in range(grid.shape[2]):
        torso[:, :, k] += perfusion.slice(k)
    return torso


def _body(canvas: Canvas, fat_mm: float) -> np.ndarray:
    """Skin to cavity: fat, the muscle wall, and in it the ring the ribs lie in, (X, Y, 1) bool."""
    x, y = np.ix_(*canvas.axes[:2])

    def outline(inset: float) -> np.ndarray:
        return (np.abs(x / (172 - inset)) ** 2.4 + np.abs(y / (116 - inset)) ** 2.4 < 1.0)[..., None]

    shells = [
        (outline(0), MUSCLE - 20),
        (outline(2), FAT),
        (outline(fat_mm), MUSCLE),
        (outline(fat_mm + 18), FAT),
    ]
    for shell, hu in shells:
        np.copyto(canvas.hu, hu, where=shell)
    canvas.cavity &= outline(fat_mm + 18)
    return outline(fat_mm + 6) & ~outline(fat_mm + 13)


def _bowel(canvas: Canvas) -> None:
    low, high = np.array(SMALL_BOWEL)
    for _ in range(7):
        canvas.tube(canvas.rng.uniform(low, high, (14, 3)), 13.0, 2.5, share_of_air=0.12)
    colon = np.array(COLON) + canvas.rng.normal(0.0, 5.0, (len(COLON), 3))
    canvas.tube(colon, canvas.rng.uniform(19, 24), 3.0, share_of_air=0.8)


def _spine(canvas: Canvas) -> None:
    for side in (-1, 1):
        canvas.ellipsoid((side * 38, -80, 0), (32, 20, NO_END), MUSCLE)
    canvas.ellipsoid((0, -56, 0), (22, 17, NO_END), 85)  # discs; the vertebrae are painted over them
    bottom, top = canvas.axes[2][0] - 20, canvas.axes[2][-1] + 20
    for z in np.arange(bottom, top, 33.0):
        for half in np.arange(-13.0, 13.1, 2.0):
            rim = 1.0 + 0.12 * (abs(half) / 13) ** 2  # end plates are wider than the waist
            canvas.ellipsoid((0, -56, z + half), (24 * rim, 19 * rim, 3), BONE - 80)
            canvas.ellipsoid((0, -56, z + half), (21 * rim, 16 * rim, 3), MARROW)
        canvas.ellipsoid((0, -84, z), (17, 9, 14), BONE - 60)
        canvas.ellipsoid((0, -84, z), (42, 5, 6), BONE - 100)
        canvas.ellipsoid((0, -98, z - 4), (4, 13, 11), BONE - 60)
    canvas.ellipsoid((0, -79, 0), (9, 8, NO_END), 30)


def _ribs_and_pelvis(canvas: Canvas, ring: np.ndarray) -> None:
    x, y, z = np.ix_(*canvas.axes)
    chest = canvas.axes[2] > 40
    along = z[:, :, chest] - 0.55 * y + 0.1 * np.abs(x)  # ribs fall from the spine to the front
    ribs = ring & (np.mod(along, 30.0) < 11.0) & (np.abs(x) > 24) & (along < 400) & (along > 70)
    canvas.hu[:, :, chest] = np.where(ribs, BONE, canvas.hu[:, :, chest])
    basin = canvas.axes[2] < -95
    low = z[:, :, basin]
    reach = np.sqrt((x / 118) ** 2 + ((y + 12) / 82) ** 2 + ((low + 190) / 105) ** 2)
    wing = (np.abs(reach - 0.96) < 0.055) & (np.abs(x) > 46) & (y < 38)
    canvas.hu[:, :, basin] = np.where(wing, np.where(np.abs(reach - 0.96) < 0.03, MARROW, BONE), canvas.hu[:, :, basin])


def scan_torso(
    hu: np.ndarray, shape: tuple[int, int, int], window_hu: tuple[float, float], rng: Generator
) -> np.ndarray:
    """A torso as a CT volume: on a finer grid of the same extent, with grain, windowed.

    Parameters
    ----------
    hu : (A, B, C) float32 ndarray
    shape : (X, Y, Z)
    window_hu : HU that become 0 and 1

    Returns
    -------
    (X, Y, Z) float32 ndarray in [0, 1], Fortran order
    """
    scan = np.zeros(shape, np.float32, order="F")
    low, high = (np.float32(level) for level in window_hu)
    below, share = _neighbours(hu.shape[2], shape[2])
    for k, first in enumerate(below):
        plane = _mix(hu[:, :, first], hu[:, :, min(first + 1, hu.shape[2] - 1)], share[k])
        plane = _stretched(_stretched(plane, shape[0]).T, shape[1])  # (Y, X), as the scan lies in memory
        body = _extent(plane > low - 6 * NOISE_HU)  # air stays 0 whatever its noise
        grain = NOISE_HU * rng.standard_normal(plane[body].shape, dtype=np.float32)
        scan[:, :, k].T[body] = to_grey_levels((plane[body] + grain - low) / (high - low))
    return scan


def _extent(mask: np.ndarray) -> tuple[slice, slice]:
    """The smallest box around what is true in a plane."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return tuple(slice(i[0], i[-1] + 1) if i.size else slice(0) for i in (rows, columns))  # type: ignore


def _neighbours(coarse: int, fine: int) -> tuple[np.ndarray, np.ndarray]:
    """For each of `fine` points over `coarse` voxels: the voxel below, and the share of the one above."""
    place = np.clip((np.arange(fine) + 0.5) * coarse / fine - 0.5, 0, coarse - 1)
    below = np.minimum(place.astype(int), max(coarse - 2, 0))
    return below, (place - below).astype(np.float32)


def _stretched(plane: np.ndarray, fine: int) -> np.ndarray:
    """Linear interpolation of the first axis at `fine` points."""
    below, share = _neighbours(len(plane), fine)
    return _mix(plane[below], plane[np.minimum(below + 1, len(plane) - 1)], share[:, None])


def _mix(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    return first + share * (second - first)
