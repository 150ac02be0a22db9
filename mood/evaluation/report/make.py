"""From folders to a report: every scan is looked at, then every page is written."""

from __future__ import annotations

import fnmatch
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from mood.atomic import check_writable, private_folder, remove_stale, replacing, write_text
from mood.errors import ScanError, UsageError
from mood.evaluation.places import places_csv
from mood.evaluation.report.collect import find_files, find_weights, read_participants, read_record
from mood.evaluation.report.facts import Reference, RunFacts, ScanFiles, ScanSummary
from mood.evaluation.report.mean_map import MeanMap
from mood.evaluation.report.pages import Group, Pages
from mood.evaluation.report.rarity import RarityScale, to_decades
from mood.evaluation.report.study import Study, preview, study
from mood.regions import get_region
from mood.volume import read_array

log = logging.getLogger(__name__)

ONE_IN = 1000.0  # healthy voxels; what is rarer stands out
THINNED = 4  # along each axis, when a scale is told from the maps of a folder
TABLE, FILES, SCANS = "regions.csv", "files", "scans"


def make_report(
    scans: Path,
    predictions: Path,
    target: Path,
    labels: Path | None = None,
    *,
    region: str | None = None,
    weights: Path | None = None,
    one_in: float = ONE_IN,
    healthy: Sequence[str] = (),
    participants: Path | None = None,
    command: str = "",
    on_scan: Callable[[ScanSummary, int], None] = lambda summary, total: None,
) -> list[ScanSummary]:
    """Write `index.html`, a page a scan, `regions.csv` and files for other viewers.

    Parameters
    ----------
    scans, predictions : pathlib.Path
        Folders: what was scored, and what `mood predict` wrote.
    target : pathlib.Path
        Folder of the report.
    labels : pathlib.Path, optional
        Folder of labels of voxels, for outlines and agreement.
    region : {'brain', 'abdom'}, optional
        Needed where the predictions have no `run.json`.
    weights : pathlib.Path, optional
        Folder of weights that do not come with the package.
    one_in : float
        A voxel belongs to a place when it is rarer than one healthy voxel in so many.
    healthy : sequence of str
        Names, or patterns such as `sub-0*`, of scans that are known to be healthy.
    participants : pathlib.Path, optional
        A table of participants with tabs; one beside the scans is found by itself.
    command : str
        For the footer.
    on_scan : callable
        Called after each scan with its summary and the number of scans.

    Raises
    ------
    NoInputError, OutputError, UsageError, WeightsError
    """
    files = find_files(scans, predictions, labels)
    facts = run_facts(files, predictions, region, weights, one_in, command)
    _make_folders(target, {scans, predictions} | ({labels} if labels else set()))
    names = [one.name for one in files]
    known_healthy = _healthy(names, healthy)
    mean = MeanMap()
    with private_folder(target) as kept:
        summaries = list(_look(files, facts, target, kept, mean, on_scan))
        reference = Reference.of(summaries, known_healthy)
        group = Group(facts, summaries, reference, read_participants(participants, scans, names), mean)
        _write_pages(group, target, kept)
    table = places_csv((one.name, place) for one in summaries for place in one.places)
    write_text(target / TABLE, table)
    return summaries


def save_previews(scans: Path, predictions: Path, region: str | None = None, weights: Path | None = None) -> list[Path]:
    """Write `NAME.png` beside each map: three planes through its largest places.

    Raises
    ------
    NoInputError, OutputError, UsageError, WeightsError
    """
    files = find_files(scans, predictions)
    facts = run_facts(files, predictions, region, weights)
    written = []
    for one in files:
        picture = preview(one, facts)
        if isinstance(picture, ScanSummary):
            log.warning("%s: no preview. %s", one.name, picture.problem)
            continue
        written.append(predictions / f"{one.name}.png")
        with replacing(written[-1]) as temporary:
            picture.save(temporary)
    return written


def run_facts(
    files: list[ScanFiles],
    predictions: Path,
    region: str | None = None,
    weights: Path | None = None,
    one_in: float = ONE_IN,
    command: str = "",
) -> RunFacts:
    """What is known of the run that made the predictions; `UsageError` when it does not say its region."""
    record = read_record(predictions)
    found = find_weights(record, weights)
    config = found.config if found else None
    name = region or record.get("about", {}).get("region") or (config.region if config else None)
    if name is None:
        fix = "Say it with --region brain or --region abdom"
        raise UsageError("the predictions do not say which region they are of", where=predictions, fix=fix)
    if config is not None and config.calibration is not None:
        scale = RarityScale(config.calibration, measured=True)
    else:
        scale = RarityScale.of_maps(_thinned(files))
    members = [member.config for member in found.members] if found else []
    return RunFacts(get_region(name), scale, to_decades(one_in), record, config, command, members)


def _thinned(files: list[ScanFiles]) -> Iterator[np.ndarray]:
    for one in files:
        if one.map_path is not None:
            try:
                score_map = read_array(one.map_path)[0][::THINNED, ::THINNED, ::THINNED]
            except ScanError:
                continue  # told when it is its turn
            values = score_map[np.isfinite(score_map)]
            yield values[values > 0]


def _healthy(names: list[str], patterns: Sequence[str]) -> list[str]:
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            fix = "Give names of scans in the input folder, or patterns such as 'sub-0*'"
            raise UsageError(f"no scan is called '{pattern}'", where="--healthy", fix=fix)
    return [name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]


def _make_folders(target: Path, inputs: set[Path]) -> None:
    if target.resolve() in {folder.resolve() for folder in inputs}:
        raise UsageError("the report's folder is one of the input folders", where=target, fix="Name another folder")
    for folder in (target, target / SCANS, target / FILES):
        check_writable(folder)
        remove_stale(folder)


def _look(
    files: list[ScanFiles],
    facts: RunFacts,
    target: Path,
    kept: Path,
    mean: MeanMap,
    on_scan: Callable[[ScanSummary, int], None],
) -> Iterator[ScanSummary]:
    """Look at each scan; what its page needs and others do not is put aside on disk."""
    for number, one in enumerate(files):
        found = study(one, facts, f"{one.name}.html", target / FILES)
        summary = found.summary if isinstance(found, Study) else found
        if isinstance(found, Study):
            mean.add(found.on_template)
            payload = {key: getattr(found, key) for key in ("volumes", "mosaic", "points_mm", "rarest_mm", "slices_mm")}
            (kept / f"{number}.json").write_text(json.dumps(payload), encoding="ascii")
        on_scan(summary, len(files))
        yield summary


def _write_pages(group: Group, target: Path, kept: Path) -> None:
    pages = Pages()
    for number, summary in enumerate(group.summaries):
        if summary.page:
            payload = json.loads((kept / f"{number}.json").read_text(encoding="ascii"))
            write_text(target / SCANS / summary.page, pages.scan(group, summary, payload))
    write_text(target / "index.html", pages.group(group))
