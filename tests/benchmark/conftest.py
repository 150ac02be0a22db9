"""A data folder with a table, as the benchmark reads it; toy scans that are never cubes."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

ROWS = """file,use,shape,spacing_mm,source,licence
brain/healthy/a.nii.gz,train,24x20x16,1x1x1,"made, up",CC0
brain/healthy/b.nii.gz,train,24x20x16,1x1x1,made up,CC0
brain/healthy/c.nii.gz,train,24x20x16,1x1x1,made up,CC0
brain/healthy/d.nii.gz,validation,24x20x16,0.9x0.9x1.4,made up,CC0
brain/healthy/e.nii.gz,validation,24x20x16,2x2x2,made up,CC0
brain/healthy/f.nii.gz,validation only (other sites),24x20x16,1x1x1,made up,none
brain/lesion/g.nii.gz,lesion check,24x20x16,1x1x1,made up,CC0
brain/lesion/g_label.nii.gz,lesion check,24x20x16,1x1x1,made up,CC0
abdom/healthy/h.nii.gz,validation,24x20x16,1.5x1.5x2,made up,CC0
abdom/slices/i.npz,train,slices,,made up,CC0
"""


def texture(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    data = np.zeros((24, 20, 16), np.float32)
    data[3:21, 3:17, 2:14] = rng.uniform(80, 200, (18, 14, 12))
    return data


@pytest.fixture
def data(tmp_path) -> Path:
    folder = tmp_path / "data"
    for row, line in enumerate(ROWS.splitlines()[1:-1]):
        file, spacing = line.split(",")[0], line.replace("made, up", "").split(",")[3]
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        voxels = texture(row)
        if file.endswith("_label.nii.gz"):
            voxels = np.zeros_like(voxels, np.uint8)
            voxels[8:12, 8:12, 6:9] = 1
        affine = np.diag([*(float(mm) for mm in spacing.split("x")), 1.0])
        nib.save(nib.Nifti1Image(voxels, affine), path)
    (folder / "MANIFEST.csv").write_text(ROWS)
    return folder
