"""BIDS data sets: which of their files are scans, and what their names say.

The standard is https://bids-specification.readthedocs.io; names follow its version 1.10.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mood.errors import NoInputError, UsageError
from mood.nifti_file import SUFFIXES, scan_name

log = logging.getLogger(__name__)

DESCRIPTION = "dataset_description.json"
PARTICIPANT = "sub-"
ANATOMY = ("anat", "ses-*/anat")  # of a participant
SCAN = re.compile(r"sub-(?P<sub>[0-9A-Za-z]+)(?:_ses-(?P<ses>[0-9A-Za-z]+))?(?P<rest>(?:_[a-z]+-[0-9A-Za-z+]+)*)_T1w")


@dataclass(frozen=True)
class BidsName:
    """What the name of a T1w scan says.

    Attributes
    ----------
    participant : str
        With its `sub-`.
    session : str
        With its `ses-`; empty where there is none.
    entities : str
        All that stands before the suffix, without a `desc-`.
    """

    participant: str
    session: str
    entities: str

    @property
    def folder(self) -> Path:
        """Where the scan lies, from the data set's top."""
        return Path(self.participant, self.session, "anat")


def parse(name: str) -> BidsName:
    """The parts of a scan's name; `UsageError` when it is not one of BIDS.

    Parameters
    ----------
    name : str
        Without `.nii.gz`.

    Examples
    --------
    >>> parse("sub-01_ses-a_run-2_desc-brain_T1w").entities
    'sub-01_ses-a_run-2'
    """
    found = SCAN.fullmatch(name)
    if found is None:
        fix = "Give a BIDS data set, or files called sub-LABEL_T1w.nii.gz"
        raise UsageError("the scan's name is none of BIDS, which derivatives are called after", where=name, fix=fix)
    kept = [part for part in name.split("_")[:-1] if not part.startswith("desc-")]
    session = f"ses-{found['ses']}" if found["ses"] else ""
    return BidsName(f"{PARTICIPANT}{found['sub']}", session, "_".join(kept))


def check_names(names: Sequence[str], source: Path) -> None:
    """See that derivatives can be called after scans.

    Parameters
    ----------
    names : sequence of str
        Without `.nii.gz`.
    source : pathlib.Path
        Where the scans are, for the message.

    Raises
    ------
    UsageError
        When a name is none of BIDS, or two would have the same derivatives.
    """
    entities = [parse(name).entities for name in names]
    if twins := sorted({each for each in entities if entities.count(each) > 1}):
        fix = "Score a folder that holds one T1w of each"
        raise UsageError(f"several scans would have the same derivatives ({', '.join(twins)})", where=source, fix=fix)


def is_data_set(folder: Path) -> bool:
    """Whether a folder is the top of a data set; one with scans directly in it needs a description to be one."""
    if (folder / DESCRIPTION).is_file():
        return True
    flat = any(path.name.lower().endswith(SUFFIXES) for path in folder.iterdir())
    return not flat and any(path.is_dir() for path in folder.glob(f"{PARTICIPANT}*"))


def find_scans(root: Path) -> list[Path]:
    """The T1w scans of a data set, by name: `sub-*/[ses-*/]anat/*_T1w.nii[.gz]`.

    Scans on a template's voxels (`space-`) are left out, for the same person's own are there too.

    Raises
    ------
    NoInputError
        When there is none.
    """
    anatomy = [path for folder in ANATOMY for path in root.glob(f"{PARTICIPANT}*/{folder}/*")]
    images = sorted(path for path in anatomy if path.name.endswith(SUFFIXES))
    scans = [path for path in images if SCAN.fullmatch(scan_name(path)) and "_space-" not in path.name]
    if not scans:
        there = _described(root, images)
        what = f"the BIDS data set has no scan sub-*/[ses-*/]anat/*_T1w.nii.gz ({there})"
        raise NoInputError(what, where=root, fix="Name a data set with T1w scans, or a folder of NIfTI files")
    people = {parse(scan_name(path)).participant for path in scans}
    log.info("%s: BIDS data set, %d T1w scans of %d participants", root, len(scans), len(people))
    return scans


def _described(root: Path, images: Sequence[Path]) -> str:
    """What there is instead."""
    people = sum(path.is_dir() for path in root.glob(f"{PARTICIPANT}*"))
    kinds = Counter(scan_name(path).rpartition("_")[2] for path in images)
    others = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "no images"
    return f"{people} participants, {others} in their anat folders"


def of_participants(scans: Sequence[Path], labels: Sequence[str], root: Path) -> list[Path]:
    """The scans of some participants, in the same order.

    Parameters
    ----------
    scans : sequence of pathlib.Path
        What `find_scans` returned.
    labels : sequence of str
        With or without `sub-`; all participants when empty.
    root : pathlib.Path
        Of the data set, for the message.

    Raises
    ------
    NoInputError
        When a participant has no scan.
    """
    wanted = {label if label.startswith(PARTICIPANT) else f"{PARTICIPANT}{label}" for label in labels}
    by_scan = {path: parse(scan_name(path)).participant for path in scans}
    if missing := sorted(wanted - set(by_scan.values())):
        what = f"there is no T1w scan of {', '.join(missing)}"
        raise NoInputError(what, where=root, fix="Check the labels; participants.tsv may list them")
    return [path for path, participant in by_scan.items() if not wanted or participant in wanted]
