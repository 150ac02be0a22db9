"""Objects out: read again by pydicom and highdicom, and looked at by dciodvfy where that is installed."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pydicom")
pytest.importorskip("highdicom")

import highdicom
import pydicom

from mood.errors import UsageError
from mood.formats import dicom_objects, dicom_series
from mood.formats.dicom_geometry import locate
from mood.formats.dicom_objects import Frames
from tests.formats.test_dicom import changed
from tests.formats.toy_series import SHAPE, body, make_series

TITLES = ["1 left upper front 2.4 ml", "2 right lower back 0.7 ml"]
LACKING = ("SOPClassUID", "PatientID", "PatientBirthDate", "StudyDate", "FrameOfReferenceUID", "StudyInstanceUID")


@pytest.fixture
def series(tmp_path, rng) -> list[Path]:
    return make_series(tmp_path / "CASE", body(rng))


def frames(folder: Path, titles=TITLES) -> Frames:
    """Findings in a series whose frames stand in the order of their places."""
    (one,) = dicom_series.find_series(folder, folder)
    geometry = locate(one, folder)
    sources = dicom_objects.read_sources([one.files[i] for i in geometry.order])
    score_map = np.linspace(0, 1, np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    labels = np.zeros(SHAPE, np.uint16)
    labels[2:5, 6:12, 5:9], labels[8, 20:22, 15:18] = (1, 2) if titles else (0, 0)
    colours = [(64, 120, 255), (255, 200, 64)][: len(titles)]
    return Frames(sources, score_map, labels, titles, colours, (0.1, 0.4), "mix for abdom")


def complaints(path: Path) -> list[str]:
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy (of Debian's dicom3tools) is not installed")
    done = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if line.startswith("Error")]


def test_a_segmentation_has_the_places_on_the_frames_of_the_series(series, tmp_path):
    found = frames(series[0].parent)
    dicom_objects.save("seg", found, tmp_path / "seg.dcm")
    read = highdicom.seg.segread(tmp_path / "seg.dcm")
    assert [read.get_segment_description(n).segment_label for n in read.segment_numbers] == TITLES
    uids = [source.SOPInstanceUID for source in found.sources]
    options = {"combine_segments": True, "assert_missing_frames_are_empty": True}
    np.testing.assert_array_equal(read.get_pixels_by_source_instance(uids, **options), found.labels)
    assert read.StudyInstanceUID == found.sources[0].StudyInstanceUID
    referenced = read.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert {one.ReferencedSOPInstanceUID for one in referenced} == set(uids)


def test_a_parametric_map_has_the_values(series, tmp_path):
    found = frames(series[0].parent)
    dicom_objects.save("pm", found, tmp_path / "pm.dcm")
    read = highdicom.pm.ParametricMap.from_dataset(pydicom.dcmread(tmp_path / "pm.dcm"))
    values = read.get_frames(dtype=np.float32)
    groups = read.PerFrameFunctionalGroupsSequence
    by_place = {float(group.PlanePositionSequence[0].ImagePositionPatient[2]): i for i, group in enumerate(groups)}
    order = [by_place[float(source.ImagePositionPatient[2])] for source in found.sources]
    np.testing.assert_array_equal(values[order], found.map)


@pytest.mark.parametrize("kind", dicom_objects.KINDS)
@pytest.mark.parametrize("titles", [TITLES, []], ids=["places", "nothing"])
def test_objects_pass_the_verifier(series, tmp_path, kind, titles):
    dicom_objects.save(kind, frames(series[0].parent, titles), tmp_path / "object.dcm")
    assert complaints(tmp_path / "object.dcm") == []


def test_where_nothing_stands_out_the_segmentation_says_so(series, tmp_path):
    dicom_objects.save("seg", frames(series[0].parent, []), tmp_path / "seg.dcm")
    read = highdicom.seg.segread(tmp_path / "seg.dcm")
    assert read.get_segment_description(1).segment_label == "nothing stands out"
    assert not read.pixel_array.any()


def test_what_de_identified_files_lack_is_filled_in_and_said(series, tmp_path, caplog):
    changed(series, lambda one, k: [delattr(one, name) for name in LACKING])
    found = frames(series[0].parent)
    for kind in dicom_objects.KINDS:
        dicom_objects.save(kind, found, tmp_path / f"{kind}.dcm")
    assert all(name in caplog.text for name in LACKING)
    read = highdicom.seg.segread(tmp_path / "seg.dcm")
    referenced = read.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0]
    assert referenced.ReferencedSOPClassUID == pydicom.uid.CTImageStorage
    assert read.PatientID == ""


def test_the_same_findings_give_the_same_object(series, tmp_path):
    for name in ("a", "b"):
        dicom_objects.save("seg", frames(series[0].parent), tmp_path / f"{name}.dcm")
    first, second = (pydicom.dcmread(tmp_path / f"{name}.dcm") for name in ("a", "b"))
    assert (first.SOPInstanceUID, first.SeriesInstanceUID) == (second.SOPInstanceUID, second.SeriesInstanceUID)
    assert first.PixelData == second.PixelData


def test_kinds_are_named():
    assert dicom_objects.parse_kinds("seg, pm") == ["seg", "pm"]
    with pytest.raises(UsageError, match="unknown DICOM object 'segg' \\(did you mean 'seg'"):
        dicom_objects.parse_kinds("segg")
