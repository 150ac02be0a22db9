"""How much a command says: a bar on a terminal, plain lines elsewhere, more with -v, errors alone with -q."""

from __future__ import annotations

import json
import logging
import sys
from typing import Annotated, Any

import typer

from mood.cli.options import console

LINE = "%(levelname)s %(message)s"
DETAILED = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def _speak(wanted: bool) -> None:
    if wanted:
        logging.getLogger().setLevel(logging.DEBUG)
        for handler in logging.getLogger().handlers:
            handler.setFormatter(logging.Formatter(DETAILED))


def _be_quiet(wanted: bool) -> None:
    if wanted:
        console.quiet = True
        logging.getLogger().setLevel(logging.ERROR)


VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", callback=_speak, help="Say more, with times: for a report of a fault.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", callback=_be_quiet, help="Say nothing but errors.")]


def _keep_for_programs(wanted: bool) -> bool:
    if wanted:
        console.quiet = True
    return wanted


JsonOption = Annotated[
    bool, typer.Option("--json", callback=_keep_for_programs, help="Print one JSON object instead of words.")
]


def start() -> None:
    """Begin as every command does: words on the output, the log on the error output."""
    console.quiet = False
    logging.basicConfig(level=logging.INFO, format=LINE, stream=sys.stderr)
    for noisy in ("h5py", "matplotlib", "PIL"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


def print_json(content: Any) -> None:
    """One JSON object on the output, whatever else is quiet; what is no number becomes null."""
    from mood.evaluation.results import without_nan

    sys.stdout.write(json.dumps(without_nan(content), indent=1, allow_nan=False) + "\n")


def duration(seconds: float) -> str:
    """A time in the unit people would choose: '40 s', '12 min', '3.5 h'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
