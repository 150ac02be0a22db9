"""A container's work at grand-challenge.org: one scan from its interfaces in, a map and a score out.

INPUT/inputs.json                            which interfaces there are, where it is there
INPUT/images/SLUG/NAME.mha                   the scan; its region by the words of SLUG: brain-mri, abdominal-ct
MODEL                                        weights of one's own, as `mood train` leaves them, or folders of such
OUTPUT/images/out-of-distribution-map/NAME.mha
OUTPUT/out-of-distribution-score.json        one number in [0, 1]
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from mood.atomic import check_writable, write_text
from mood.detector import load_detector
from mood.errors import NoInputError, UsageError
from mood.formats.mha import read_mha, write_mha
from mood.regions import REGIONS
from mood.volume import Volume, checked, load

MAP, SCORE = "out-of-distribution-map", "out-of-distribution-score"
VARIABLE = "MOOD_REGION"  # the region where the slug does not tell
SUFFIXES = (".mha", ".nii.gz", ".nii")
CONFIG = "config.json"


@dataclass(frozen=True)
class Job:
    """What a container is given.

    Attributes
    ----------
    scan : pathlib.Path
    region : str
    """

    scan: Path
    region: str


def find_job(source: Path) -> Job:
    """The scan and its region.

    Parameters
    ----------
    source : pathlib.Path
        The folder of the interfaces.

    Raises
    ------
    NoInputError
        When there is no scan.
    UsageError
        When there are several, or the region cannot be told.
    """
    folders = _interfaces(source)
    scans = [path for folder in folders for path in sorted(folder.glob("*")) if path.name.endswith(SUFFIXES)]
    if not scans:
        fix = f"Give it one image interface: images/SLUG/NAME{SUFFIXES[0]}"
        raise NoInputError("there is no scan among the interfaces", where=source, fix=fix)
    if len(scans) > 1:
        names = ", ".join(str(path.relative_to(source)) for path in scans)
        raise UsageError(f"there are several scans ({names})", where=source, fix="Give one for each job")
    return Job(scans[0], _region(scans[0].parent.name))


def _interfaces(source: Path) -> list[Path]:
    """Folders of images: those that inputs.json names, else all there are."""
    listed = source / "inputs.json"
    if not listed.is_file():
        return sorted(path for path in (source / "images").glob("*") if path.is_dir())
    try:
        entries = json.loads(listed.read_text(encoding="utf-8"))
        sockets = [entry.get("socket") or entry["interface"] for entry in entries]
        places = [
            str(socket["relative_path"]) for socket in sockets if "image" in str(socket.get("super_kind")).lower()
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoInputError("this is no list of interfaces", where=listed, fix="See the platform's logs") from error
    return [source / place for place in places]


def _region(slug: str) -> str:
    """The region that an interface is of: its name or its modality begins a word of the slug."""
    asked = os.environ.get(VARIABLE)
    words = slug.lower().replace("_", "-").split("-")
    for begins in ("name", "modality"):
        for region in REGIONS.values():
            if not asked and any(word.startswith(str(getattr(region, begins)).lower()) for word in words):
                return region.name
    if asked in REGIONS:
        return str(asked)
    fix = f"Set {VARIABLE} in the image to one of: {', '.join(REGIONS)}"
    raise UsageError(f"the interface '{slug}' does not tell what region a scan is of", fix=fix)


def weights_folder(model: Path, region: str) -> Path | None:
    """Weights that were uploaded for a region, or for both; None where there are none."""
    return next((folder for folder in (model / region, model) if (folder / CONFIG).is_file()), None)


def run_job(source: Path, target: Path, model: Path) -> float:
    """Score the scan of a job and write what the platform collects; the score.

    Parameters
    ----------
    source, target, model : pathlib.Path
        Folders of the interfaces, of the outputs, and of weights.

    Raises
    ------
    NoInputError, UsageError, ScanError, WeightsError, OutputError
    """
    job = find_job(source)
    check_writable(target)
    result = load_detector(job.region, weights=weights_folder(model, job.region)).score(_volume(job.scan))
    folder = target / "images" / MAP
    check_writable(folder)
    write_mha(folder / f"{_name(job.scan)}.mha", result.map, result.affine)
    write_text(target / f"{SCORE}.json", json.dumps(round(float(result.sample_score), 6)) + "\n")
    return float(result.sample_score)


def _volume(path: Path) -> Volume:
    if path.name.endswith(".mha"):
        data, header = read_mha(path)
        return checked(Volume(data, header.get_best_affine(), header, path))
    return load(path)


def _name(path: Path) -> str:
    ending = next(suffix for suffix in SUFFIXES if path.name.endswith(suffix))
    return path.name.removesuffix(ending)
