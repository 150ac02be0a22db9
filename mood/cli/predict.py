"""The command that scores scans."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mood import engines, errors
from mood.cli import challenge as cli_challenge
from mood.cli import cohort as cli_cohort
from mood.cli import formats as cli_formats
from mood.cli import output, scans
from mood.cli import report as cli_report
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
from mood.regions import get_region

if TYPE_CHECKING:
    from mood.methods import Method
    from mood.run_record import Outcome


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
    strict: Annotated[bool, typer.Option("--strict", help="Fail scans that are not what the weights know.")] = False,
    strip: StripOption = "auto",
    engine: EngineOption = engines.AUTO,
    precision: PrecisionOption = engines.EXACT,
    fast: Annotated[bool, typer.Option("--fast", help="The region's quick method, in bfloat16 if possible.")] = False,
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
    cli_formats.check_mode(mode, challenge, bids_out=bids_out, dicom_out=dicom_out)
    of_all = report or preview or bids_out is not None or dicom_out is not None
    cli_cohort.check_ray(ray, participants)
    share = cli_cohort.chosen_part(part, challenge=challenge, of_all=of_all, on_ray=ray is not None)
    given = context.with_resource(cli_formats.given(source, target, region, series, dicom_out))
    source, paths = given.source, _scans(given.source, target, challenge, participants, bids_out)
    cli_cohort.use_threads(threads)
    method, precision = _fast(region, method, precision) if fast else (method, precision)
    if challenge:
        task = cli_challenge.Task(target, region, method, mode, weights, engine, precision, deadline)
        raise typer.Exit(cli_challenge.predict(task, paths, console, json_output))
    order = cli_cohort.Order(
        source, target, region, method, mode, weights, engine, precision, overwrite, strict, strip, threads
    )
    scored_by = order.detector().method
    with scans.ScanProgress(console) as progress:
        if ray is not None:
            outcomes = cli_cohort.score_on_ray(order, ray, len(paths), progress)
        else:
            outcomes = order.score(share, paths, source if participants is None else None, progress)
    _say(outcomes, scored_by, target, json_output)
    if preview:
        cli_report.write_previews(source, target, region, weights)
    if report:
        cli_report.write_report(source, target, target / "report", region=region, weights=weights)
    if bids_out is not None:
        cli_formats.write_bids(paths, source, target, bids_out, region, weights)
    cli_formats.write_dicom(given, target, region, weights)
    if any(outcome.status in ("failed", "missing") for outcome in outcomes):
        raise typer.Exit(errors.EXIT_SOME_FAILED)


def _scans(
    source: Path, target: Path, challenge: bool, participants: list[str] | None, bids_out: Path | None
) -> list[Path]:
    """The scans to score; the output folder and that of the derivatives are looked at first."""
    from mood import runtime
    from mood.images import scans_to_score

    paths = cli_formats.chosen(scans_to_score(source, target, challenge=challenge), participants, source)
    if bids_out is not None:
        cli_formats.prepare_bids(paths, source, bids_out)
    runtime.ensure_temporary_folder(target)
    return paths


def _fast(region: str, method: str | None, precision: str) -> tuple[str, str]:
    """Method and precision of --fast; `UsageError` where either is named as well."""
    if method is not None or precision != engines.EXACT:
        raise errors.UsageError("--fast chooses method and precision itself", fix="Leave out the others, or --fast")
    able = [kind for kind in engines.ENGINES.values() if engines.HALF in kind.precisions and kind.available()]
    return get_region(region).fast_method, engines.HALF if able else engines.EXACT


def _say(outcomes: list[Outcome], method: Method, target: Path, json_output: bool) -> None:
    """The closing table and sentence, and the same for programs where it is asked for."""
    if json_output:
        output.print_json(scans.as_json(outcomes, method.name, target))
    scans.print_closing_table(console, outcomes, method.calibration is not None)
    console.print(scans.sentence(outcomes, method.name, target), highlight=False, markup=False, soft_wrap=True)
