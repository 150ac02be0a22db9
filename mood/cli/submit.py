"""The commands for an image on its way to the challenge."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from mood.cli.options import OutputOption, console
from mood.cli.output import JsonOption, QuietOption, print_json
from mood.errors import EXIT_SOME_FAILED
from mood.regions import REGIONS

app = typer.Typer(help="Check and pack an image for the challenge.", no_args_is_help=True)

ImageArgument = Annotated[str, typer.Argument(metavar="IMAGE", help="Name of an image that Docker or Podman has.")]


@app.command()
def check(
    image: ImageArgument,
    scans: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder with REGION/toy/NAME.nii.gz; else scans are made up.")
    ] = None,
    side: Annotated[int | None, typer.Option(min=8, max=1024, help="Voxels along each axis of made-up scans.")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=1e6, help="A scan may take.")] = 600.0,
    memory: Annotated[float, typer.Option(min=0.01, max=4096, metavar="GIB", help="A container may use.")] = 12.0,
    size: Annotated[float, typer.Option(min=0.001, metavar="GB", help="The image may take, unpacked.")] = 10.0,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run the four scripts of any image as the challenge does, with every right taken away, and name what is wrong."""
    from mood.submission.check import check_image, gather_cases, render
    from mood.submission.containers import Engine
    from mood.submission.trials import Limits

    engine = Engine()
    engine.facts(image)  # before scans are made for it
    limits = Limits(seconds, memory, engine.has_gpu())
    with tempfile.TemporaryDirectory(prefix="mood-submit-") as work:
        Path(work).chmod(0o755)
        cases = gather_cases(scans, Path(work), side, REGIONS.values())
        report = check_image(image, cases, limits, size, engine, lambda trial: _say(f"{trial.script} was run"))
    if json_output:
        print_json(report.as_dict())
    for table in render(report):
        console.print(table)
    if not report.sound:
        sys.exit(EXIT_SOME_FAILED)
    _say("No fault was found.")


@app.command()
def pack(
    image: ImageArgument,
    target: OutputOption,
    name: Annotated[
        str, typer.Option(metavar="REGISTRY/PROJECT/NAME:TAG", help="What it is to be called: it gets this tag.")
    ],
    quiet: QuietOption = False,
) -> None:
    """An archive of an image with checksums, bill of materials, provenance, push commands and an Apptainer recipe."""
    from mood.submission import pack as packing
    from mood.submission.containers import Engine

    for path in packing.pack(image, name, target, Engine()):
        _say(f"{path}  ({path.stat().st_size / 1e6:.1f} MB)")
    _say(f"Push it with: sh {target}/*.push.sh")


@app.command("grand-challenge")
def grand_challenge(
    source: Annotated[Path, typer.Option("--input", file_okay=False, help="Folder of the interfaces.")] = Path(
        "/input"
    ),
    target: Annotated[Path, typer.Option("--output", file_okay=False, help="Of map and score.")] = Path("/output"),
    model: Annotated[Path, typer.Option(file_okay=False, help="Of weights, if any.")] = Path("/opt/ml/model"),
) -> None:
    """Score one scan as a container of grand-challenge.org: interfaces in, map (.mha) and score (.json) out."""
    from mood.submission.grand_challenge import run_job

    _say(f"The score is {run_job(source, target, model):.4f}; map and score are in {target}")


def _say(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
