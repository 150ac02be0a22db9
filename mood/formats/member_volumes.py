"""What each member of a detector finds by itself, in one small file a scan: a bit a member at each voxel.

It lies beside the maps, in `members/NAME.nii.gz`, on the detector's own grid; its header says where that lies in the
scan, and which member each bit is. Any viewer opens it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from mood.atomic import check_writable, replacing

FOLDER = "members"
MOST = 8  # bits


@dataclass(frozen=True, eq=False)
class MemberVolume:
    """What the members of a detector find in one scan.

    Attributes
    ----------
    names : tuple of str
        Of the members; the first is the lowest bit.
    bits : (X, Y, Z) uint8 ndarray
        On the detector's grid.
    affine : (4, 4) float64 ndarray
        From its voxel indices to millimetres, as the scan's own header has them.
    """

    names: tuple[str, ...]
    bits: np.ndarray
    affine: np.ndarray

    def shares(self, points_mm: np.ndarray) -> dict[str, float]:
        """The share of some points where each member finds something.

        Parameters
        ----------
        points_mm : (N, 3) float ndarray
            Millimetres of the scan.
        """
        voxels = np.rint(nib.affines.apply_affine(np.linalg.inv(self.affine), points_mm)).astype(int)
        within = ((voxels >= 0) & (voxels < self.bits.shape)).all(axis=1)
        found = np.zeros(len(voxels), np.uint8)
        found[within] = self.bits[tuple(voxels[within].T)]
        return {name: float(np.mean(found >> i & 1)) for i, name in enumerate(self.names)}


def member_path(map_path: Path) -> Path:
    """Where the file that belongs to a map lies."""
    return map_path.parent / FOLDER / f"{map_path.name.removesuffix('.gz').removesuffix('.nii')}.nii.gz"


def save_members(path: Path, found: Mapping[str, np.ndarray], affine: np.ndarray) -> None:
    """Write what the members find, or remove an older file where there are no members.

    Parameters
    ----------
    found : dict of (X, Y, Z) bool ndarray by member
        At most eight.
    affine : (4, 4) float64 ndarray
        As `MemberVolume` has it.

    Raises
    ------
    OutputError
        When the folder cannot be written.
    """
    if not found:
        with suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
        return
    check_writable(path.parent)
    bits = sum((mask.astype(np.uint8) << i for i, mask in enumerate(found.values())), np.uint8(0))
    image = nib.Nifti1Image(bits, affine)
    image.header["descrip"] = ", ".join(found)[:80]
    image.header.set_intent("label", name="mood members")
    with replacing(path) as temporary:
        image.to_filename(temporary)


def read_members(path: Path) -> MemberVolume | None:
    """What was written; None where there is no such file, or it is something else."""
    try:
        image = nib.Nifti1Image.from_filename(path)
        bits, described = np.asarray(image.dataobj), bytes(image.header["descrip"]).decode("ascii")
        affine = np.asarray(image.affine, np.float64)
    except (OSError, EOFError, ValueError, KeyError, UnicodeDecodeError, nib.filebasedimages.ImageFileError):
        return None
    names = tuple(filter(None, described.strip("\0").split(", ")))
    fits = bits.ndim == 3 and bits.dtype == np.uint8 and 0 < len(names) <= MOST
    return MemberVolume(names, bits, affine) if fits and abs(np.linalg.det(affine)) > 1e-9 else None
