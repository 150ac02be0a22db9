"""The table of a data folder, MANIFEST.csv: one row a file, and what the file may be used for.

file,use,shape,spacing_mm,source,licence
brain/healthy/a.nii.gz,train,160x190x140,1x1x1,...
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mood.errors import NoInputError
from mood.nifti_file import SUFFIXES
from mood.regions import REGIONS, Region
from mood.volume import scan_name

MANIFEST = "MANIFEST.csv"
TRAIN, VALIDATION, OTHER_SITES, LESION = "train", "validation", "validation only (other sites)", "lesion check"
COARSE_MM = 1.5  # smallest voxel side of the scans that hide detail
FINEST_MM = 1.1  # largest voxel side of the scans that show the finest detail
LESIONS = "lesions"
OTHERS = "other sites"


@dataclass(frozen=True)
class Entry:
    """One scan of the data folder."""

    path: Path
    region: str
    use: str
    spacing_mm: tuple[float, ...]

    @property
    def name(self) -> str:
        return scan_name(self.path)

    @property
    def group(self) -> str | None:
        """The group it is measured in; None for a scan to train on."""
        if self.use == LESION:
            return LESIONS
        if self.use == OTHER_SITES:
            return OTHERS
        if self.use != VALIDATION:
            return None
        return next(name for name, below in REGIONS[self.region].bench_groups if max(self.spacing_mm) < below)


def groups_of(region: Region) -> tuple[str, ...]:
    """The groups that scans of a region are measured in; the first is the one that decides."""
    return (*(name for name, _ in region.bench_groups), OTHERS, LESIONS)


def read_manifest(folder: Path) -> list[Entry]:
    """The scans that the folder's table lists; label files and what is no scan are left out.

    Raises
    ------
    NoInputError
        When there is no table, or it lacks a column.
    """
    table = folder / MANIFEST
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = [(row["file"], row["use"], row["spacing_mm"]) for row in csv.DictReader(file)]
    except OSError as error:
        fix = f"Name a folder with a {MANIFEST} in it"
        raise NoInputError(f"the table cannot be read ({error.strerror})", where=table, fix=fix) from error
    except KeyError as error:
        raise NoInputError(f"the table has no column {error}", where=table, fix="Add it") from error
    return [_entry(folder, *row) for row in rows if _is_scan(row[0])]


def chosen(entries: list[Entry], count: int | None) -> list[Entry]:
    """At most `count` of the entries, spread evenly over their order, and so over the sites."""
    if count is None or count >= len(entries):
        return entries
    beyond = 1 if len(entries) > count + 1 else 0  # places left out at either end; else one would be taken twice
    positions = np.linspace(0, len(entries) - 1, count + 2 * beyond)
    return [entries[int(i)] for i in positions[beyond : beyond + count].round()]


def held_out(entries: list[Entry]) -> list[Entry]:
    """The training brains that nothing is trained on, so that settings can be chosen without a look at validation.

    By name, every eighth of the finest scans from the fourth on, and every twentieth of those of 2 mm from the
    sixth on: detail is what is hard, so most of them have it.
    """
    brains = sorted((e for e in entries if e.region == "brain" and e.use == TRAIN), key=lambda entry: entry.name)
    fine = [entry for entry in brains if max(entry.spacing_mm) <= FINEST_MM]
    coarse = [entry for entry in brains if min(entry.spacing_mm) >= COARSE_MM]
    return fine[3::8] + coarse[5::20]


def learnt_from(entries: list[Entry], coarse_step: int = 3) -> list[Entry]:
    """The training brains that are not held out; of those of 2 mm, which are many of one scanner, every third."""
    kept_apart = {entry.name for entry in held_out(entries)}
    brains = sorted((e for e in entries if e.region == "brain" and e.use == TRAIN), key=lambda entry: entry.name)
    coarse = {e.name for e in [e for e in brains if min(e.spacing_mm) >= COARSE_MM][::coarse_step]}
    fine = {e.name for e in brains if min(e.spacing_mm) < COARSE_MM}
    return [entry for entry in brains if entry.name in (fine | coarse) - kept_apart]


def _is_scan(file: str) -> bool:
    region = Path(file).parts[0] if Path(file).parts else ""
    return region in REGIONS and file.endswith(SUFFIXES) and not scan_name(Path(file)).endswith("_label")


def _entry(folder: Path, file: str, use: str, spacing: str) -> Entry:
    return Entry(folder / file, Path(file).parts[0], use, tuple(float(mm) for mm in spacing.split("x") if mm))
