"""Reading scans and writing score maps: NIfTI in, NIfTI out, nothing of the scan's geometry lost.

Scans are read as float32. A map is written on its scan's grid with its header; only what describes values changes.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from mood import compression
from mood.atomic import replacing
from mood.errors import NoInputError, ScanError
from mood.formats import bids
from mood.formats.dicom_series import is_dicom
from mood.formats.lists import is_list, name_left_out, permitted, read_list
from mood.formats.other_images import is_other, read_other, without_images
from mood.nifti_file import (
    RE_EXPORT,
    READ_ERRORS,
    READ_SUFFIXES,
    NiftiHead,
    check_readable,
    check_size,
    first_line,
    read_head,
    scan_name,
    spatial_shape,
)

log = logging.getLogger(__name__)

# A power of two keeps 0 and 1 exact; a step of 3e-5 is finer than float16 above 0.03.
MAP_STEP = 2.0**-15
SLICES_AT_ONCE = 16  # of a map that is written; as many float32 as one line of the processor's cache holds


@dataclass(frozen=True)
class Volume:
    """One scan and what is needed to write a map of it.

    Attributes
    ----------
    data : (X, Y, Z) float32 ndarray
        Intensities as stored, scaling applied.
    affine : (4, 4) float64 ndarray
        Voxel indices to millimetres in RAS.
    header : nibabel.Nifti1Header or nibabel.Nifti2Header
    path : pathlib.Path
    """

    data: np.ndarray
    affine: np.ndarray
    header: nib.Nifti1Header
    path: Path

    def __repr__(self) -> str:
        axes = "".join(code or "?" for code in nib.aff2axcodes(self.affine))
        spacing = " x ".join(f"{mm:.3g}" for mm in nib.affines.voxel_sizes(self.affine))
        shape = " x ".join(map(str, self.data.shape))
        return f"Volume({self.path.name}: {shape}, {spacing} mm, {axes}, {self.data.nbytes / 2**20:.0f} MiB)"


def find_scans(source: Path, *, with_labels: bool = False) -> list[Path]:
    """The scans of a folder by name, or one file; what is left out of a folder is named in the log.

    Parameters
    ----------
    source : pathlib.Path
        With scans directly in it, a BIDS data set, a scan, or a list: a .txt file with a path on each line.
    with_labels : bool
        Keep label files beside their scan too.

    Raises
    ------
    NoInputError
        When there is no such folder or file, it may not be read, or the folder holds no scan.
    """
    with permitted(source):
        if source.is_file():
            return read_list(source) if is_list(source) else [source]
        if not source.is_dir():
            raise NoInputError("there is no such input folder", where=source, fix="Check the path or the mount")
        if bids.is_data_set(source):
            return bids.find_scans(source)
        visible = sorted(p for p in source.iterdir() if not p.name.startswith("."))
        files = without_images([p for p in visible if p.name.lower().endswith(READ_SUFFIXES)])
    names = {scan_name(p) for p in files}
    scans = [p for p in files if with_labels or scan_name(p).removesuffix("_label") not in names - {scan_name(p)}]
    if not scans:
        if is_dicom(source):
            what = "the folder holds DICOM, of which mood predict, mood report and mood.score take one series"
            raise NoInputError(what, where=source, fix="Name such a series to one of them, or convert it (dcm2niix)")
        what = "the input folder holds no .nii or .nii.gz file"
        raise NoInputError(what, where=source, fix="Put NAME.nii.gz files directly into it")
    chosen = {*scans, *(p.with_suffix(end) for p in scans if p.suffix == ".hdr" for end in (".img", ".IMG"))}
    name_left_out([p for p in visible if p not in chosen], source)
    return scans


def load(path: str | Path) -> Volume:
    """Read and check one scan.

    Parameters
    ----------
    path : str or pathlib.Path
        A `.nii` or `.nii.gz` file of any data type, byte order, orientation and scaling.

    Raises
    ------
    ScanError
        When the file is missing, empty, truncated, not NIfTI, not 3-D, not finite or constant.
    """
    path = Path(path)
    data, header = read_array(path)
    return checked(Volume(data, header.get_best_affine(), header, path))


def checked(volume: Volume) -> Volume:
    """`volume`; `ScanError` when its values are not finite or all the same."""
    data, path = volume.data, volume.path
    bad = data.size - int(np.count_nonzero(np.isfinite(data)))
    if bad:
        fix = "Replace them (for example by 0) before scoring"
        raise ScanError(f"{bad} of {data.size} voxels are NaN or infinite", where=path, fix=fix)
    if data.min() == data.max():
        raise ScanError(f"every voxel has the value {data.flat[0]:g}", where=path, fix=RE_EXPORT)
    return volume


def read_array(path: Path) -> tuple[np.ndarray, nib.Nifti1Header]:
    """Voxels of one 3-D NIfTI file as (X, Y, Z) float32, and its header.

    Raises
    ------
    ScanError
        When the file is missing, empty, truncated, not NIfTI, not 3-D or larger than is read. Values are not looked at.
    """
    if is_other(path):
        return read_other(path)
    check_readable(path)
    head = read_head(path)
    shape = spatial_shape(head.header.get_data_shape(), path)
    check_size(shape, path)
    return _read_float32(head, path).reshape(shape, order="F"), head.header


def _read_float32(head: NiftiHead, path: Path) -> np.ndarray:
    header, shape, dtype = head.header, head.header.get_data_shape(), head.header.get_data_dtype()
    if dtype.kind not in "iufb":
        kind = "RGB" if dtype.names else header.get_value_label("datatype")
        raise ScanError(f"voxels are of type {kind}", where=path, fix="Save one number a voxel")
    try:
        slope, inter = header.get_slope_inter()
        read = compression.read_array if head.compressed else compression.read_plain
        stored = read(path, head.offset, shape, dtype)
    except READ_ERRORS as error:
        what = f"the file is damaged or cut off ({first_line(error)})"
        raise ScanError(what, where=path, fix="Copy it again from its source") from error
    with np.errstate(over="ignore", invalid="ignore"):  # beyond float32 becomes infinite and is reported as such
        if (slope, inter) in ((1.0, 0.0), (None, None)):
            return np.asarray(stored).astype(np.float32, copy=False)
        data = stored.astype(np.float32)
        data *= np.float32(slope)
        data += np.float32(inter)
    return np.asarray(data)


def output_paths(folder: Path, scan: Path) -> dict[str, Path]:
    """Where the map (pixel) and the sample score of a scan go."""
    name = scan_name(scan)
    return {"pixel": folder / f"{name}.nii.gz", "sample": folder / f"{name}.nii.gz.txt"}


def save_map(
    score_map: np.ndarray,
    header: nib.Nifti1Header,
    affine: np.ndarray,
    path: str | Path,
    display_range: tuple[float, float] | None = None,
) -> None:
    """Write a score map on the grid of the scan it belongs to, all or nothing.

    The header is the scan's own: shape, affine, qform and sform with their codes, units and
    description stay. Data type, scaling and display range change. Values are stored as uint16 in
    steps of 2^-15, finer than the float16 they are scored in down to 0.03.

    Parameters
    ----------
    score_map : (X, Y, Z) float32 ndarray in [0, 1]
        On the scan's own voxels.
    header, affine : nibabel.Nifti1Header, (4, 4) ndarray
        Those of the scan.
    path : str or pathlib.Path
        Ends in `.nii.gz`.
    display_range : two floats, optional
        Of a method's map: values that viewers show from and up to. Other volumes in [0, 1] are shown from 0 to 1.

    Raises
    ------
    OutputError
        When the folder cannot be written.
    """
    save_pieces(lambda dtype: _stored_slices(score_map, dtype), header, affine, path, display_range)


def save_pieces(
    pieces: Callable[[np.dtype], Iterable[bytes]],
    header: nib.Nifti1Header,
    affine: np.ndarray,
    path: str | Path,
    display_range: tuple[float, float] | None = None,
) -> None:
    """`save_map` of a map that comes in pieces, as the bytes of a data type, in the order of the file."""
    header = header.copy()
    header.set_data_dtype(np.uint16)
    header["cal_min"], header["cal_max"] = display_range or (0.0, 1.0)
    if display_range:
        header.set_intent("estimate", name="mood")
    kind = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
    image = kind(np.broadcast_to(np.uint16(0), header.get_data_shape()), affine, header)
    image.header.set_slope_inter(MAP_STEP, 0.0)
    image.update_header()
    with replacing(Path(path)) as temporary, compression.writer(temporary) as file:
        image.header.write_to(file)
        file.write(bytes(int(image.header["vox_offset"]) - file.tell()))
        for piece in pieces(image.get_data_dtype()):
            file.write(piece)


def _stored_slices(score_map: np.ndarray, dtype: np.dtype) -> Iterator[bytes]:
    """A map's voxels in the order and type of the file, a few slices at once, for no second copy of a large map."""
    for k in range(0, score_map.shape[2], SLICES_AT_ONCE):
        steps = np.clip(score_map[:, :, k : k + SLICES_AT_ONCE], 0.0, 1.0)
        steps /= MAP_STEP
        yield np.rint(steps, out=steps).astype(dtype).tobytes(order="F")


def save_score(score: float, path: Path) -> None:
    """Write one sample score in [0, 1] as the first line of a text file, all or nothing; `ScanError` for a NaN."""
    if not math.isfinite(score):
        raise ScanError(f"the sample score is {score}", where=path, fix="Choose other weights")
    with replacing(path) as temporary:
        temporary.write_text(f"{min(max(float(score), 0.0), 1.0):.6f}\n", encoding="ascii")
