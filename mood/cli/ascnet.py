"""Commands for ASC-Net alone; the others serve every method alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from msgspec import Meta

from mood.cli.options import InputOption, OutputOption, RegionOption, SeedOption, WeightsOption, console
from mood.errors import UsageError
from mood.regions import get_region
from mood.typed import Unfit, decode, plain_value


def _grey_level(text: str) -> float:
    try:
        return decode(Annotated[float, Meta(gt=0, lt=1)], plain_value(text))  # type: ignore[arg-type]
    except Unfit as error:
        raise UsageError(f"--threshold {text} is no grey level", fix="Give a number between 0 and 1") from error


def pack(
    source: Annotated[Path, typer.Option("-i", "--reference", help="Folder of scans known to be fine.")],
    target: OutputOption,
    region: RegionOption,
    inputs: Annotated[
        Path | None, typer.Option(help="Folder of scans that may hold anything; else intruders are planted.")
    ] = None,
    side: Annotated[int, typer.Option(min=16, max=4096, help="Pixels along each side, a multiple of 16.")] = 160,
    seed: SeedOption = 0,
) -> None:
    """Arrays (.npy) for ASC-Net's original scripts, from folders of scans."""
    import numpy as np

    from mood import runtime

    runtime.prepare()
    from mood.methods.ascnet import arrays as packing

    packed = packing.pack(source, target, get_region(region), np.random.default_rng(seed), inputs, side)
    console.print(f"{len(packed.reference)} reference and {len(packed.inputs)} input images in {target}")


def inspect(
    source: InputOption,
    target: Annotated[Path, typer.Option("-o", "--output", dir_okay=False, help="PNG file to write.")],
    region: RegionOption,
    weights: WeightsOption = None,
    threshold: Annotated[
        float | None, typer.Option(parser=_grey_level, metavar="FLOAT", help="On Iro, by hand; else the valley.")
    ] = None,
) -> None:
    """How ASC-Net sees scans: input, Ifc, Iwc, Iro, mask and Iro's histogram in one picture."""
    from mood.detector import load_detector
    from mood.volume import find_scans, load

    detector = load_detector(region, "ascnet", weights)
    from mood.methods.ascnet import inspect as inspection

    scans = [detector.conform(load(path)).data for path in find_scans(source)[: inspection.ROWS]]
    levels = inspection.inspect_scans(scans, detector.method, target, threshold)
    thresholds = ", ".join(f"{t:.3f}" for t in levels.thresholds) or "none"
    console.print(f"Iro's thresholds: {thresholds}; picture in {target}")
