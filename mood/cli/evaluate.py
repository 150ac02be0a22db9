"""The command line of judging predictions by their labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mood.cli.options import ModeOption, SeedOption, console
from mood.errors import UsageError


def evaluate(
    labels: Annotated[Path, typer.Option("-l", "--labels", help="toy_label folder, or the labels themselves.")],
    predictions: Annotated[list[str], typer.Option("-p", "--predictions", help="FOLDER or NAME=FOLDER; repeatable.")],
    mode: ModeOption = "both",
    json_file: Annotated[
        Path | None, typer.Option("--json", dir_okay=False, help="Write the results here too.")
    ] = None,
    resamples: Annotated[int, typer.Option(min=1, max=10**6, help="Bootstrap samples of the intervals.")] = 1000,
    seed: SeedOption = 0,
) -> None:
    """Official average precision and more, several sets of predictions side by side."""
    import numpy as np

    from mood.evaluation import folder as evaluation
    from mood.evaluation.results import render_kinds, render_table, save_evaluations

    folders = _named_folders(predictions)
    kept: dict[str, evaluation.Evaluation] = {}
    for each in ("pixel", "sample") if mode == "both" else (mode,):
        results = {
            name: evaluation.evaluate_folder(labels, folder, each, np.random.default_rng(seed), resamples)
            for name, folder in folders.items()
        }
        for table in filter(None, (render_table(results), render_kinds(results))):
            console.print(table)
        kept |= {f"{name} {each}": result for name, result in results.items()}
    if json_file is not None:
        save_evaluations(kept, json_file)


def _named_folders(texts: list[str]) -> dict[str, Path]:
    """The NAME=FOLDER of --predictions; `UsageError` where two have one name."""
    folders: dict[str, Path] = {}
    for text in texts:
        name, equals, folder = text.partition("=")
        name, path = (name, Path(folder)) if equals else (Path(text).name, Path(text))
        if name in folders:
            fix = "Write --predictions NAME=FOLDER, each with another name"
            raise UsageError(f"two sets of predictions are called '{name}'", where=path, fix=fix)
        folders[name] = path
    return folders
