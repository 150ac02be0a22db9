"""The program: its commands, each declared in a module of this package, and how it ends.

Heavy imports stand inside the commands, so that `mood --help` is instant.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any, NoReturn

import typer

from mood import __version__, errors
from mood.atomic import HDF5_FAULT
from mood.cli import about as cli_about
from mood.cli import ascnet as cli_ascnet
from mood.cli import calibrate as cli_calibrate
from mood.cli import cluster as cli_cluster
from mood.cli import cohort as cli_cohort
from mood.cli import evaluate as cli_evaluate
from mood.cli import export as cli_export
from mood.cli import output, stopping
from mood.cli import predict as cli_predict
from mood.cli import report as cli_report
from mood.cli import submit as cli_submit
from mood.cli import toy as cli_toy
from mood.cli import train as cli_train
from mood.cli.options import console
from mood.errors import MoodError

app = typer.Typer(
    help="Out-of-distribution detection in brain MRI and abdominal CT, trained on healthy scans only.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        console.print(f"mood {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _every_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options that need no command."""


app.command()(cli_predict.predict)
app.command()(cli_cohort.collect)
app.add_typer(cli_cluster.app, name="cluster")
app.command()(cli_report.report)
app.command()(cli_train.train)
app.command()(cli_train.join)
app.command()(cli_train.quantise)
app.command()(cli_export.export)
app.command()(cli_calibrate.calibrate)
app.add_typer(cli_submit.app, name="submit")


app.command()(cli_evaluate.evaluate)


app.command()(cli_toy.toy)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def bench(context: typer.Context) -> None:
    """Every method beside the baselines on outliers planted into held-out scans; mood bench --help says more."""
    from mood.benchmark import command

    command.main(context.args)


app.command()(cli_ascnet.pack)
app.command()(cli_ascnet.inspect)


app.command()(cli_about.info)
app.command()(cli_about.doctor)
app.command()(cli_about.preview)


def main() -> None:
    """The program `mood`."""
    run(sys.argv[1:])


def run(arguments: list[str], program: typer.Typer = app, name: str = "mood") -> None:
    """Run one command line and leave the process; errors become one sentence and an exit status."""
    stopping.begin()
    output.start()
    sys.unraisablehook = _unraisable
    try:
        with output.lossy():
            _finished(arguments, program, name)
    except MoodError as error:
        print(f"{name}: {error}", file=sys.stderr)
        if HDF5_FAULT.search(str(error.__cause__)):
            _leave_at_once(error.exit_code)
        sys.exit(error.exit_code)
    except (SystemExit, KeyboardInterrupt) as error:
        stopping.end()
        # Typer makes an exit of an interruption, but not of one that comes before it has begun.
        if isinstance(error, SystemExit) and error.code != errors.EXIT_INTERRUPTED:
            raise
        print(stopping.sentence(), file=sys.stderr)
        sys.exit(stopping.status())
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(errors.EXIT_OK)
    sys.exit(errors.EXIT_OK)


def _finished(arguments: list[str], program: typer.Typer, name: str) -> None:
    """Run the command; where it ends well nothing is raised, so that what it printed can be looked after."""
    try:
        program(arguments, prog_name=name)
    except SystemExit as error:
        if error.code not in (None, errors.EXIT_OK):
            raise


def _leave_at_once(status: int) -> NoReturn:
    """Leave without tidying up: HDF5 would try again to write a file that it could not write, and may crash."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _unraisable(unraisable: Any) -> None:
    """HDF5 complains again while it lets go of a file that it could not write; that has been said by then."""
    if not HDF5_FAULT.search(str(unraisable.exc_value)):
        stopping.unraisable(unraisable)
