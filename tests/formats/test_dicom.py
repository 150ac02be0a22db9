"""Series in: what is read, and what is said of those that cannot be."""

import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pydicom")
pytest.importorskip("dcm2niix")
pytest.importorskip("highdicom")

import nibabel as nib
import pydicom
import pydicom.data

from mood.errors import NoInputError, ScanError, UsageError
from mood.formats import dicom_series
from mood.formats.dicom_geometry import locate, on_frames
from mood.formats.dicom_volume import opened
from tests.formats.toy_series import AXIAL, SAGITTAL, SHAPE, SPACING, body, make_series

OBLIQUE = (0.8, 0.6, 0.0, -0.6 * np.cos(0.3), 0.8 * np.cos(0.3), -np.sin(0.3))


@pytest.fixture
def hu(rng) -> np.ndarray:
    return body(rng)


@pytest.fixture
def target(tmp_path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def convert(source: Path, target: Path, wanted: str | None = None) -> None:
    with opened(source, target, "CT", wanted):
        pass


def changed(paths: list[Path], change) -> None:
    for k, path in enumerate(paths):
        one = pydicom.dcmread(path)
        change(one, k)
        one.save_as(path)


@pytest.mark.parametrize("orientation", [AXIAL, SAGITTAL, OBLIQUE], ids=["axial", "sagittal", "oblique"])
def test_a_volume_has_the_values_of_its_series_and_leads_back_to_its_frames(tmp_path, target, hu, orientation):
    make_series(tmp_path / "CASE", hu, orientation=orientation)
    with opened(tmp_path / "CASE", target, "CT") as found:
        image = nib.load(found.path)
        values = image.get_fdata(dtype=np.float32)
        assert found.path.name == "CASE.nii"
        frames = on_frames(values, image.affine, found.geometry, found.path)
    ends = [found.geometry.affine @ [*corner, 1] for corner in ((0, 0, 0), (23, 29, 11))]
    along = np.cross(orientation[:3], orientation[3:]) * SPACING[0] * 11
    span = np.array(orientation[:3]) * 23 * 3.0 + np.array(orientation[3:]) * 29 * 2.0 + along
    np.testing.assert_allclose((ends[1] - ends[0])[:3], span * [-1, -1, 1], atol=1e-3)
    np.testing.assert_array_equal(frames, hu)
    assert not list(target.iterdir())


def test_an_archive_is_read_like_its_folder(tmp_path, target, hu):
    paths = make_series(tmp_path / "CASE", hu)
    with zipfile.ZipFile(tmp_path / "CASE7.zip", "w") as archive:
        for path in paths:
            archive.write(path, f"DICOM/{path.name}")
    with opened(tmp_path / "CASE7.zip", target, "CT") as found:
        assert found.path.name == "CASE7.nii"
        assert nib.load(found.path).shape == SHAPE[::-1]
    (tmp_path / "CASE7.zip").write_bytes((tmp_path / "CASE7.zip").read_bytes()[:3000])
    with pytest.raises(ScanError, match="cannot be unpacked"):
        convert(tmp_path / "CASE7.zip", target)
    assert not list(target.iterdir())


def test_several_series_are_listed_and_one_is_named(tmp_path, target, hu):
    make_series(tmp_path / "CASE/a", hu, number=3)
    make_series(tmp_path / "CASE/b", hu // 2, number=12, SeriesDescription="Half")
    make_series(tmp_path / "CASE/c", hu[:3], number=1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    with pytest.raises(UsageError, match=r"2 series.*3 \(CT, 'Toy body', 12 images.*12 \(CT, 'Half'") as raised:
        convert(tmp_path / "CASE", target)
    assert "--series 3" in str(raised.value)
    with opened(tmp_path / "CASE", target, "CT", "12") as found:
        assert found.series.description == "Half"
        assert found.path.name == "CASE_series-12.nii"
    with opened(tmp_path / "CASE", target, "CT", found.series.uid[-8:]) as again:
        assert again.series.uid == found.series.uid
    with pytest.raises(UsageError, match="0 of them are called 4"):
        convert(tmp_path / "CASE", target, "4")


def test_what_is_suggested_names_one_series(tmp_path, target, hu):
    """Folders of several people hold several series of one number."""
    for name, number in (("a", 3), ("b", 3), ("c", 11)):
        make_series(tmp_path / "CASES" / name, hu, number=number)
    with pytest.raises(UsageError, match="such as --series 11"):
        convert(tmp_path / "CASES", target)
    shutil.rmtree(tmp_path / "CASES/c")
    with pytest.raises(UsageError) as raised:
        convert(tmp_path / "CASES", target)
    with opened(tmp_path / "CASES", target, "CT", re.search(r"such as --series ([\d.]+),", str(raised.value))[1]):
        pass


def test_another_modality_is_refused(tmp_path, target, hu):
    make_series(tmp_path / "CASE", hu, modality="MR")
    with pytest.raises(UsageError, match="the series is MR, and the region takes CT"):
        convert(tmp_path / "CASE", target)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda paths: paths[4].unlink(), r"slices are missing \(1, the first after slice 4 of 11\)"),
        (
            lambda paths: [path.unlink() for path in paths[6:9]],
            r"slices are missing \(3, the first after slice 6 of 9\)",
        ),
        (lambda paths: [path.unlink() for path in paths[1:]], "a single image"),
        (
            lambda paths: changed(paths[5:6], lambda one, k: setattr(one, "ImagePositionPatient", [-40, -55, 41.0])),
            r"images lie where others do \(1 of 12\)",
        ),
        (
            lambda paths: changed(paths[11:], lambda one, k: setattr(one, "ImagePositionPatient", [-40, -55, 84.5])),
            "changes from 6 to 7.5 mm",
        ),
        (
            lambda paths: changed(paths[:1], lambda one, k: setattr(one, "ImageOrientationPatient", list(SAGITTAL))),
            "differ in orientation",
        ),
        (lambda paths: changed(paths, lambda one, k: delattr(one, "ImagePositionPatient")), "do not say where"),
    ],
    ids=["gap", "wide gap", "one image", "twice", "uneven", "turned", "nowhere"],
)
def test_what_is_not_one_whole_volume_is_said(tmp_path, target, hu, spoil, words):
    spoil(make_series(tmp_path / "CASE", hu))
    with pytest.raises(ScanError, match=words):
        convert(tmp_path / "CASE", target)
    assert not list(target.iterdir())


