"""The body regions, as pure data: the one place where a region is written down.

Command line, toy samples, benchmark and scripts read `REGIONS`; a new region is one entry here. What a method
wants to know beyond this stands with the method. Array axes are those of an RAS-oriented scan: 0 left to right,
1 back to front, 2 bottom to top.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mood.errors import unknown


@dataclass(frozen=True)
class Grid:
    """A sampling of space: `shape` voxels of `spacing_mm` millimetres along the RAS axes.

    The shape is what a scan is padded to; a scan with more content than that keeps it.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]

    def coarsened(self, side: int) -> Grid:
        """The same field of view with `side` voxels along each axis."""
        spacing = tuple(mm * n / side for mm, n in zip(self.spacing_mm, self.shape, strict=True))
        return Grid((side, side, side), spacing)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Region:
    """What is known of a body region before a scan of it is seen."""

    name: str
    scans: str  # in words: what a scan of it is
    modality: str  # "MR" or "CT"; ask `has_units`
    slice_axis: int  # the axis the papers slice along
    grid: Grid  # the challenge's own sampling
    content_share: tuple[float, float, float]  # of the grid along each axis that most bodies stay within
    symmetric: bool  # left to right: a mirrored scan could be a healthy one
    toy: str  # who makes its toy subjects: a key of `mood.synthesis.toy.MAKERS`
    template: str | None = None  # that its scans can be registered to: a file of `mood.methods.registration`
    default_method: str = "mix"  # to predict with, when none is named
    fast_method: str = "mix"  # for --fast
    training_method: str = "mix"  # to train, when none is named: one that a CPU trains within hours
    window_hu: tuple[float, float] = (-160.0, 240.0)  # CT: what becomes 0 and 1; the usual soft-tissue window
    standard_quantiles: tuple[float, ...] | None = None  # MR: of tissue, at `intensities.PERCENTILES`
    # Benchmark: scans are told apart by their longest voxel side, below so many mm; the first group is what decides.
    bench_groups: tuple[tuple[str, float], ...] = (("all", math.inf),)

    @property
    def has_units(self) -> bool:
        """Whether an intensity means the same in every scanner: Hounsfield units, which only CT has."""
        return self.modality == "CT"


BRAIN = Region(
    name="brain",
    scans="skull-stripped T1 MRI",
    modality="MR",
    slice_axis=2,
    # 0.85 mm makes a brain span about 175 x 200 voxels, as in the challenge's volumes.
    grid=Grid((256, 256, 256), (0.85, 0.85, 0.85)),
    content_share=(0.75, 0.875, 0.75),
    symmetric=True,
    toy="brain",
    template="mni152",
    default_method="joint",
    fast_method="detail",
    # The mean over healthy skull-stripped T1 scans of five sites (IXI, ds002748, ds011, studyforrest, niimath).
    standard_quantiles=(0.14, 0.30, 0.39, 0.46, 0.52, 0.58, 0.65, 0.72, 0.79, 0.89),
    bench_groups=(("1 mm", 1.5), ("2 mm", math.inf)),
)

ABDOM = Region(
    name="abdom",
    scans="abdominal CT",
    modality="CT",
    slice_axis=1,
    grid=Grid((512, 512, 512), (0.78, 0.78, 0.87)),
    content_share=(1.0, 1.0, 1.0),
    symmetric=False,
    toy="torso",
    bench_groups=(("slabs", math.inf),),
)

REGIONS = {region.name: region for region in (BRAIN, ABDOM)}


def get_region(name: str) -> Region:
    """The region called `name`; `UsageError` when there is none."""
    if name not in REGIONS:
        raise unknown("region", name, REGIONS)
    return REGIONS[name]
