"""Commands that show results to people."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from mood import errors
from mood.cli import formats as cli_formats
from mood.cli.options import InputOption, OutputOption, WeightsOption, console, region_choice
from mood.cli.output import QuietOption, VerboseOption

PredictionsOption = Annotated[Path, typer.Option("-p", "--predictions", help="Folder that mood predict wrote.")]
OneInOption = Annotated[
    float, typer.Option("--one-in", help="What is rarer than one healthy voxel in so many stands out.")
]


def report(
    context: typer.Context,
    source: InputOption,
    predictions: PredictionsOption,
    target: OutputOption,
    labels: Annotated[Path | None, typer.Option("-l", "--labels", help="Folder of labels to compare with.")] = None,
    region: Annotated[str | None, region_choice(help="Where the predictions do not say it.")] = None,
    weights: WeightsOption = None,
    healthy: Annotated[
        list[str] | None, typer.Option(help="Scans known to be healthy, such as 'sub-0*'; repeatable.")
    ] = None,
    participants: Annotated[
        Path | None, typer.Option(help="participants.tsv; one beside the scans is found by itself.")
    ] = None,
    one_in: OneInOption = 1000,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
    series: cli_formats.SeriesOption = None,
) -> None:
    """Pages to look at, offline: where each scan is unusual, how unusual, and how far to trust that."""
    source = context.with_resource(cli_formats.given(source, target, region, series)).source
    problems = write_report(source, predictions, target, labels, region, weights, healthy, participants, one_in)
    if problems:
        raise typer.Exit(errors.EXIT_SOME_FAILED)


def write_report(
    source: Path,
    predictions: Path,
    target: Path,
    labels: Path | None = None,
    region: str | None = None,
    weights: Path | None = None,
    healthy: list[str] | None = None,
    participants: Path | None = None,
    one_in: float = 1000,
) -> int:
    """Write a report, say where it is, and return how many scans could not be shown."""
    from mood.evaluation.report.make import make_report
    from mood.evaluation.report.sentences import group_headline

    command = shlex.join(["mood", *sys.argv[1:]])
    with console.status("Looking at the scans") as status:
        summaries = make_report(
            source, predictions, target, labels, region=region, weights=weights, one_in=one_in,
            healthy=healthy or (), participants=participants, command=command,
            on_scan=lambda summary, total: status.update(f"Looking at the scans: {summary.name}"),
        )  # fmt: skip
    console.print(group_headline(summaries), highlight=False, markup=False, soft_wrap=True)
    console.print(f"The report is in {target / 'index.html'}", highlight=False, markup=False, soft_wrap=True)
    return sum(bool(summary.problem) for summary in summaries)


def write_previews(source: Path, predictions: Path, region: str, weights: Path | None) -> None:
    """Write a picture beside each map, and say so."""
    from mood.evaluation.report.make import save_previews

    written = save_previews(source, predictions, region, weights)
    console.print(f"{len(written)} pictures NAME.png in {predictions}", highlight=False, markup=False, soft_wrap=True)