def test_a_tilted_gantry_is_said_and_straightened(tmp_path, target, hu, caplog):
    degrees = float(np.degrees(np.arctan(2.0 / SPACING[0])))
    make_series(tmp_path / "CASE", hu, shift_mm=2.0, GantryDetectorTilt=degrees)
    with opened(tmp_path / "CASE", target, "CT") as found:
        assert found.straightened
        assert nib.load(found.path).ndim == 3
    assert f"shifted against each other by {degrees:.1f} degrees" in caplog.text


def test_folders_without_images_are_told_from_dicom(tmp_path, target, hu, write, scan):
    assert not dicom_series.is_dicom(write(scan).parent)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/notes.txt").write_text("nothing" * 100)
    assert not dicom_series.is_dicom(tmp_path / "texts")
    paths = make_series(tmp_path / "CASE/deeper", hu[:2])
    assert dicom_series.is_dicom(tmp_path / "CASE")
    assert dicom_series.is_dicom(paths[0])
    changed(paths, lambda one, k: [delattr(one, name) for name in ("Rows", "Columns", "PixelData")])
    with pytest.raises(NoInputError, match=r"no DICOM image of a body \(3 \(CT") as raised:
        convert(tmp_path / "CASE", target)
    assert raised.value.exit_code == 3


def test_a_grid_that_is_not_the_series_is_refused(tmp_path, target, hu):
    make_series(tmp_path / "CASE", hu)
    (series,) = dicom_series.find_series(tmp_path / "CASE", tmp_path)
    geometry = locate(series, tmp_path)
    values = np.zeros(SHAPE[::-1], np.float32)
    moved = geometry.affine.copy()
    moved[0, 3] += 1.5
    for affine, array in ((moved, values), (geometry.affine, values[1:])):
        with pytest.raises(ScanError, match="not those of the series"):
            on_frames(array, affine, geometry, tmp_path)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("CT_small.dcm", ScanError, "single image"),
        ("MR_small.dcm", UsageError, "the series is MR, and the region takes CT"),
        ("693_J2KI.dcm", ScanError, "single image"),
        ("rtplan.dcm", NoInputError, "no DICOM image of a body"),
        ("badVR.dcm", NoInputError, r"no DICOM image of a body \(1 \(RTDOSE"),
        ("dicomdirtests", UsageError, "12 series, and one has to be named"),
    ],
)
def test_files_of_scanners_are_told_what_they_are(target, name, error, words):
    files = Path(pydicom.data.__file__).parent / "test_files"  # what pydicom itself is tested with
    if not (files / name).exists():
        pytest.skip("this pydicom does not bring the file")
    with pytest.raises(error, match=words):
        convert(files / name, target)
