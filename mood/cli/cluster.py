"""The command line of clusters: a cohort handed to a scheduler."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mood.atomic import check_writable
from mood.cli.options import InputOption, OutputOption, console
from mood.errors import UsageError

app = typer.Typer(help="Hand a cohort to a scheduler.", no_args_is_help=True)

PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
OF_ALL = ("report", "preview", "bids_out", "dicom_out")  # what is made of all scans
AFTERWARDS = "; mood predict with it, when the array has ended, makes it and scores nothing again"
NOT_PASSED_ON = (*OF_ALL, "part", "threads", "ray", "challenge", "json_output")  # and what has its place elsewhere


@app.callback()
def _every_scheduler() -> None:
    """Keeps the scheduler's name a command of its own."""


@app.command(context_settings=PASSED_ON)
def slurm(
    context: typer.Context,
    source: InputOption,
    target: OutputOption,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print scripts and commands, submit nothing.")] = False,
    account: Annotated[str | None, typer.Option(help="As of sbatch.")] = None,
    partition: Annotated[str | None, typer.Option(help="As of sbatch.")] = None,
    container: Annotated[
        Path | None, typer.Option(metavar="IMAGE.sif", help="Run in this Apptainer image, not in this Python.")
    ] = None,
    scans_per_task: Annotated[int, typer.Option(min=1, help="So many scans make a part.")] = 100,
    at_once: Annotated[int, typer.Option(min=1, help="Tasks that run at the same time, at most.")] = 50,
    cpus: Annotated[int, typer.Option(min=1, help="Processors of a task.")] = 2,
    memory: Annotated[str, typer.Option(help="Of a task, as of sbatch --mem.")] = "4G",
    time: Annotated[str, typer.Option(help="A task may take, as of sbatch; what is left then goes on.")] = "2:00:00",
) -> None:
    """Score a cohort as an array job, and collect its table; other options, -r first of all, go to mood predict."""
    from mood.cohort.slurm import Cohort, Request, plan, scripts, submit
    from mood.volume import find_scans

    options, folders = _options_of_predict(context, source, target)
    if container is not None and not container.is_file():
        raise UsageError("there is no such image", where=container, fix="Name a .sif file that every node sees")
    found = len(find_scans(source))
    cohort = Cohort(source.resolve(), target.resolve(), found, options, container and container.resolve(), folders)
    named = {"account": account, "partition": partition}
    more = tuple(f"--{name}={value}" for name, value in named.items() if value)
    request = Request(cpus, memory, time, at_once, scans_per_task, more=more)
    if dry_run:
        for name, text in scripts(cohort, request).items():
            _say(f"# {cohort.scripts / name}\n{text}")
        _say("\n".join(" ".join(line) for line in plan(cohort, request)))
        return
    check_writable(target)
    *arrays, collecting = submit(cohort, request)
    parts = request.parts(found)
    _say(f"{found} scans in {parts} part{'s' * (parts > 1)}: job {', '.join(arrays)}, then job {collecting} collects")
    _say(f"Logs are in {cohort.scripts}; squeue shows how far it is, and mood collect {target} can be run at any time")


def _say(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _options_of_predict(context: typer.Context, source: Path, target: Path) -> tuple[tuple[str, ...], tuple[Path, ...]]:
    """What is passed on to `mood predict`, checked here and not in each task, with paths that hold on every node."""
    root = context.find_root().command
    predict = root.commands["predict"]  # type: ignore[attr-defined]
    words = ["-i", str(source), "-o", str(target), *context.args]
    given = predict.make_context("mood predict", words)
    sources = {name: given.get_parameter_source(name) for name in NOT_PASSED_ON}
    wrong = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if wrong:
        option = wrong[0].removesuffix("_output").replace("_", "-")
        fix = "Leave it out" + AFTERWARDS * (wrong[0] in OF_ALL)
        raise UsageError(f"--{option} is no option of an array", where="mood cluster slurm", fix=fix)
    values: dict[str, Any] = given.params
    weights: Path | None = values.get("weights")
    if weights is None:
        return tuple(context.args), ()
    places = {str(weights): str(weights.resolve()), f"--weights={weights}": f"--weights={weights.resolve()}"}
    return tuple(places.get(word, word) for word in context.args), (weights.resolve(),)
