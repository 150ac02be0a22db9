"""The arrays of ASC-Net's original workflow: three files in a folder, packed from scans and checked.

    good_dic_to_train_disc.npy        reference images
    input_for_generator.npy           input images
    tumor_mask_for_generator.npy      masks of the input images, optional, for measuring only

Each is (N, H, W, 1), H and W multiples of 16; images are floats in [0, 1]. They are memory-mapped and may
be larger than memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from mood.atomic import check_writable, remove_stale, replacing
from mood.conform import conform
from mood.errors import NoInputError, UsageError
from mood.methods.ascnet.intruders import with_intruders
from mood.methods.slices import batches, filled_slices, to_slices
from mood.networks.ascnet import SIDE_MULTIPLE
from mood.regions import Grid, Region
from mood.volume import find_scans, load

REFERENCE, INPUTS, MASKS = "good_dic_to_train_disc.npy", "input_for_generator.npy", "tumor_mask_for_generator.npy"
CHECKED_AT_ONCE = 64  # images
HELD_OUT_SHARE, MOST_HELD_OUT = 0.1, 64  # of the images, kept from training for the histogram


@dataclass(frozen=True)
class Packed:
    """The arrays of a folder, on disk.

    Attributes
    ----------
    reference, inputs : (N, H, W, 1) float ndarray in [0, 1]
    masks : (N, H, W, 1) ndarray of 0 and 1, or None
    """

    reference: np.ndarray
    inputs: np.ndarray
    masks: np.ndarray | None = None

    @property
    def side(self) -> tuple[int, int]:
        return self.inputs.shape[1], self.inputs.shape[2]


def read_packed(folder: Path) -> Packed:
    """Open and check the arrays of a folder, without reading them into memory at once.

    Raises
    ------
    NoInputError
        When the reference or the inputs are missing or empty.
    UsageError
        When an array has another rank, type, size or range, holds NaN, or does not match the others.
    """
    reference, inputs = (_checked_images(folder / name) for name in (REFERENCE, INPUTS))
    if reference.shape[1:] != inputs.shape[1:]:
        what = f"reference images are {_size(reference)} and inputs {_size(inputs)}"
        raise UsageError(what, where=folder, fix="Pack both at one size")
    masks = _checked_masks(folder / MASKS, inputs.shape) if (folder / MASKS).exists() else None
    return Packed(reference, inputs, masks)


def _size(images: np.ndarray) -> str:
    return f"{images.shape[1]} x {images.shape[2]}"


def _open(path: Path) -> np.ndarray:
    if not path.is_file():
        raise NoInputError("there is no such array", where=path, fix="Make it with: mood pack")
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        what = f"the file is not a NumPy array ({error})"
        raise UsageError(what, where=path, fix="Make it with: mood pack") from error


def _checked_images(path: Path) -> np.ndarray:
    images = _open(path)
    if images.ndim != 4 or images.shape[3] != 1:
        fix = "Shape it (images, height, width, 1)"
        raise UsageError(f"the array has shape {images.shape}", where=path, fix=fix)
    if images.dtype.kind != "f":
        raise UsageError(f"the array is of type {images.dtype}", where=path, fix="Save floats in [0, 1]")
    if 0 in images.shape:
        raise NoInputError("the array holds no image", where=path, fix="Pack at least one image")
    if images.shape[1] % SIDE_MULTIPLE or images.shape[2] % SIDE_MULTIPLE:
        fix = f"Pad or resample both sides to multiples of {SIDE_MULTIPLE}"
        raise UsageError(f"the images are {_size(images)}", where=path, fix=fix)
    for batch in batches(np.arange(len(images)), CHECKED_AT_ONCE):
        _check_range(images[batch[0] : batch[-1] + 1], path)
    return images


def _check_range(images: np.ndarray, path: Path) -> None:
    if not np.isfinite(images).all():
        raise UsageError("the array holds NaN or infinite values", where=path, fix="Replace them (for example by 0)")
    low, high = float(images.min()), float(images.max())
    if low < 0 or high > 1:
        fix = "Scale the images to [0, 1]"
        raise UsageError(f"values lie in [{low:.4g}, {high:.4g}]", where=path, fix=fix)


def _checked_masks(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    masks = _open(path)
    if masks.shape != shape:
        what = f"masks have shape {masks.shape} and the inputs {shape}"
        raise UsageError(what, where=path, fix="Give one mask an input, or remove the file")
    for batch in batches(np.arange(len(masks)), CHECKED_AT_ONCE):
        part = masks[batch[0] : batch[-1] + 1]
        if not np.isin(part, (0, 1)).all():
            raise UsageError("masks hold values other than 0 and 1", where=path, fix="Threshold them")
    return masks


def held_out(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices to train on, and those kept for the histogram: a tenth, at most 64, none of a single image."""
    order = np.random.default_rng([seed, 2]).permutation(count)
    kept = min(MOST_HELD_OUT, max(1, round(count * HELD_OUT_SHARE)))
    return (np.sort(order[kept:]), np.sort(order[:kept])) if count > 1 else (order, order)


