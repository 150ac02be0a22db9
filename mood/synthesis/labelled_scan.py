"""A scan and the label of what was altered in it, as one object: whatever moves the one moves the other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mood.synthesis.native import NativeScan


@dataclass(frozen=True, eq=False)
class LabelledScan:
    """A scan and its label, voxel by voxel.

    Attributes
    ----------
    scan : NativeScan
    label : (X, Y, Z) float32 ndarray in [0, 1]
        How much of each voxel is altered; of the scan's shape.
    """

    scan: NativeScan
    label: np.ndarray

    @classmethod
    def unaltered(cls, scan: NativeScan) -> LabelledScan:
        """A copy of a scan with nothing altered yet, float32."""
        data = np.array(scan.data, np.float32)
        return cls(replace(scan, data=data), np.zeros_like(data))

    def put(self, box: tuple[slice, slice, slice], content: np.ndarray, share: np.ndarray) -> None:
        """Alter a box of this scan in place.

        Parameters
        ----------
        box : three slices
        content : (A, B, C) float32 ndarray in [0, 1]
            The new intensities.
        share : (A, B, C) float32 ndarray in [0, 1]
            Their label; where something was altered before, the larger one stays.
        """
        self.scan.data[box] = content
        self.label[box] = np.maximum(self.label[box], share)

    def onto(self, shape: tuple[int, ...], spacing_mm: tuple[float, ...]) -> LabelledScan:
        """Both resampled as `NativeScan.onto` does it."""
        label = replace(self.scan, data=self.label).onto(shape, spacing_mm)
        return LabelledScan(self.scan.onto(shape, spacing_mm), label.data)
