"""The head of a NIfTI file, read by what the file contains: its suffix, its offset and its form may be wrong."""

from __future__ import annotations

import io
import logging
import math
import os
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from mood import compression
from mood.errors import ScanError, UsageError

log = logging.getLogger(__name__)

KINDS = {348: nib.Nifti1Header, 540: nib.Nifti2Header}  # by the length of the header, which it begins with
LARGEST_EXTENSIONS = 2**28  # bytes between header and voxels
LARGEST_VOXELS = 2**29  # 2 GiB as float32; 512 x 512 x 2048
LIMIT = "MOOD_MAX_VOXELS"  # the environment's word for another limit
RE_EXPORT = "Export or copy the scan again"
READ_ERRORS: tuple[type[Exception], ...] = (
    *compression.DAMAGED, ValueError, ArithmeticError, HeaderDataError, MemoryError,
)  # fmt: skip
SUFFIXES = (".nii.gz", ".nii")
READ_SUFFIXES = (*SUFFIXES, ".mgz", ".mgh", ".hdr", ".img")  # the last four by `mood.formats.other_images`


def scan_name(path: Path) -> str:
    """The file name without `.nii.gz` or another suffix of scans, in whatever case they are written."""
    for suffix in READ_SUFFIXES:
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)]
    return path.name


@dataclass(frozen=True)
class NiftiHead:
    """What a file says of its voxels before they are read.

    Attributes
    ----------
    header : nibabel.Nifti1Header or nibabel.Nifti2Header
        Repaired where it could not be written again.
    offset : int
        Where the voxels begin, in bytes.
    compressed : bool
    """

    header: nib.Nifti1Header
    offset: int
    compressed: bool


def check_readable(path: Path) -> None:
    """`ScanError` unless there is a file of some content that may be read."""
    try:
        status = path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            what, fix = f"the link points to nothing ({path.readlink()})", "Fetch the file it stands for"
            raise ScanError(what, where=path, fix=fix) from None
        raise ScanError("there is no such file", where=path, fix="Check the path") from None
    except OSError as error:
        raise _unreadable(path, error) from error
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
        raise ScanError(f"it is {kind}, no scan", where=path, fix="Give NIfTI files")
    if status.st_size == 0:
        raise ScanError("the file is empty", where=path, fix=RE_EXPORT)
    try:
        path.open("rb").close()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> ScanError:
    return ScanError(f"the file may not be read ({error.strerror})", where=path, fix="Check its permissions")


def read_head(path: Path) -> NiftiHead:
    """The header of a single-file NIfTI, compressed or not.

    Raises
    ------
    ScanError
        When the file is none.
    """
    try:
        with path.open("rb") as file:
            compressed = file.read(2) == compression.MAGIC
        with compression.GzipFile(path, "rb") if compressed else path.open("rb") as file:
            return _head(file, path, compressed)
    except READ_ERRORS as error:
        fix = "Convert it to NIfTI, or copy it again if it was cut off"
        raise ScanError(f"the file cannot be read as NIfTI ({first_line(error)})", where=path, fix=fix) from error


def first_line(error: BaseException) -> str:
    """What an error says, in short; its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _head(file: io.BufferedIOBase, path: Path, compressed: bool) -> NiftiHead:
    begin = file.read(540)
    header = _parsed(begin)
    if (code := int(header["datatype"])) not in header._data_type_codes.dtype:
        raise ValueError(f"data code {code} is not recognized")
    if not 0 <= int(header["dim"][0]) <= 7:
        raise ValueError(f"it claims {int(header['dim'][0])} dimensions")
    _quietly_fixed(header, path)
    shape = header.get_data_shape()
    if any(n < 0 for n in shape):
        raise ValueError(f"its shape is {shape}")
    size = int(header["sizeof_hdr"])
    offset = _offset(header, path, size, file)
    file.seek(0)
    between = file.read(offset)[size:]
    header.extensions = _extensions(between, header, path)
    header["vox_offset"] = 0  # it is set anew when a map is written
    if not header.extensions and offset > size + 4:
        header["vox_offset"] = offset
    _make_writable(header, path)
    return NiftiHead(header, offset, compressed)


def _parsed(begin: bytes) -> nib.Nifti1Header:
    for order in ("<", ">"):
        size = int(np.frombuffer(begin[:4].ljust(4, b"\0"), f"{order}i4")[0])
        if size in KINDS and len(begin) >= size:
            header = KINDS[size](begin[:size], "little" if order == "<" else "big", check=False)
            magic = header["magic"].item()
            if not magic.startswith((b"n+1", b"n+2")):
                raise ValueError(f"its magic is {magic!r}, not n+1 or n+2")
            return header
    raise ValueError("it does not begin with a header of 348 or 540 bytes")


def _quietly_fixed(header: nib.Nifti1Header, path: Path) -> None:
    """What nibabel mends in a header, said once and with the scan's name."""
    own = logging.Logger("header")
    lines = io.StringIO()
    own.addHandler(logging.StreamHandler(lines))
    offset = header["vox_offset"].item()
    header["vox_offset"] = 0  # looked at by `_offset`
    header.check_fix(own, error_level=100)
    header["vox_offset"] = offset
    for line in filter(None, lines.getvalue().splitlines()):
        log.info("%s: header: %s", path, line)


