"""How much a command says: a bar on a terminal, plain lines elsewhere, more with -v, errors alone with -q."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from mood.cli.options import console
from mood.errors import OutputError

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
    for noisy in ("h5py", "matplotlib", "PIL", "pydicom", "highdicom"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


class Lossy:
    """Standard output that may be full, or closed by who reads it: what cannot be written is lost, the work goes on.

    Attributes
    ----------
    failure : OSError or None
        Why something was lost.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        self._try(lambda: self.stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(self.stream.flush)

    def _try(self, action: Callable[[], object]) -> None:
        try:
            if self.failure is None:
                action()
        except OSError as error:
            self.failure = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def lossy() -> Iterator[None]:
    """Within, what cannot be printed ends nothing; `OutputError` at the end, unless nobody wanted to read it."""
    before = sys.stdout
    if before is None:  # closed by the shell
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - as long as the process
    sys.stdout = stream = Lossy(sys.stdout)
    try:
        yield
    finally:
        stream.flush()
        if stream.failure is None:
            sys.stdout = before
    if stream.failure is not None and not isinstance(stream.failure, BrokenPipeError):
        fix = "Check where it goes; files were written"
        raise OutputError(f"what was to be printed could not be written ({stream.failure.strerror})", fix=fix)


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
