"""The two body regions of the challenge, as pure data.

Array axes are those of an RAS-oriented scan: 0 left to right, 1 back to front, 2 bottom to top.
"""

from __future__ import annotations

from dataclasses import dataclass

from mood.errors import UsageError


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
    """What the methods need to know of a body region before they see a scan of it."""

    name: str
    modality: str  # "MR" or "CT": decides how intensities become [0, 1]
    slice_axis: int  # the axis the papers slice along
    grid: Grid  # the challenge's own sampling
    patch_core: float  # central share of each in-plane axis where FPI centres its patches
    classes: int  # FPI's outputs: 1 regresses the interpolation factor, 5 classify it in quarters
    difference_step: float  # FPI: two voxels differ when they fall in different steps; 0 = exactly
    architecture: str  # FPI's network
    content_share: tuple[float, float, float]  # of the grid along each axis that most bodies stay within
    symmetric: bool  # left to right: a mirrored scan could be a healthy one
    window_hu: tuple[float, float] | None = None  # CT: Hounsfield units that become 0 and 1
    standard_quantiles: tuple[float, ...] | None = None  # MR: of tissue, at `intensities.PERCENTILES`


BRAIN = Region(
    name="brain",
    modality="MR",
    slice_axis=2,
    # 0.85 mm makes a brain span about 175 x 200 voxels, as in the challenge's volumes.
    grid=Grid((256, 256, 256), (0.85, 0.85, 0.85)),
    patch_core=0.5,
    classes=1,
    difference_step=0.0,
    architecture="dec",
    content_share=(0.75, 0.875, 0.75),
    symmetric=True,
    # The mean over healthy skull-stripped T1 scans of five sites (IXI, ds002748, ds011, studyforrest, niimath).
    standard_quantiles=(0.14, 0.30, 0.39, 0.46, 0.52, 0.58, 0.65, 0.72, 0.79, 0.89),
)

ABDOM = Region(
    name="abdom",
    modality="CT",
    slice_axis=1,
    grid=Grid((512, 512, 512), (0.78, 0.78, 0.87)),
    patch_core=0.8,
    classes=5,
    difference_step=1e-3,
    architecture="decdeeper",
    content_share=(1.0, 1.0, 1.0),
    symmetric=False,
    window_hu=(-160.0, 240.0),  # the usual soft-tissue window
)

REGIONS = {region.name: region for region in (BRAIN, ABDOM)}


def get_region(name: str) -> Region:
    """The region called `name`; `UsageError` when there is none."""
    if name not in REGIONS:
        raise UsageError(f"unknown region '{name}'", fix=f"Choose one of: {', '.join(REGIONS)}")
    return REGIONS[name]
