"""The command line of samples with labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mood.cli.options import OutputOption, SeedOption, console, region_choice
from mood.regions import REGIONS, get_region


def toy(
    target: OutputOption,
    region: Annotated[str | None, region_choice(help="One region only; all when not given.")] = None,
    cases: Annotated[int, typer.Option(min=1, max=10**4, help="Cases a region.")] = 4,
    side: Annotated[int | None, typer.Option(min=8, max=1024, help="Voxels along each axis, if fewer.")] = None,
    healthy: Annotated[
        Path | None, typer.Option("--from", help="Plant outliers into these healthy scans instead.")
    ] = None,
    seed: SeedOption = 0,
) -> None:
    """Samples with labels in the challenge's layout: made up, or from healthy scans of your own."""
    import numpy as np

    from mood.synthesis import toy as samples
    from mood.volume import find_scans, load, scan_name

    for name in REGIONS if region is None else (region,):
        where = get_region(name)
        rng = np.random.default_rng(seed)
        if healthy is None:
            written = samples.make_toy(target, where, rng, cases, side)
        else:
            scans = ((scan_name(path), load(path)) for path in find_scans(healthy))
            written = samples.make_cases(scans, target, where, rng)
        console.print(f"{len(written)} cases in {target / name / 'toy'}, labels in {target / name / 'toy_label'}")
