"""Toy samples in the challenge's layout: healthy scans, some with a known outlier planted.

    FOLDER/brain/toy/toy_1.nii.gz                      the scan, intensities in [0, 1]
    FOLDER/brain/toy_label/pixel/toy_1.nii.gz          its outlier's voxels, 0 or 1
    FOLDER/brain/toy_label/sample/toy_1.nii.gz.txt     1 when it has an outlier, else 0

`make_toy` makes the subjects as well: brains from a real T1 template, torsos from a phantom.
`make_cases` plants outliers into healthy scans of one's own.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.random import Generator

from mood.atomic import replacing, write_text
from mood.errors import OutputError, UsageError, unknown
from mood.installation import advice
from mood.intensities import to_unit_range
from mood.regions import Grid, Region
from mood.synthesis.outliers import ALL_KINDS, KINDS, draw_outlier, plant_outlier
from mood.synthesis.phantoms.brain import draw_brain
from mood.synthesis.phantoms.torso import draw_torso, scan_torso
from mood.volume import Volume, save_map

HEALTHY = "healthy"
TEMPLATE = "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
PAINTED_SIDE = 256  # a torso is painted no finer than this: eight times faster than at 512


def make_toy(folder: Path, region: Region, rng: Generator, cases: int = 4, side: int | None = None) -> list[Path]:
    """Make subjects and write them as toy cases `toy_0`, `toy_1`, ...

    Every case is another subject. The first is healthy, the next five have one kind of outlier each,
    and so on round. A case does not depend on how many follow it.

    Parameters
    ----------
    folder : pathlib.Path
        The data folder; `brain/toy` or `abdom/toy` and its labels are made in it.
    region : Region
    rng : numpy.random.Generator
    cases : int
    side : int, optional
        Voxels along each axis; the region's own grid when not given.

    Returns
    -------
    list of pathlib.Path
        The scans.

    Raises
    ------
    UsageError
        When brains are asked for without nilearn, which brings the template, or a number is below 1.
    """
    if cases < 1 or (side is not None and side < 1):
        raise UsageError(f"{cases} cases of side {side} cannot be made", fix="Give numbers from 1 up")
    grid = region.grid if side is None else region.grid.coarsened(side)
    kinds = [HEALTHY, *KINDS]
    scans = []
    for case, case_rng in enumerate(rng.spawn(cases)):
        volume = _volume(draw_subject(region, grid, case_rng), grid)
        scans.append(write_case(volume, f"toy_{case}", kinds[case % len(kinds)], folder / region.name, case_rng))
    return scans


def make_cases(
    scans: Iterable[tuple[str, Volume]],
    folder: Path,
    region: Region,
    rng: Generator,
    kinds: Sequence[str] = (HEALTHY, *KINDS),
) -> list[Path]:
    """Make a benchmark of healthy scans: each as it is and with one outlier of each kind.

    Parameters
    ----------
    scans : iterable of (name, Volume)
        Healthy scans; read one at a time, so a generator keeps memory low.
    folder, region, rng
        As for `make_toy`.
    kinds : sequence of str
        Which cases to make of each scan: keys of `mood.synthesis.outliers.ALL_KINDS`, or "healthy".

    Returns
    -------
    list of pathlib.Path
        `NAME_healthy.nii.gz`, `NAME_uniform_addition.nii.gz`, ... on each scan's own grid.
    """
    for kind in kinds:
        if kind not in ALL_KINDS and kind != HEALTHY:
            raise unknown("kind of outlier", kind, (HEALTHY, *ALL_KINDS))
    written = []
    for name, volume in scans:
        data = to_unit_range(volume.data, region)
        unit = Volume(data, volume.affine, volume.header, volume.path)
        for kind, case_rng in zip(kinds, rng.spawn(len(kinds)), strict=True):
            written.append(write_case(unit, f"{name}_{kind}", kind, folder / region.name, case_rng))
    return written


def write_case(volume: Volume, name: str, kind: str, folder: Path, rng: Generator) -> Path:
    """Plant an outlier of `kind` ("healthy" for none) and write the scan with both its labels.

    Parameters
    ----------
    volume : Volume
        Healthy, in [0, 1].
    folder : pathlib.Path
        The region's folder, parent of `toy` and `toy_label`.
    """
    scan, label = volume.data, np.zeros(volume.data.shape, np.uint8)
    if kind != HEALTHY:
        x_mm, y_mm, z_mm = (float(mm) for mm in nib.affines.voxel_sizes(volume.affine))
        scan, label = plant_outlier(scan, draw_outlier(kind, scan, rng, spacing_mm=(x_mm, y_mm, z_mm)))
    return write_sample(scan, label, volume, name, folder)


def write_sample(scan: np.ndarray, label: np.ndarray, volume: Volume, name: str, folder: Path) -> Path:
    """Write a scan and both its labels in the challenge's layout, with the header of `volume`."""
    path, pixel, sample = (folder / part / f"{name}.nii.gz" for part in ("toy", "toy_label/pixel", "toy_label/sample"))
    for file in (path, pixel, sample):
        _make_folder(file.parent)
    save_map(scan, volume.header, volume.affine, path)
    _save_label(label, volume, pixel)
    write_text(sample.with_name(f"{sample.name}.txt"), f"{int(label.any())}\n")
    return path


