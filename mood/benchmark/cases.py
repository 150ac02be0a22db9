"""The cases of the benchmark: each healthy scan as it is and with every kind of outlier, and real lesions.

What is drawn for a case depends on the seed, the repeat, the scan's name and the kind only: leaving out scans,
kinds or repeats changes no other case.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import nibabel as nib
import numpy as np

from mood.benchmark.manifest import Entry
from mood.evaluation.label_files import read_label_map
from mood.intensities import to_unit_range
from mood.regions import Region
from mood.synthesis.outliers import draw_outlier, plant_outlier
from mood.synthesis.toy import HEALTHY
from mood.volume import Volume, load, scan_name

LESION = "lesion"


@dataclass(frozen=True, eq=False)
class Case:
    """A scan to score and what is abnormal in it.

    Attributes
    ----------
    name : str
        SCAN_healthy, SCAN_REPEAT_KIND or SCAN_lesion.
    kind : str
        Of outlier, or of lesion; or healthy.
    volume : Volume
        In [0, 1], on the scan's own voxels.
    label : (X, Y, Z) uint8 ndarray
    """

    name: str
    kind: str
    volume: Volume
    label: np.ndarray


def planted_cases(entry: Entry, region: Region, kinds: Sequence[str], repeats: int, seed: int) -> Iterator[Case]:
    """A healthy scan as it is, then `repeats` times with one outlier of each kind."""
    volume = unit_volume(entry, region)
    yield Case(f"{entry.name}_{HEALTHY}", HEALTHY, volume, np.zeros(volume.data.shape, np.uint8))
    x_mm, y_mm, z_mm = (float(mm) for mm in nib.affines.voxel_sizes(volume.affine))
    for repeat in range(repeats):
        for kind in kinds:
            rng = case_rng(entry.name, kind, repeat, seed)
            outlier = draw_outlier(kind, volume.data, rng, spacing_mm=(x_mm, y_mm, z_mm))
            planted, label = plant_outlier(volume.data, outlier)
            yield Case(f"{entry.name}_{repeat}_{kind}", kind, replace(volume, data=planted), label)


def lesion_case(entry: Entry, region: Region) -> Case:
    """A scan with real lesions; NAME_label.nii.gz beside it says where, and NAME without its number of what kind."""
    path = entry.path.with_name(f"{scan_name(entry.path)}_label.nii.gz")
    label = read_label_map(path).astype(np.uint8)
    return Case(f"{entry.name}_{LESION}", lesion_kind(entry.name), unit_volume(entry, region), label)


def lesion_kind(name: str) -> str:
    """What a file's name says before its number: `site_wmh` of `site_wmh_04`.

    Examples
    --------
    >>> lesion_kind("site_wmh_04"), lesion_kind("glioma")
    ('site_wmh', 'glioma')
    """
    return re.sub(r"(?<=.)[_-]?\d+$", "", name)


def unit_volume(entry: Entry, region: Region) -> Volume:
    """A scan in [0, 1] on its own voxels."""
    volume = load(entry.path)
    return replace(volume, data=to_unit_range(volume.data, region))


def case_rng(name: str, kind: str, repeat: int, seed: int) -> np.random.Generator:
    """What one case is drawn with, whatever other cases there are."""
    return np.random.default_rng([seed, repeat, _number(name), _number(kind)])


def _number(text: str) -> int:
    return zlib.crc32(text.encode())
