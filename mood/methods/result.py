"""What comes of one scan, on its own grid."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np

from mood import volume
from mood.atomic import check_writable
from mood.calibration import SitePlace
from mood.methods.fit.verdict import UNCHECKED, Fit


@dataclass(frozen=True, eq=False)
class Result:
    """What a method makes of one scan.

    Attributes
    ----------
    map : (X, Y, Z) float32 ndarray in [0, 1]
        How abnormal each of the scan's own voxels is.
    sample_score : float in [0, 1]
        How abnormal the scan is; for weights that are calibrated, the share of healthy scans that score lower.
    name : str
        The scan's file name without its suffixes.
    affine, header : of the scan
    display_range : two floats
        Map values that viewers are told to show from and up to.
    fit : Fit
        Whether the scan is what the weights know, and if not, why.
    place : SitePlace or None
        Where it stands among healthy scans of its scanner, when the weights were calibrated on some.
    """

    map: np.ndarray
    sample_score: float
    name: str
    affine: np.ndarray = field(repr=False)
    header: nib.Nifti1Header = field(repr=False)
    display_range: tuple[float, float] = field(default=(0.0, 1.0), repr=False)
    fit: Fit = UNCHECKED
    place: SitePlace | None = None

    def save(self, folder: str | Path) -> list[Path]:
        """Write map and score as `mood predict` does, `NAME.nii.gz` and `NAME.nii.gz.txt`; returns their paths.

        The folder is made where it does not exist; `OutputError` when it cannot be written.
        """
        target = Path(folder)
        check_writable(target)
        paths = [target / f"{self.name}.nii.gz", target / f"{self.name}.nii.gz.txt"]
        volume.save_map(self.map, self.header, self.affine, paths[0], self.display_range)
        volume.save_score(self.sample_score, paths[1])
        return paths

    def _described(self) -> dict[str, str]:
        shape = " x ".join(map(str, self.map.shape))
        spacing = " x ".join(f"{mm:.3g}" for mm in nib.affines.voxel_sizes(self.affine))
        place = ", ".join(map(str, np.unravel_index(int(self.map.argmax()), self.map.shape)))
        peak = f"{self.map.max():.3f} at voxel ({place})"
        return {
            "sample score": f"{self.sample_score:.4f}",
            "map": f"{shape} of {spacing} mm",
            "peak": peak,
            "fit": self.fit.told,
        }

    def __repr__(self) -> str:
        described = ", ".join(f"{name} {value}" for name, value in self._described().items())
        return f"Result({self.name}: {described})"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in self._described().items())
        return f"<table><caption>{html.escape(self.name)}</caption>{rows}</table>"
