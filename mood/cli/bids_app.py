"""The program `mood-bids`: the call that all BIDS Apps have, `mood-bids BIDS OUT participant|group`.

Maps, scores and the record of the run lie in OUT/mood, derivatives in OUT, the report on a group in OUT/mood/report.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from mood import engines
from mood.cli import app as cli
from mood.cli import predict as cli_predict
from mood.cli import report as cli_report
from mood.cli.options import Choice, EngineOption, MethodOption, PrecisionOption, WeightsOption, console
from mood.formats.bids_derivatives import FLAT

LEVELS = ("participant", "group")
LABELS = ("--participant-label", "--participant_label")
REGION = "brain"  # the only one that the standard has scans of

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@app.command()
def bids_app(
    context: typer.Context,
    data_set: Annotated[Path, typer.Argument(metavar="BIDS", help="Top of a data set of skull-stripped T1w scans.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", file_okay=False, help="Top of the derivatives.")],
    level: Annotated[
        str,
        typer.Argument(
            metavar="|".join(LEVELS),
            parser=Choice("level of analysis", lambda: LEVELS),
            help="Score scans, or report on all that were scored.",
        ),
    ],
    participants: Annotated[
        list[str] | None, typer.Option(*LABELS, help="With or without sub-; one or several, or repeated.")
    ] = None,
    method: MethodOption = None,
    weights: WeightsOption = None,
    engine: EngineOption = engines.AUTO,
    precision: PrecisionOption = engines.EXACT,
) -> None:
    """Out-of-distribution detection in skull-stripped T1 MRI, as a BIDS App."""
    predictions = target / FLAT
    if level == "group":
        group(data_set, target, weights)
        return
    cli_predict.predict(
        context, data_set, predictions, REGION, method, weights=weights, engine=engine, precision=precision,
        participants=participants, bids_out=target,
    )  # fmt: skip


def group(data_set: Path, target: Path, weights: Path | None) -> None:
    """One table and one report on all that was scored, by whatever runs."""
    from mood.formats import bids_derivatives

    predictions = target / FLAT
    cli_report.write_report(data_set, predictions, predictions / "report", region=REGION, weights=weights)
    table = bids_derivatives.finish(target)
    console.print(f"Scores are in {table}", highlight=False, markup=False, soft_wrap=True)


def repeated(words: Sequence[str]) -> Iterator[str]:
    """A command line with the option before each label, of one that has it once before several.

    Examples
    --------
    >>> list(repeated(["in", "out", "participant", "--participant_label", "01", "02", "-m", "mix"]))[3:7]
    ['--participant_label', '01', '--participant_label', '02']
    """
    option, labels = "", 0
    for word in words:
        if word.startswith("-"):
            option, labels = word if word in LABELS else "", 0
        elif option:
            labels += 1
            if labels > 1:
                yield option
        yield word


def main() -> None:
    """The program `mood-bids`."""
    cli.run(list(repeated(sys.argv[1:])), app, "mood-bids")