def _offset(header: nib.Nifti1Header, path: Path, size: int, file: io.BufferedIOBase) -> int:
    """Where voxels begin: as the header says, or right after it and its extensions where that cannot be."""
    claimed, least = header["vox_offset"].item(), size + 4
    if math.isfinite(claimed) and claimed >= least:
        if claimed > LARGEST_EXTENSIONS:
            raise ValueError(f"its voxels would begin at byte {claimed:.0f}")
        return int(claimed)
    voxels = math.prod(header.get_data_shape()) * header.get_data_dtype().itemsize
    bare = compression.content_size(path) == size + voxels
    start = size if bare else _after_extensions(file, least, header.endianness)
    log.warning("%s: voxels cannot begin at byte %g, within the header; they are read from %d", path, claimed, start)
    return start


def _after_extensions(file: io.BufferedIOBase, start: int, order: str) -> int:
    """Where the extensions that begin at `start` end, if there are any: each says its own length."""
    file.seek(start - 4)
    more = file.read(1) != b"\0"
    while more:
        file.seek(start)
        length = int(np.frombuffer(file.read(4).ljust(4, b"\0"), f"{order}i4")[0])
        more = length >= 16 and length % 16 == 0 and start + length <= LARGEST_EXTENSIONS
        start += length * more
    return start


def _extensions(between: bytes, header: nib.Nifti1Header, path: Path) -> nib.nifti1.Nifti1Extensions:
    """What stands between header and voxels; nothing when it is damaged."""
    kind = nib.nifti1.Nifti1Extensions
    if len(between) < 4 + 16 or not between[0]:
        return kind()
    swapped = header.endianness != nib.volumeutils.native_code
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return kind.from_fileobj(io.BytesIO(between[4:]), len(between) - 4, swapped)
    except Exception as error:  # foreign text is parsed by whoever registered for it
        log.warning("%s: the header's extensions are damaged (%s); they are left out", path, error)
        return kind()


def quaternion_form(header: nib.Nifti1Header) -> np.ndarray:
    """The qform, (4, 4); NaN when there is none that can be computed."""
    try:
        return np.asarray(header.get_qform())
    except (HeaderDataError, ValueError, ArithmeticError):
        return np.full((4, 4), np.nan)


def _make_writable(header: nib.Nifti1Header, path: Path) -> None:
    """Put right what is not finite in a header's geometry, and its magic: a map cannot be written with them."""
    header["magic"] = header.single_magic
    pixdim = header["pixdim"]
    pixdim[1:4] = np.where(np.isfinite(pixdim[1:4]), pixdim[1:4], 1.0)
    code, qcode = int(header["sform_code"]), int(header["qform_code"])
    qform = quaternion_form(header)
    if qcode > 0 and not np.isfinite(qform).all():
        log.warning("%s: the header's qform is unusable", path)
        for name in ("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"):
            header[name] = 0.0
        header["qform_code"] = qcode = 0
    if code > 0 and not np.isfinite(header.get_sform()).all():
        log.warning("%s: the header's sform is unusable; its %s is used", path, "qform" if qcode > 0 else "voxel size")
        header.set_sform(qform if qcode > 0 else header.get_base_affine(), code)


def check_size(shape: tuple[int, ...], path: Path) -> None:
    """`ScanError` for more voxels than are read, told before memory is taken for them."""
    if (count := math.prod(shape)) > (most := largest_voxels()):
        what = f"the header claims {count} voxels, and no more than {most} are read"
        raise ScanError(what, where=path, fix=f"Crop it, or set {LIMIT} higher")


def largest_voxels() -> int:
    """The most voxels that are read of one scan."""
    text = os.environ.get(LIMIT) or str(LARGEST_VOXELS)
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"{LIMIT} is '{text}'", fix="Set it to a number of voxels, such as 500000000")
    return int(text)


def spatial_shape(shape: tuple[int, ...], path: Path) -> tuple[int, ...]:
    """(X, Y, Z) of an image with any number of further axes of one; `ScanError` when it is not 3-D."""
    spatial = shape
    while len(spatial) > 3 and spatial[-1] == 1:
        spatial = spatial[:-1]
    if 0 in spatial:
        raise ScanError(f"the image has no voxels: its shape is {shape}", where=path, fix=RE_EXPORT)
    if len(spatial) != 3:
        fix = "Extract one 3-D volume from it (for example with `fslroi` or nibabel)"
        raise ScanError(f"the image is {len(shape)}-D with shape {shape}, not 3-D", where=path, fix=fix)
    return spatial
