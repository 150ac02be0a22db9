"""DICOM objects on the frames of a series: a segmentation (A.51) and a parametric map (A.75), written by highdicom.

Numbers in parentheses are of https://dicom.nema.org/medical/dicom/current/output/html/part03.html.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mood.atomic import replacing
from mood.errors import unknown
from mood.installation import __version__

log = logging.getLogger(__name__)

KINDS = ("seg", "pm")
MAKER = "mood"
SERIES_NUMBERS = {"seg": 9001, "pm": 9002}
DESCRIPTIONS = {"seg": "mood: what stands out", "pm": "mood: how abnormal, 0 to 1"}  # of the series, in a viewer's list
MOST_SEGMENTS = 100  # places, the largest first; viewers list every one
NOTHING = "nothing stands out"
# What a study's objects have in common (C.7.1, C.7.2); a value may be empty, the attribute has to be there.
MAY_BE_EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")


@dataclass(frozen=True, eq=False)
class Frames:
    """What was found in one series, in the order of its images from one end to the other.

    Attributes
    ----------
    sources : list of pydicom.Dataset
        The headers of the images.
    map : (slices, rows, columns) float32 ndarray in [0, 1]
    labels : (slices, rows, columns) uint16 ndarray
        The number of each place, 0 outside.
    titles : sequence of str
        Of the places, in the order of their numbers.
    colours : sequence of three ints from 0 to 255
        Of the same.
    display_range : two floats
        Map values that viewers show from and up to.
    method : str
        What made the map, in words.
    """

    sources: list[Any]
    map: np.ndarray
    labels: np.ndarray
    titles: Sequence[str]
    colours: Sequence[tuple[int, int, int]]
    display_range: tuple[float, float]
    method: str


def parse_kinds(text: str) -> list[str]:
    """The kinds that `seg,pm` names; `UsageError` when there is no such kind."""
    kinds = [word.strip() for word in text.split(",") if word.strip()]
    for kind in kinds or [text]:
        if kind not in KINDS:
            raise unknown("DICOM object", kind, KINDS)
    return kinds


def read_sources(paths: Sequence[Path]) -> list[Any]:
    """The headers of images, with what de-identified files lack filled in; what was filled in stands in the log.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        In the order from one end to the other.
    """
    import pydicom

    sources = [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]
    filled = sorted({name for source in sources for name in _fill(source, sources[0])})
    if filled:
        log.warning("%s: the files lack %s; objects are made with values of ours", paths[0].parent, ", ".join(filled))
    return sources


def _fill(source: Any, first: Any) -> list[str]:
    """Fill in what a header lacks; the names of what it lacked."""
    from pydicom.uid import CTImageStorage, MRImageStorage, generate_uid

    meta = source.file_meta
    kind = {"CT": CTImageStorage, "MR": MRImageStorage}.get(source.get("Modality", ""))
    spare = {
        "SOPClassUID": meta.get("MediaStorageSOPClassUID") or kind,
        "SOPInstanceUID": meta.get("MediaStorageSOPInstanceUID") or generate_uid(entropy_srcs=[str(source.filename)]),
        **{name: first.get(name) or generate_uid(entropy_srcs=[name, str(first.filename)]) for name in UIDS},
    }
    lacking = [name for name in spare if not source.get(name)]
    for name in lacking:
        setattr(source, name, spare[name])
    empty = [name for name in MAY_BE_EMPTY if name not in source]
    for name in empty:
        setattr(source, name, "")
    return lacking + empty


def save(kind: str, frames: Frames, path: Path) -> None:
    """Write one object, all or nothing. The same findings in the same series give the same UIDs.

    Parameters
    ----------
    kind : {'seg', 'pm'}
    frames : Frames
    path : pathlib.Path
        Ends in `.dcm`.

    Raises
    ------
    OutputError
        When the folder cannot be written.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about values of the series itself, such as a name in one word
        made = {"seg": _segmentation, "pm": _parametric_map}[kind](frames, _identity(kind, frames))
    with replacing(path) as temporary:
        made.save_as(temporary)


def _identity(kind: str, frames: Frames) -> dict[str, Any]:
    """What both kinds say of themselves."""
    from pydicom.uid import generate_uid

    content = [frames.sources[0].SeriesInstanceUID, kind, frames.method, __version__, str(frames.map.sum())]
    return {
        "series_instance_uid": generate_uid(entropy_srcs=[*content, "series"]),
        "sop_instance_uid": generate_uid(entropy_srcs=[*content, "instance"]),
        "series_number": SERIES_NUMBERS[kind],
        "series_description": DESCRIPTIONS[kind],
        "instance_number": 1,
        "manufacturer": MAKER,
        "manufacturer_model_name": frames.method,
        "software_versions": __version__,
        "device_serial_number": "0",
        "content_label": MAKER.upper(),
    }


def _segmentation(frames: Frames, identity: dict[str, Any]) -> Any:
    """One segment a place; one that is empty where nothing stands out."""
    from highdicom.seg import Segmentation

    titles = list(frames.titles[:MOST_SEGMENTS]) or [NOTHING]
    labels = np.where(frames.labels <= len(titles), frames.labels, 0).astype(np.uint16)
    segments = [_segment(number, title, frames) for number, title in enumerate(titles, 1)]
    return Segmentation(frames.sources, labels, "BINARY", segments, omit_empty_frames=bool(labels.any()), **identity)


def _segment(number: int, title: str, frames: Frames) -> Any:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes
    from pydicom.sr.coding import Code

    algorithm = AlgorithmIdentificationSequence(
        name=f"{MAKER}: {frames.method}"[:64], family=codes.DCM.ArtificialIntelligence, version=__version__
    )
    colour = frames.colours[number - 1] if frames.colours else (255, 0, 0)
    return SegmentDescription(
        segment_number=number,
        segment_label=title[:64],
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=Code("OOD", "99MOOD", "Tissue unlike that of healthy scans"),
        algorithm_type="AUTOMATIC",
        algorithm_identification=algorithm,
        display_color=CIELabColor.from_rgb(*colour),
    )


def _parametric_map(frames: Frames, identity: dict[str, Any]) -> Any:
    from highdicom import VOILUTTransformation
    from highdicom.pm import ParametricMap, RealWorldValueMapping
    from pydicom.sr.codedict import codes

    meaning = RealWorldValueMapping(
        lut_label="MOOD",
        lut_explanation="How abnormal, 0 to 1; higher is more abnormal",
        unit=codes.UCUM.NoUnits,
        value_range=(0.0, 1.0),
        slope=1.0,
        intercept=0.0,
    )
    low, high = frames.display_range
    window = VOILUTTransformation(
        window_center=(low + high) / 2, window_width=max(high - low, 1e-6), voi_lut_function="LINEAR_EXACT"
    )
    made = ParametricMap(
        frames.sources,
        frames.map.astype(np.float32),
        real_world_value_mappings=[meaning],
        voi_lut_transformations=[window],
        contains_recognizable_visual_features=False,
        **identity,
    )
    made.Laterality = ""  # of a body part that comes in pairs (C.7.3.1); which part it is, no one has said
    return made