def draw_from(images: np.ndarray, indices: np.ndarray) -> Callable[[int, np.random.Generator], np.ndarray]:
    """A source of batches for training: (count, rng) to (count, H, W, 1) float32, read from disk as needed."""

    def draw(count: int, rng: np.random.Generator) -> np.ndarray:
        return images[np.sort(rng.choice(indices, count))].astype(np.float32)

    return draw


def pack(
    reference: Path,
    target: Path,
    region: Region,
    rng: np.random.Generator,
    inputs: Path | None = None,
    side: int = 160,
) -> Packed:
    """Make the arrays from folders of scans: every slice that holds anything.

    Parameters
    ----------
    reference : pathlib.Path
        Folder of scans known to be fine.
    target : pathlib.Path
        Folder to write the arrays to.
    inputs : pathlib.Path, optional
        Folder of scans that may hold anything. When not given, the inputs are the reference slices with
        synthetic intruders, and their masks are written too.
    side : int
        Voxels along each axis that scans are brought to, a multiple of 16.

    Raises
    ------
    NoInputError, ScanError, UsageError
    """
    if side < SIDE_MULTIPLE or side % SIDE_MULTIPLE:
        fix = f"Choose a multiple of {SIDE_MULTIPLE}"
        raise UsageError(f"side {side} does not fit the network", fix=fix)
    check_writable(target)
    remove_stale(target)
    grid = region.grid.coarsened(side)
    _write(target / REFERENCE, _slices(reference, region, grid), side, np.float32)
    (target / MASKS).unlink(missing_ok=True)
    if inputs is not None:
        _write(target / INPUTS, _slices(inputs, region, grid), side, np.float32)
    else:
        _plant(target, rng)
    return read_packed(target)


def _slices(folder: Path, region: Region, grid: Grid) -> Iterator[np.ndarray]:
    for path in find_scans(folder):
        slices = to_slices(conform(load(path), region, grid)[0], region.slice_axis)
        yield _cut(slices[filled_slices(slices)], grid.shape[0])


def _cut(slices: np.ndarray, side: int) -> np.ndarray:
    """The central `side` x `side` pixels: a scan larger than the grid keeps its size when conformed."""
    rows, columns = ((n - side) // 2 for n in slices.shape[1:])
    return slices[:, rows : rows + side, columns : columns + side]


def _write(path: Path, pieces: Iterator[np.ndarray], side: int, dtype: type) -> None:
    """Write (n, side, side) pieces one after another as one (N, side, side, 1) array."""
    with replacing(path) as temporary:
        raw, count = temporary.with_suffix(".raw"), 0
        with raw.open("wb") as file:
            for piece in pieces:
                file.write(np.ascontiguousarray(piece, dtype=dtype).tobytes())
                count += len(piece)
        array = open_memmap(temporary, "w+", dtype, (count, side, side, 1))
        if count:
            source = np.memmap(raw, dtype, "r", shape=array.shape)
            for batch in batches(np.arange(count), CHECKED_AT_ONCE):
                array[batch[0] : batch[-1] + 1] = source[batch[0] : batch[-1] + 1]
        array.flush()


def _plant(folder: Path, rng: np.random.Generator) -> None:
    reference = np.load(folder / REFERENCE, mmap_mode="r")
    with replacing(folder / INPUTS) as inputs_path, replacing(folder / MASKS) as masks_path:
        inputs = open_memmap(inputs_path, "w+", np.float32, reference.shape)
        masks = open_memmap(masks_path, "w+", np.uint8, reference.shape)
        for batch in batches(np.arange(len(reference)), CHECKED_AT_ONCE):
            part = slice(batch[0], batch[-1] + 1)
            planted, label = with_intruders(reference[part, ..., 0], rng)
            inputs[part, ..., 0], masks[part, ..., 0] = planted, label
        inputs.flush()
        masks.flush()
