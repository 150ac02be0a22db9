"""DICOM series that are nobody's: a body of texture in air, written image by image."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

SHAPE = (12, 30, 24)  # slices, rows, columns
SPACING = (6.0, 2.0, 3.0)  # mm between them
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


def body(rng: np.random.Generator, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """(slices, rows, columns) int16 ndarray in Hounsfield units: soft tissue with a dense corner in air."""
    data = np.full(shape, -1000, np.int16)
    k, r, c = (n // 6 for n in shape)
    data[k:-k, r:-r, c : -2 * c] = rng.integers(20, 60, shape)[k:-k, r:-r, c : -2 * c]
    data[k : 2 * k + 2, r : 2 * r, c : 2 * c] = 900
    return data


def make_series(
    folder: Path,
    data: np.ndarray,
    *,
    modality: str = "CT",
    number: int = 3,
    orientation: Sequence[float] = AXIAL,
    spacing: Sequence[float] = SPACING,
    shift_mm: float = 0.0,
    **more: object,
) -> list[Path]:
    """Write one file a slice.

    Parameters
    ----------
    data : (slices, rows, columns) int16 ndarray
    spacing : three floats
        Between slices, rows and columns.
    shift_mm : float
        From each slice to the next along its columns, as under a tilted gantry.
    **more
        Further attributes of every image.
    """
    folder.mkdir(parents=True, exist_ok=True)
    across, down = np.array(orientation[:3]), np.array(orientation[3:])
    normal, study = np.cross(across, down), generate_uid(entropy_srcs=["toy study"])
    kind = {"CT": CTImageStorage, "MR": MRImageStorage}[modality]
    paths = []
    for k, pixels in enumerate(data):
        corner = np.array([-40.0, -55.0, 17.0]) + normal * k * spacing[0] + down * k * shift_mm
        one = pydicom.Dataset()
        one.file_meta = FileMetaDataset()
        one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = kind
        uid = generate_uid(entropy_srcs=[str(folder), str(number), str(k)])
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = uid
        one.StudyInstanceUID, one.FrameOfReferenceUID = study, generate_uid(entropy_srcs=["toy frame"])
        one.SeriesInstanceUID = generate_uid(entropy_srcs=[str(folder), str(number)])
        one.PatientName, one.PatientID, one.PatientBirthDate, one.PatientSex = "Nobody", "toy", "", "O"
        one.StudyDate, one.StudyTime, one.StudyID, one.AccessionNumber = "20260101", "120000", "1", ""
        one.ReferringPhysicianName, one.Manufacturer, one.PositionReferenceIndicator = "", "Toy", ""
        one.Modality, one.SeriesNumber, one.InstanceNumber = modality, number, k + 1
        one.SeriesDescription, one.ImageType = "Toy body", ["ORIGINAL", "PRIMARY", "AXIAL"]
        one.ImagePositionPatient = [round(float(mm), 4) for mm in corner]
        one.ImageOrientationPatient, one.PixelSpacing = list(orientation), list(spacing[1:])
        one.SliceThickness, one.KVP, one.AcquisitionNumber = spacing[0], "120", 1
        one.Rows, one.Columns, one.SamplesPerPixel = *pixels.shape, 1
        one.PhotometricInterpretation, one.PixelRepresentation = "MONOCHROME2", 0
        one.BitsAllocated, one.BitsStored, one.HighBit = 16, 12, 11
        one.RescaleIntercept, one.RescaleSlope = -1024, 1
        one.PixelData = (pixels.astype(np.int32) + 1024).astype(np.uint16).tobytes()
        for name, value in more.items():
            setattr(one, name, value)
        paths.append(folder / f"image{(k * 7) % len(data):03d}.dcm")  # names in no order of place
        one.save_as(paths[-1], enforce_file_format=True)
    return paths
