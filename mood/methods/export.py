"""Trained networks as ONNX files, with what another program has to know to use them in the files' metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mood.atomic import check_writable
from mood.engines.keras import forward
from mood.engines.onnx import build_graph, runner, save_graph
from mood.errors import MoodError, UsageError
from mood.methods.base import Method, UsedNetwork
from mood.regions import Grid, Region
from mood.typed import encode

TOLERANCE = 1e-4  # of the largest output, or of 1
TRIED_SIDE = 64  # of the noise that a file is tried on
INTENSITIES = {
    "MR": "0 is the background, 1 the 99.9th percentile of the tissue",
    "CT": "0 and 1 are {0:g} and {1:g} Hounsfield units",
}


def export_networks(method: Method, about: Mapping[str, str], target: Path) -> Iterator[tuple[Path, float]]:
    """Write each network of a method to `METHOD-REGION-PART.onnx`, and try it.

    Parameters
    ----------
    method : Method
        With trained weights.
    about : mapping of str to str
        What a record of a run says of the weights.
    target : pathlib.Path
        Folder to write to.

    Yields
    ------
    path : pathlib.Path
    difference : float
        Largest between its output under ONNX Runtime and that of Keras, on noise.

    Raises
    ------
    UsageError
        When the method has no network, or one that a file cannot hold.
    MoodError
        When a file does not give what Keras gives.
    OutputError
        When the folder cannot be written.
    """
    networks = method.networks()
    if not networks:
        raise UsageError(f"method '{method.name}' has no network", fix="Choose another method")
    check_writable(target)
    for part, used in networks.items():
        path = target / f"{method.name}-{method.region.name}-{part}.onnx"
        save_graph(build_graph(used.network, facts(method, used, about)), path)
        yield path, _tried(path, used)


def facts(method: Method, used: UsedNetwork, about: Mapping[str, str]) -> dict[str, str]:
    """What a file's metadata say: all of it text, settings and calibration as JSON.

    Parameters
    ----------
    method : Method
        That the network is of, or an ensemble of such.
    used : UsedNetwork
    about : mapping of str to str
        Further facts: method, region, weights.
    """
    settings = {one.name: one.settings.to_dict() for one in (method, *getattr(method, "members", ()))}
    known = method.calibration
    told = {
        **about,
        "scan": _preparation(method.region, method.grid),
        "input": used.shown,
        "output": used.answer,
        "back": "The map is brought back to the scan's own voxels by the inverse resampling.",
        "settings": json.dumps(settings),
        "calibration": json.dumps(None if known is None else encode(known)),
        "use": "Research only; no medical device.",
    }
    return {f"mood.{name}": text for name, text in told.items()}


def _preparation(region: Region, grid: Grid) -> str:
    shape, spacing = " x ".join(map(str, grid.shape)), " x ".join(f"{mm:g}" for mm in grid.spacing_mm)
    intensities = INTENSITIES[region.modality].format(*region.window_hu)
    return (
        f"{region.scans[0].upper()}{region.scans[1:]}, axes to RAS, resampled linearly to {spacing} mm, its content in "
        f"the middle of {shape} voxels or more (content_share: {region.content_share}), cut to [0, 1]: {intensities}. "
        f"'Standardised' means MR whose tissue percentiles 10, 20, ... 90, 99 are brought to "
        f"{region.standard_quantiles}, linearly between; CT stays as it is."
    )


def _tried(path: Path, used: UsedNetwork) -> float:
    """The largest difference between a file and its network; `MoodError` when it is too large."""
    *_, channels = used.network.inputs[0].shape
    sides = [TRIED_SIDE] * (len(used.network.inputs[0].shape) - 2)
    noise = np.random.default_rng(0).random((1, *sides, channels), np.float32)
    outputs, wanted = _as_list(runner(path)(noise)), _as_list(forward(used.network)(noise))
    difference = max(float(np.abs(a - b).max()) for a, b in zip(outputs, wanted, strict=True))
    largest = max(1.0, *(float(np.abs(one).max()) for one in wanted))
    if not difference <= TOLERANCE * largest:
        fix = "Report this with the versions that mood doctor prints"
        raise MoodError(f"the file differs from its network by {difference:.2g}", where=path, fix=fix)
    return difference


def _as_list(outputs: Any) -> list[np.ndarray]:
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
