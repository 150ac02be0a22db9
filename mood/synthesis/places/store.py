"""Many scans at their native voxels in one array of bytes, each in the same corner of an equal box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mood.conform import content_box
from mood.intensities import standardised
from mood.regions import Region
from mood.synthesis.native import NativeScan

GREYS = 255
AIR_RIM = 1  # voxels of air around each scan, so that what lies beyond it can be read from its border
REFERENCE_MM = 100.0  # half the extent that a body is scaled to where nothing better says where its places are


@dataclass(frozen=True, eq=False)
class ScanStore:
    """Scans as a network is to see them, and where each lies.

    Attributes
    ----------
    voxels : (N or more, X, Y, Z) uint8 ndarray
        Standardised intensities in `GREYS` steps, RAS axes, 0 in air.
    spacing_mm : (N, 3) float32 ndarray
    middle : (N, 3) float32 ndarray
        Of the content, in voxels.
    to_template : (N, 3, 4) float64 ndarray
        From voxels to millimetres of a space in which the same place of all bodies has the same coordinates.
    sites : (N,) ndarray of str
        Scans of one site look alike.
    """

    voxels: np.ndarray
    spacing_mm: np.ndarray
    middle: np.ndarray
    to_template: np.ndarray
    sites: np.ndarray

    def __len__(self) -> int:
        return len(self.sites)

    @property
    def box(self) -> tuple[int, int, int]:
        """Voxels of the box that each scan lies in."""
        x, y, z = self.voxels.shape[1:]
        return x, y, z

    def roomy(self, count: int, box: tuple[int, int, int]) -> ScanStore:
        """The same scans in a larger array, so that what is compiled for one store serves another."""
        missing = [large - own for large, own in zip((count, *box), self.voxels.shape, strict=True)]
        return replace(self, voxels=np.pad(self.voxels, [(0, n) for n in missing]))

    def subset(self, indices: Sequence[int]) -> ScanStore:
        """Some of the scans, in this order."""
        rows = np.asarray(indices, int)
        return ScanStore(
            self.voxels[rows], self.spacing_mm[rows], self.middle[rows], self.to_template[rows], self.sites[rows]
        )


def to_bytes(scan: np.ndarray) -> np.ndarray:
    """[0, 1] to 0..255; tissue never becomes air."""
    return np.where(scan > 0, np.clip(np.rint(scan * GREYS), 1, GREYS), 0).astype(np.uint8)


def stacked(
    scans: Sequence[np.ndarray],
    spacings_mm: Sequence[tuple[float, ...]],
    to_template: Sequence[np.ndarray],
    sites: Sequence[str],
) -> ScanStore:
    """One store of scans that are bytes already.

    Parameters
    ----------
    scans : (X, Y, Z) uint8 ndarrays of any shapes
    to_template : (3, 4) ndarrays
        From the voxels of these arrays.
    """
    shape = tuple(int(n) + 2 * AIR_RIM for n in np.max([scan.shape for scan in scans], axis=0))
    voxels = np.zeros((len(scans), *shape), np.uint8)
    middles, affines = [], []
    for row, scan, affine in zip(voxels, scans, to_template, strict=True):
        row[tuple(slice(AIR_RIM, AIR_RIM + n) for n in scan.shape)] = scan
        low, high = content_box(row)
        middles.append([(a + b - 1) / 2 for a, b in zip(low, high, strict=True)])
        affines.append(np.column_stack([affine[:, :3], affine[:, 3] - affine[:, :3] @ np.full(3, AIR_RIM)]))
    return ScanStore(
        voxels, np.array(spacings_mm, np.float32), np.array(middles, np.float32), np.array(affines), np.array(sites)
    )


def store_of(scans: Sequence[NativeScan], region: Region) -> ScanStore:
    """A store of native scans; scans of one voxel size count as one site."""
    data = [to_bytes(standardised(np.asarray(scan.data, np.float32), region)) for scan in scans]
    spacings = [scan.spacing_mm for scan in scans]
    sites = ["x".join(f"{mm:.2f}" for mm in spacing) for spacing in spacings]
    return stacked(data, spacings, [content_affine(scan) for scan in data], sites)


def content_affine(scan: np.ndarray) -> np.ndarray:
    """From voxels to a space in which every body spans the same box: the roughest of registrations, (3, 4)."""
    low, high = (np.array(corner, float) for corner in content_box(scan))
    scale = 2 * REFERENCE_MM / np.maximum(high - low, 1.0)
    return np.column_stack([np.diag(scale), -scale * (low + high - 1) / 2])
