"""What differs between scanners and positions and not between health and disease.

A scan is augmented as a whole after it was altered, so that nothing but the alteration tells its places apart.

    augmented = draw_augmentation(rng, mirror=True).apply(labelled)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from scipy import ndimage
from scipy.spatial.transform import Rotation

from mood.synthesis.labelled_scan import LabelledScan

GAMMA = (0.9, 1.11)  # wider ones hide what an altered brightness would tell
SHADING = 0.03  # of the coil, standard deviation at the control points
SHADING_POINTS = 4  # along each axis
BLUR = (0.3, 0.8)  # voxels, standard deviation
NOISE = (0.0, 0.015)  # of the intensity range, standard deviation
TURN_DEGREES, SCALING = 6.0, 0.06  # standard deviations
BLURRED, NOISY, POSED = 0.2, 0.4, 0.4  # shares of the pairs
LEAST_TISSUE = 1e-3  # tissue never becomes background


@dataclass(frozen=True)
class Augmentation:
    """One change of appearance and pose, fully decided; 0 in `blur` and `noise` and None in `pose` do nothing."""

    gamma: float
    shading: np.ndarray  # (P, P, P) factors
    blur: float
    noise: float
    seed: int
    mirrored: bool
    pose: np.ndarray | None  # (3, 3) about the middle

    def apply(self, labelled: LabelledScan) -> LabelledScan:
        """A changed copy: the label moves with the scan, and keeps its values."""
        scan = replace(labelled.scan, data=self._changed_appearance(self._moved(labelled.scan.data)))
        return LabelledScan(scan, self._moved(labelled.label))

    def _changed_appearance(self, scan: np.ndarray) -> np.ndarray:
        """The change of appearance alone: (X, Y, Z) float32 in [0, 1], background 0, to the same."""
        tissue = scan > 0
        if self.blur:
            scan = ndimage.gaussian_filter(scan, self.blur)
        factors = [n / len(self.shading) for n in scan.shape]
        bright = np.power(scan, np.float32(self.gamma)) * ndimage.zoom(self.shading, factors, order=1)
        if self.noise:
            noise = np.random.default_rng(self.seed).standard_normal(scan.shape, dtype=np.float32)
            bright += np.float32(self.noise) * noise
        return np.where(tissue, np.clip(bright, LEAST_TISSUE, 1), 0).astype(np.float32)

    def _moved(self, image: np.ndarray) -> np.ndarray:
        """The change of pose alone, of a scan or its label: (X, Y, Z) float32 to the same."""
        image = image[::-1] if self.mirrored else image
        if self.pose is None:
            return image
        middle = (np.array(image.shape) - 1) / 2
        return ndimage.affine_transform(image, self.pose, middle - self.pose @ middle, order=1)


def draw_augmentation(rng: Generator, mirror: bool) -> Augmentation:
    """Everything at random; `mirror` allows left-right flips."""
    pose = None
    if rng.random() < POSED:
        turn = Rotation.from_euler("xyz", rng.normal(0.0, TURN_DEGREES, 3), degrees=True).as_matrix()
        pose = turn @ np.diag(np.exp(rng.normal(0.0, SCALING, 3)))
    return Augmentation(
        gamma=float(np.exp(rng.uniform(*np.log(GAMMA)))),
        shading=(1 + rng.normal(0.0, SHADING, (SHADING_POINTS,) * 3)).astype(np.float32),
        blur=float(rng.uniform(*BLUR)) if rng.random() < BLURRED else 0.0,
        noise=float(rng.uniform(*NOISE)) if rng.random() < NOISY else 0.0,
        seed=int(rng.integers(2**31)),
        mirrored=bool(mirror and rng.random() < 0.5),
        pose=pose,
    )
