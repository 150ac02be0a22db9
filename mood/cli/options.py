"""Options that several commands share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mood import engines
from mood.errors import UsageError

console = Console()

InputOption = Annotated[Path, typer.Option("-i", "--input", help="Folder of NAME.nii.gz scans.")]
OutputOption = Annotated[Path, typer.Option("-o", "--output", help="Folder to write to.")]
RegionOption = Annotated[str, typer.Option("-r", "--region", help="brain or abdom.")]
MethodOption = Annotated[
    str | None, typer.Option("-m", "--method", envvar="MOOD_METHOD", help="The detector, not the default one.")
]
WeightsOption = Annotated[Path | None, typer.Option(help="Folder that mood train wrote; else those shipped.")]


EngineOption = Annotated[
    str, typer.Option(envvar="MOOD_ENGINE", help=f"Runs the networks: {', '.join(engines.CHOICES)}.")
]
PrecisionOption = Annotated[
    str, typer.Option(envvar="MOOD_PRECISION", help=f"{' or '.join(engines.PRECISIONS)}; the latter is less exact.")
]


def parse_settings(pairs: list[str]) -> dict[str, object]:
    """The NAME=VALUE of --set; a value that is no JSON is text. `UsageError` for a pair without a value."""
    settings = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--set {pair} has no value", fix="Write --set NAME=VALUE")
        try:
            settings[name] = json.loads(value)
        except json.JSONDecodeError:
            settings[name] = value
    return settings
