"""Commands and options for files of other kinds than NIfTI volumes in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mood.cli.options import console

BidsOutOption = Annotated[
    Path | None,
    typer.Option("--bids-out", file_okay=False, help="Write BIDS derivatives there as well, such as derivatives/mood."),
]


def write_bids(
    source: Path, predictions: Path, target: Path, region: str | None = None, weights: Path | None = None
) -> int:
    """Write derivatives of every scan that has a map, say where they are, and return how many scans have none.

    Parameters
    ----------
    source, predictions : pathlib.Path
        What was scored, and what `mood predict` wrote.
    target : pathlib.Path
        Top of the derivatives.
    region, weights
        Where the predictions do not say it.

    Raises
    ------
    NoInputError, OutputError, UsageError
    """
    from mood.evaluation.report.collect import find_files
    from mood.evaluation.report.findings import save_bids
    from mood.evaluation.report.make import run_facts

    files = find_files(source, predictions)
    written = save_bids(files, run_facts(files, predictions, region, weights), source, target)
    text = f"BIDS derivatives of {written} of {len(files)} scans in {target}"
    console.print(text, highlight=False, markup=False, soft_wrap=True)
    return len(files) - written
