"""Commands about this installation: what it holds, whether it works, and what its methods are taught with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mood import __version__, errors
from mood.cli.options import InputOption, RegionOption, SeedOption, console
from mood.cli.output import JsonOption, print_json

SIGNS = {"good": "[green]ok  [/green]", "warning": "[yellow]note[/yellow]", "bad": "[red]BAD [/red]"}


def info(json_output: JsonOption = False) -> None:
    """The methods and the trained weights that come with this installation."""
    from mood.installation import DISTRIBUTION
    from mood.methods import REGISTRY
    from mood.typed import encode
    from mood.weights.card import summary
    from mood.weights.store import default_method, packaged_weights

    found = packaged_weights()
    defaults = [one.method == default_method(one.region) for one in found]
    if json_output:
        weights = [
            {"folder": str(one.path), "default": default} | encode(one.config)
            for one, default in zip(found, defaults, strict=True)
        ]
        print_json({"version": f"{DISTRIBUTION} {__version__}", "methods": list(REGISTRY), "weights": weights})
    console.print(f"Methods: {', '.join(REGISTRY)}", highlight=False)
    for one, default in zip(found, defaults, strict=True):
        console.print(f"\n[bold]{one.path.name}[/bold]{', the default' if default else ''}", highlight=False)
        for line in summary(one.config):
            console.print(f"  {line}", highlight=False, markup=False)


def doctor(json_output: JsonOption = False) -> None:
    """Whether everything needed is there and whole, and how to mend what is not."""
    from mood.cli.doctor import BAD, examine

    found = []
    for finding in examine():
        found.append(finding)
        console.print(f"{SIGNS[finding.state]} ", end="")
        console.print(f"{finding.name}: {finding.text}", highlight=False, markup=False, soft_wrap=True)
        if finding.fix:
            console.print(f"     -> {finding.fix}", highlight=False, markup=False, soft_wrap=True)
    bad = [finding for finding in found if finding.state == BAD]
    if json_output:
        print_json({"healthy": not bad, "findings": [vars(finding) for finding in found]})
    console.print("Something does not work; see above" if bad else "All that is needed works", highlight=False)
    if bad:
        raise typer.Exit(errors.EXIT_SOME_FAILED)


def preview(
    source: InputOption,
    region: RegionOption,
    picture: Annotated[Path, typer.Option("-o", "--output", dir_okay=False, help="PNG file to write.")],
    task: Annotated[str | None, typer.Option(help="Which tasks: fpi,pii,... All when not given.")] = None,
    seed: SeedOption = 0,
) -> None:
    """What the method mix is taught with: a scan altered by each task, and its label, as a picture."""
    import numpy as np

    from mood.benchmark.gallery import save_maps
    from mood.regions import get_region
    from mood.synthesis.tasks import TASKS, get_tasks
    from mood.training.preview import task_rows
    from mood.volume import find_scans

    tasks = get_tasks(tuple(task.split(",")) if task else tuple(TASKS))
    rows = task_rows(find_scans(source), get_region(region), tasks, np.random.default_rng(seed))
    save_maps(rows, picture)
    console.print(f"{len(rows)} tasks in {picture}", highlight=False, markup=False, soft_wrap=True)
