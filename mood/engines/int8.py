"""Networks with eight-bit arithmetic, by post-training quantisation with NNCF; OpenVINO runs them.

An activation's range is that of all images together. NNCF's usual one, the mean over the images of their extremes,
cuts off what stands out in few of them, and that is what the methods are to find: it cost a sixth of the average
precision on the harder kinds of outlier. Weights take seven of the eight bits: with all eight, sums overflow on
processors without VNNI, and maps would depend on the machine. NNCF is needed to make such a graph, not to run it.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import rich

from mood.atomic import replacing
from mood.engines import Forward
from mood.errors import UsageError
from mood.installation import advice


@dataclass(frozen=True)
class QuantisedGraph:
    """A network in int8."""

    model: Any  # openvino.Model

    def save(self, stem: Path) -> list[Path]:
        """Write it to `stem`.xml, the operations, and `stem`.bin, the arrays."""
        import openvino as ov

        files = [stem.with_suffix(suffix) for suffix in (".bin", ".xml")]
        with replacing(files[0]) as arrays, replacing(files[1]) as topology:
            ov.save_model(self.model, topology, compress_to_fp16=False)
            topology.with_suffix(".bin").replace(arrays)
        return files

    def runner(self) -> Forward:
        """What runs it."""
        from mood.engines.openvino import graph_forward

        return graph_forward(self.model)


def quantise(network: keras.Model, images: Sequence[np.ndarray]) -> Any:
    """The network as an OpenVINO graph in int8.

    Parameters
    ----------
    network : keras.Model
        One input (N, H, W, C).
    images : sequence of (H, W, C) float32 ndarray
        What it typically sees; the ranges of its activations are measured on them.

    Returns
    -------
    openvino.Model

    Raises
    ------
    UsageError
        When OpenVINO or NNCF is not installed.
    """
    if not all(importlib.util.find_spec(name) for name in ("openvino", "nncf")):
        raise UsageError("OpenVINO or NNCF is not installed", fix=advice("int8"))
    os.environ.setdefault("NNCF_CI", "1")  # else it reports its use over the network
    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    from mood.engines.openvino import build_graph

    graph = build_graph(network)
    with _without_bars():
        return nncf.quantize(
            graph,
            nncf.Dataset([image[None] for image in images]),
            subset_size=len(images),
            preset=nncf.QuantizationPreset.MIXED,  # ranges of ReLU's output start at 0, those of normalisations do not
            advanced_parameters=AdvancedQuantizationParameters(
                overflow_fix=OverflowFix.ENABLE,
                activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,
            ),
        )


@contextmanager
def _without_bars() -> Iterator[None]:
    """Within, NNCF draws no progress bars: rich's own console, which mood does not print on, is quiet."""
    console = rich.get_console()
    before, console.quiet = console.quiet, True
    try:
        yield
    finally:
        console.quiet = before