def draw_subject(region: Region, grid: Grid, rng: Generator) -> np.ndarray:
    """One healthy subject of a region, (X, Y, Z) float32 in [0, 1], background exactly 0."""
    return MAKERS[region.toy](region, grid, rng)


def _brain(region: Region, grid: Grid, rng: Generator) -> np.ndarray:
    return draw_brain(*load_template(), grid, rng)


def _torso(region: Region, grid: Grid, rng: Generator) -> np.ndarray:
    coarse = grid if max(grid.shape) <= PAINTED_SIDE else grid.coarsened(PAINTED_SIDE)
    return scan_torso(draw_torso(coarse, rng), grid.shape, region.window_hu, rng)


# Of healthy subjects, by the name that a region gives as `toy`.
MAKERS: dict[str, Callable[[Region, Grid, Generator], np.ndarray]] = {"brain": _brain, "torso": _torso}


def load_template() -> tuple[np.ndarray, float]:
    """The skull-stripped T1 average of 152 brains (MNI ICBM 2009a) that nilearn ships, and its voxel size.

    Raises
    ------
    UsageError
        When nilearn is not installed.
    """
    package = importlib.util.find_spec("nilearn")  # finds the folder without importing nilearn
    if package is None or not package.submodule_search_locations:
        raise UsageError("toy brains need nilearn's template", fix=advice("toy"))
    image = nib.Nifti1Image.from_filename(Path(package.submodule_search_locations[0]) / TEMPLATE)
    return np.asanyarray(image.dataobj), float(nib.affines.voxel_sizes(image.affine)[0])


def _volume(scan: np.ndarray, grid: Grid) -> Volume:
    """A scan with the header a scanner would give it: RAS, the grid's spacing, the middle at 0 mm."""
    affine = np.diag([*grid.spacing_mm, 1.0])
    affine[:3, 3] = -(np.array(grid.shape) - 1) / 2 * grid.spacing_mm
    header = nib.Nifti1Image(np.broadcast_to(np.uint8(0), grid.shape), affine).header
    header.set_qform(affine, code=1)
    header.set_sform(affine, code=1)
    header.set_xyzt_units("mm")
    return Volume(scan, affine, header, Path())


def _save_label(label: np.ndarray, volume: Volume, path: Path) -> None:
    header = volume.header.copy()
    header.set_data_dtype(np.uint8)
    header["cal_min"], header["cal_max"] = 0.0, 1.0
    kind = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
    image = kind(label.reshape(header.get_data_shape(), order="F"), volume.affine, header)
    image.header.set_slope_inter(1.0, 0.0)
    with replacing(path) as temporary:
        image.to_filename(temporary)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"the folder cannot be made ({error.strerror})"
        raise OutputError(what, where=folder, fix="Check the path and permissions") from error
