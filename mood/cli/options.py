"""Options that several commands share, and how a command line says what can be chosen.

A choice is made from a registry by `choice`: a wrong word is answered with the nearest right one, and the shell
completes it. Registries that only heavy modules have are looked up when a word is given, so that help is instant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from mood import engines
from mood.errors import UsageError, unknown
from mood.regions import REGIONS
from mood.typed import LARGEST_SEED, plain_value

console = Console()

MODES = ("sample", "pixel", "both")


@dataclass(frozen=True)
class Choice:
    """One of some names: what a word on the command line is held against.

    Attributes
    ----------
    kind : str
        What the names are of: "region", "method".
    names : callable
        Gives the names; called when a word has come, not before.
    """

    kind: str
    names: Callable[[], Iterable[str]]

    def __call__(self, word: str) -> str:
        """The word, when it is one of the names; else `UsageError` with the nearest one."""
        if word not in (known := list(self.names())):
            raise unknown(self.kind, word, known)
        return word

    def completed(self, incomplete: str) -> list[str]:
        """The names that begin like this."""
        return [name for name in self.names() if name.startswith(incomplete)]


def choice(kind: str, names: Callable[[], Iterable[str]], *declarations: str, **details: Any) -> Any:
    """An option that takes one of some names.

    Parameters
    ----------
    kind, names
        As of `Choice`.
    *declarations : str
        "-r", "--region".
    **details
        Further arguments of `typer.Option`, help first of all.
    """
    one, details = Choice(kind, names), {"metavar": kind.upper()} | details
    return typer.Option(*declarations, parser=one, autocompletion=one.completed, **details)


def method_names() -> Iterable[str]:
    """The methods there are, looked up when they are asked for."""
    from mood.methods import REGISTRY

    return REGISTRY


def region_choice(**details: Any) -> Any:
    """The option --region."""
    scans = "; ".join(f"{region.name}: {region.scans}" for region in REGIONS.values())
    details = {"help": f"{scans}."} | details
    return choice("region", lambda: REGIONS, "-r", "--region", metavar="|".join(REGIONS), **details)


InputOption = Annotated[Path, typer.Option("-i", "--input", help="Folder of NAME.nii.gz scans, or one scan.")]
OutputOption = Annotated[Path, typer.Option("-o", "--output", file_okay=False, help="Folder to write to.")]
RegionOption = Annotated[str, region_choice()]
MethodOption = Annotated[
    str | None,
    choice("method", method_names, "-m", "--method", envvar="MOOD_METHOD", help="The detector, not the default one."),
]
ModeOption = Annotated[
    str, choice("mode", lambda: MODES, "--mode", metavar="|".join(MODES), help="Scores, maps or both of them.")
]
STRIPPING = ("auto", "always", "never")
StripOption = Annotated[
    str,
    choice(
        "strip",
        lambda: STRIPPING,
        "--strip",
        metavar="|".join(STRIPPING),
        help="Take the skull off: if it seems on, ...",
    ),
]
WeightsOption = Annotated[
    Path | None, typer.Option(file_okay=False, help="Folder that mood train wrote; else those shipped.")
]
DeadlineOption = Annotated[
    float,
    typer.Option(
        min=0.1, max=1e6, envvar="MOOD_DEADLINE", metavar="SECONDS", help="For one scan, with --challenge alone."
    ),
]
SeedOption = Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of all that is drawn at random.")]
EngineOption = Annotated[
    str,
    choice(
        "engine",
        lambda: engines.CHOICES,
        "--engine",
        envvar="MOOD_ENGINE",
        help="keras or openvino runs the networks; auto: the faster one of those there are.",
    ),
]
PrecisionOption = Annotated[
    str,
    choice(
        "precision",
        lambda: engines.PRECISIONS,
        "--precision",
        envvar="MOOD_PRECISION",
        metavar="|".join(engines.PRECISIONS),
        help="Of the arithmetic; the last one is less exact.",
    ),
]
PartOption = Annotated[
    str | None,
    typer.Option(
        metavar="I/N",
        help="Score every N-th scan only, from the I-th on; the tasks of an array job find their part by themselves. "
        "mood collect makes one table of all parts.",
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        min=1, max=1024, envvar="MOOD_THREADS", help="Threads to compute on, not all that this process may use."
    ),
]
RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Score in parts on a Ray cluster, which sees the same folders: HOST:PORT, or local for this machine.",
    ),
]


def parse_settings(pairs: list[str]) -> dict[str, object]:
    """The NAME=VALUE of --set; a value that is no JSON is text. `UsageError` for a pair without a value, or twice."""
    settings: dict[str, object] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--set {pair} has no value", fix="Write --set NAME=VALUE")
        if name in settings:
            raise UsageError(f"--set {name} is given twice", fix="Leave out one of the two")
        settings[name] = plain_value(value)
    return settings
