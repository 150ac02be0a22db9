"""The command line. Options are declared here; the work is done in the modules of the same names.

Heavy imports stand inside the commands, so that `mood --help` is instant.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any, NoReturn

import typer

from mood import __version__, engines, errors
from mood.atomic import HDF5_FAULT
from mood.cli import about as cli_about
from mood.cli import ascnet as cli_ascnet
from mood.cli import calibrate as cli_calibrate
from mood.cli import challenge as cli_challenge
from mood.cli import cluster as cli_cluster
from mood.cli import cohort as cli_cohort
from mood.cli import evaluate as cli_evaluate
from mood.cli import export as cli_export
from mood.cli import formats as cli_formats
from mood.cli import output, scans, stopping
from mood.cli import report as cli_report
from mood.cli import toy as cli_toy
from mood.cli import train as cli_train
from mood.cli.options import (
    DeadlineOption,
    EngineOption,
    InputOption,
    MethodOption,
    ModeOption,
    OutputOption,
    PartOption,
    PrecisionOption,
    RayOption,
    RegionOption,
    StripOption,
    ThreadsOption,
    WeightsOption,
    console,
)
from mood.cli.output import JsonOption, QuietOption, VerboseOption
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


@app.command()
def predict(
    context: typer.Context,
    source: InputOption,
    target: OutputOption,
    region: RegionOption,
    method: MethodOption = None,
    mode: ModeOption = "both",
    weights: WeightsOption = None,
    challenge: Annotated[bool, typer.Option(help="Give every scan an output, as the challenge asks.")] = False,
    deadline: DeadlineOption = 600.0,
    overwrite: Annotated[bool, typer.Option(help="Do again what is there already.")] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Fail scans that are not what the weights know (skull on, T2, a slab, ...)."),
    ] = False,
    strip: StripOption = "auto",
    engine: EngineOption = engines.AUTO,
    precision: PrecisionOption = engines.EXACT,
    report: Annotated[bool, typer.Option("--report", help="Write a report to OUTPUT/report as well.")] = False,
    part: PartOption = None,
    threads: ThreadsOption = None,
    ray: RayOption = None,
    preview: Annotated[bool, typer.Option("--preview", help="Write a picture NAME.png of each scan as well.")] = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
    json_output: JsonOption = False,
    participants: cli_formats.ParticipantsOption = None,
    series: cli_formats.SeriesOption = None,
    bids_out: cli_formats.BidsOutOption = None,
    dicom_out: cli_formats.DicomOutOption = None,
) -> None:
    """Score scans: a map NAME.nii.gz and a score NAME.nii.gz.txt each, higher = more abnormal."""
    from mood import predict as prediction
    from mood import runtime
    from mood.detector import load_detector
    from mood.images import scans_to_score

    cli_formats.check_mode(mode, challenge, bids_out=bids_out, dicom_out=dicom_out)
    of_all = report or preview or bids_out is not None or dicom_out is not None
    cli_cohort.check_ray(ray, participants)
    share = cli_cohort.chosen_part(part, challenge=challenge, of_all=of_all, on_ray=ray is not None)
    given = context.with_resource(cli_formats.given(source, target, region, series, dicom_out))
    source = given.source
    paths = scans_to_score(source, target, challenge=challenge)
    paths = cli_formats.chosen(paths, participants, source)
    if bids_out is not None:
        cli_formats.prepare_bids(paths, source, bids_out)
    threads = cli_cohort.use_threads(threads)
    runtime.ensure_temporary_folder(target)
    if challenge:
        task = cli_challenge.Task(target, region, method, mode, weights, engine, precision, deadline)
        raise typer.Exit(cli_challenge.predict(task, paths, console, json_output))
    detector = load_detector(region, method, weights, engine, precision)
    with scans.ScanProgress(console) as progress:
        if ray is not None:
            order = cli_cohort.Order(
                source, target, region, method, mode, weights, engine, precision, overwrite, strict, strip, threads
            )
            outcomes = cli_cohort.score_on_ray(order, ray, len(paths), progress)
        else:
            outcomes = prediction.predict_folder(
                paths,
                target,
                detector.method,
                mode,
                overwrite=overwrite,
                strict=strict,
                strip=strip,
                about=detector.about(),
                part=share,
                origin=source if participants is None else None,
                on_scan=progress,
            )
    name, calibrated = detector.method.name, detector.method.calibration is not None
    if json_output:
        output.print_json(scans.as_json(outcomes, name, target))
    scans.print_closing_table(console, outcomes, calibrated)
    console.print(scans.sentence(outcomes, name, target), highlight=False, markup=False, soft_wrap=True)
    if preview:
        cli_report.write_previews(source, target, region, weights)
    if report:
        cli_report.write_report(source, target, target / "report", region=region, weights=weights)
    if bids_out is not None:
        cli_formats.write_bids(paths, source, target, bids_out, region, weights)
    cli_formats.write_dicom(given, target, region, weights)
    if any(outcome.status in ("failed", "missing") for outcome in outcomes):
        raise typer.Exit(errors.EXIT_SOME_FAILED)


app.command()(cli_cohort.collect)
app.add_typer(cli_cluster.app, name="cluster")
app.command()(cli_report.report)
app.command()(cli_train.train)
app.command()(cli_train.join)
app.command()(cli_train.quantise)
app.command()(cli_export.export)
app.command()(cli_calibrate.calibrate)


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
    except SystemExit as error:
        stopping.end()
        if error.code != errors.EXIT_INTERRUPTED:  # what Typer makes of an interruption
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
