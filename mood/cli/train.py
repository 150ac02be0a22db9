"""Commands that make weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mood.cli.options import (
    InputOption,
    MethodOption,
    OutputOption,
    RegionOption,
    SeedOption,
    choice,
    console,
    parse_settings,
)
from mood.cli.output import QuietOption, VerboseOption
from mood.errors import UsageError
from mood.regions import get_region

RECIPES = {"paper": "fpi", "mix": "mix"}  # with their methods


def _tasks_completed(incomplete: str) -> list[str]:
    """The last of several tasks, completed."""
    from mood.synthesis.tasks import TASKS

    before, comma, last = incomplete.rpartition(",")
    return [before + comma + name for name in TASKS if name.startswith(last)]


def train(
    source: InputOption,
    target: OutputOption,
    region: RegionOption,
    method: MethodOption = None,
    recipe: Annotated[
        str | None,
        choice("recipe", lambda: RECIPES, "--recipe", help="paper: FPI as published; mix: what measured best."),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the scans.")] = 50,
    steps: Annotated[int | None, typer.Option(min=1, help="Stop after this many steps, if sooner.")] = None,
    check_every: Annotated[int, typer.Option(min=1, help="Steps between two checks on synthetic outliers.")] = 500,
    held_out: Annotated[int, typer.Option(min=0, help="Scans kept from training for the checks.")] = 5,
    side: Annotated[int | None, typer.Option(min=8, max=1024, help="Coarser grid: voxels along each axis.")] = None,
    setting: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE of the method; repeatable.")] = None,
    task: Annotated[
        str | None,
        typer.Option(autocompletion=_tasks_completed, help="What the method mix is taught to see: fpi,pii,..."),
    ] = None,
    seed: SeedOption = 0,
    note: Annotated[str, typer.Option(help="On the data and their licences, for the card.")] = "",
    unlabelled: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder of scans that may hold anything, for ASC-Net.")
    ] = None,
    start_from: Annotated[
        Path | None, typer.Option(file_okay=False, help="Weights folder to start from, of the same method and network.")
    ] = None,
    on_devices: Annotated[
        int, typer.Option("--devices", min=1, max=1024, help="Share each batch out among so many GPUs.")
    ] = 1,
    hosts: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="File of HOST[:PORT] lines: train on all of them; run this on each."),
    ] = None,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train a method on healthy scans. The same command again goes on where it stopped."""
    from mood.engines.devices import read_hosts
    from mood.training import run as training

    machines = read_hosts(hosts) if hosts else ()
    if machines and on_devices > 1:
        raise UsageError("--devices and --hosts are given", fix="Leave out --devices: all of each host's are used")
    where = get_region(region)
    method = _method_of(recipe, method) if recipe else method or where.training_method
    changes = parse_settings(setting or [])
    if task is not None:
        changes["tasks"] = task
    if side is not None:
        grid = where.grid.coarsened(side)
        changes = {"grid_shape": grid.shape, "spacing_mm": grid.spacing_mm} | changes
    schedule = training.Schedule(epochs, steps, check_every, held_out, seed)
    with _TrainingBar(steps) as bar:
        training.train(
            source, target, method, where, changes, schedule, note, bar, unlabelled, start_from, on_devices, machines
        )
    use = f"mood predict --region {region} --method {method} --weights {target} -i SCANS -o RESULTS"
    console.print(f"Trained. Use it with: {use}", highlight=False, markup=False, soft_wrap=True)


def _method_of(recipe: str, method: str | None) -> str:
    if method not in (None, RECIPES[recipe]):
        raise UsageError(f"recipe '{recipe}' trains {RECIPES[recipe]}, not {method}", fix="Leave out one of the two")
    return RECIPES[recipe]


def quantise(
    weights: Annotated[Path, typer.Option("-w", "--weights", file_okay=False, help="Folder that mood train wrote.")],
    source: Annotated[Path, typer.Option("-i", "--input", help="Folder of healthy scans to measure ranges on.")],
    scans: Annotated[int, typer.Option(min=1, help="How many of them.")] = 8,
) -> None:
    """The int8 form of trained weights, for mood predict --precision int8."""
    from mood import runtime

    runtime.prepare()
    from mood.training import quantise as quantisation
    from mood.weights.store import read_folder

    trained = read_folder(weights)
    console.print(
        f"measuring ranges on {scans} scans of {source}, to write int8 graphs into {weights}", highlight=False
    )
    found = quantisation.quantise_weights(trained, source, scans)
    console.print(
        f"int8 graphs in {weights}; on these scans the maps change by {found.mean:.2g} on average, "
        f"by {found.largest:.2g} at most",
        highlight=False,
    )


def join(
    weights: Annotated[list[Path], typer.Argument(help="Folders that mood train wrote for the method mix.")],
    source: Annotated[Path, typer.Option("-i", "--input", help="Folder of the healthy scans they were trained on.")],
    target: OutputOption,
) -> None:
    """Weights of mix joined into one set, whose maps are the mean of theirs."""
    from mood import runtime

    runtime.prepare()
    from mood.training import join as joining
    from mood.weights.store import read_folder

    ap = joining.join([read_folder(folder) for folder in weights], source, target)
    console.print(f"Joined into {target}; AP on held-out synthetic outliers {ap:.4f}", highlight=False)


class _TrainingBar:
    """A bar on a terminal; elsewhere the log lines of the checks are enough."""

    def __init__(self, steps: int | None) -> None:
        from rich import progress

        columns = [progress.BarColumn(), progress.MofNCompleteColumn(), progress.TimeElapsedColumn()]
        columns += [progress.TextColumn("left"), progress.TimeRemainingColumn()]
        told = "epoch {task.fields[epoch]}  loss {task.fields[loss]:.4f}  {task.fields[best]}"
        columns += [progress.TextColumn(told)]
        self.bar = progress.Progress(*columns, console=console, disable=not console.is_terminal or console.quiet)
        self.task = self.bar.add_task("training", total=steps, epoch=0, loss=float("nan"), best="")

    def __enter__(self) -> _TrainingBar:
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def __call__(self, progress, loss: float) -> None:
        best = f"best AP {progress.best_ap:.4f}" if progress.best_ap >= 0 else ""
        self.bar.update(self.task, completed=progress.step, epoch=progress.epoch, loss=loss, best=best)
