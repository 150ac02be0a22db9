"""Options and steps of commands for BIDS data sets and DICOM series."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mood.cli.options import console
from mood.errors import UsageError

if TYPE_CHECKING:
    from mood.formats.dicom_volume import OpenedSeries

BidsOutOption = Annotated[
    Path | None,
    typer.Option("--bids-out", file_okay=False, help="Write BIDS derivatives there as well, such as derivatives/mood."),
]
ParticipantsOption = Annotated[
    list[str] | None, typer.Option("--participant", help="Of a BIDS data set, the only one to score; repeatable.")
]
SeriesOption = Annotated[
    str | None, typer.Option("--series", help="Number or UID of the DICOM series to score, where there are several.")
]
DicomOutOption = Annotated[
    str | None,
    typer.Option("--dicom-out", metavar="seg,pm", help="Write DICOM as well: segmentation, parametric map, or both."),
]


@dataclass(frozen=True)
class Given:
    """What a command works on.

    Attributes
    ----------
    source : pathlib.Path
        What the user named, or the volume that a DICOM series became.
    series : OpenedSeries, optional
        Where it is one.
    kinds : list of str
        DICOM objects that are to be written.
    """

    source: Path
    series: OpenedSeries | None = None
    kinds: tuple[str, ...] = ()


@contextmanager
def given(
    source: Path, target: Path, region: str | None, wanted: str | None, dicom_out: str | None = None
) -> Iterator[Given]:
    """The input of a command, a DICOM series as a NIfTI file that goes when the block ends.

    Parameters
    ----------
    source, target : pathlib.Path
    region : str, optional
        None where a series of any modality will do.
    wanted, dicom_out : str, optional
        Of --series and --dicom-out.

    Raises
    ------
    UsageError, NoInputError, ScanError
        When the series cannot be scored, or objects could not be written on its images.
    """
    from mood.atomic import check_writable
    from mood.formats import dicom_series, dicom_volume
    from mood.formats.dicom_objects import parse_kinds
    from mood.images import check_apart
    from mood.regions import get_region

    kinds = tuple(parse_kinds(dicom_out)) if dicom_out is not None else ()
    if not dicom_series.is_dicom(source):
        if source.exists() and (wanted or kinds):
            raise UsageError("the input is no DICOM series", where=source, fix="Leave out --series and --dicom-out")
        yield Given(source)
        return
    if source.is_dir():  # with a map in it, the folder would be one of NIfTI files the next time
        check_apart([source / "image"], [], target)
    check_writable(target)
    with dicom_volume.opened(source, target, region and get_region(region).modality, wanted) as found:
        if kinds and (found.geometry is None or found.straightened):
            why = "its slices were shifted back" if found.straightened else "its images have many frames"
            fix = "Leave out --dicom-out; maps are written as NIfTI"
            raise UsageError(f"no DICOM object can be written on this series, for {why}", where=source, fix=fix)
        yield Given(found.path, found, kinds)


def write_dicom(given: Given, predictions: Path, region: str, weights: Path | None) -> None:
    """Write the DICOM objects that were asked for beside the map, and say where they are."""
    from mood.evaluation.report.collect import find_files
    from mood.evaluation.report.findings import save_dicom
    from mood.evaluation.report.make import run_facts

    if given.series is None or not given.kinds:
        return
    files = find_files(given.source, predictions)
    facts = run_facts(files, predictions, region, weights)
    for path in save_dicom(files[0], facts, given.series, given.kinds, predictions):
        console.print(f"DICOM: {path}", highlight=False, markup=False, soft_wrap=True)


def chosen(paths: list[Path], participants: list[str] | None, source: Path) -> list[Path]:
    """The scans of the participants that were asked for; all of them where none was."""
    from mood.formats import bids

    return bids.of_participants(paths, participants, source) if participants else paths


def check_mode(mode: str, challenge: bool, **outputs: object) -> None:
    """`UsageError` where outputs are asked for that are made of maps, and there are none, or nothing but maps."""
    for name, wanted in outputs.items():
        if wanted and (challenge or mode == "sample"):
            option = f"--{name.replace('_', '-')}"
            fix = f"Leave out {'--challenge' if challenge else '--mode sample'}, or {option}"
            raise UsageError("it is made of maps, outside of the challenge", where=option, fix=fix)


def prepare_bids(paths: list[Path], source: Path, target: Path) -> None:
    """See that derivatives can be written, before hours are spent; `UsageError` or `OutputError` where they cannot."""
    from mood.formats import bids, bids_derivatives
    from mood.nifti_file import scan_name

    bids.check_names([scan_name(path) for path in paths], source)
    bids_derivatives.begin(target, source, "")


def write_bids(
    paths: list[Path], source: Path, predictions: Path, target: Path, region: str, weights: Path | None
) -> None:
    """Write derivatives of the scans that have a map, and say where they are.

    Parameters
    ----------
    paths : list of pathlib.Path
        The scans.
    source, predictions, target : pathlib.Path
        Where the scans are, what `mood predict` wrote, and where derivatives go.
    region : str
    weights : pathlib.Path, optional
        Those of the predictions.

    Raises
    ------
    NoInputError, OutputError, UsageError
    """
    from mood.evaluation.report.collect import find_files
    from mood.evaluation.report.findings import save_bids
    from mood.evaluation.report.make import run_facts

    scans = set(paths)
    files = [one for one in find_files(source, predictions) if one.scan_path in scans]
    written = save_bids(files, run_facts(files, predictions, region, weights), source, target)
    text = f"BIDS derivatives of {written} of {len(files)} scans in {target}"
    console.print(text, highlight=False, markup=False, soft_wrap=True)
