"""Options and steps of commands for BIDS data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mood.cli.options import console
from mood.errors import UsageError

BidsOutOption = Annotated[
    Path | None,
    typer.Option("--bids-out", file_okay=False, help="Write BIDS derivatives there as well, such as derivatives/mood."),
]
ParticipantsOption = Annotated[
    list[str] | None, typer.Option("--participant", help="Of a BIDS data set, the only one to score; repeatable.")
]


def chosen(paths: list[Path], participants: list[str] | None, source: Path) -> list[Path]:
    """The scans of the participants that were asked for; all of them where none was."""
    from mood.formats import bids

    return bids.of_participants(paths, participants, source) if participants else paths


def prepare_bids(paths: list[Path], source: Path, target: Path, mode: str) -> None:
    """See that derivatives can be written, before hours are spent; `UsageError` or `OutputError` where they cannot."""
    from mood.formats import bids, bids_derivatives
    from mood.nifti_file import scan_name

    if mode == "sample":
        raise UsageError("derivatives are made of maps", where="--bids-out", fix="Leave out --mode sample")
    bids.check_names([scan_name(path) for path in paths], source)
    bids_derivatives.begin(target, source, "")


def write_bids(
    paths: list[Path], source: Path, predictions: Path, target: Path, region: str, weights: Path | None
) -> None:
    """Write derivatives of the scans that have a map, and say where they are.

    Parameters
    ----------
    paths : list of pathlib.Path
        The scans.
    source, predictions, target : pathlib.Path
        Where the scans are, what `mood predict` wrote, and where derivatives go.
    region : str
    weights : pathlib.Path, optional
        Those of the predictions.

    Raises
    ------
    NoInputError, OutputError, UsageError
    """
    from mood.evaluation.report.collect import find_files
    from mood.evaluation.report.findings import save_bids
    from mood.evaluation.report.make import run_facts

    scans = set(paths)
    files = [one for one in find_files(source, predictions) if one.scan_path in scans]
    written = save_bids(files, run_facts(files, predictions, region, weights), source, target)
    text = f"BIDS derivatives of {written} of {len(files)} scans in {target}"
    console.print(text, highlight=False, markup=False, soft_wrap=True)
