from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mood.conform import conform
from mood.regions import BRAIN, Grid
from mood.synthesis.native import NativeScan, StoredScans, native_scan
from mood.volume import Volume


def volume(data: np.ndarray, affine: np.ndarray) -> Volume:
    return Volume(data, affine, nib.Nifti1Header(), Path("scan.nii.gz"))


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.9, 1.2, 2.0)])
@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, -1)])
def test_resampled_onto_a_grid_it_is_the_conformed_scan(scan, spacing, flips):
    stored = volume(scan, np.diag([*np.multiply(spacing, flips), 1.0]))
    grid = Grid((44, 40, 36), (1.7, 1.7, 1.7))
    native = native_scan(stored, BRAIN)
    assert native.spacing_mm == pytest.approx(spacing)
    assert native.data.shape == (23, 20, 16)  # the content with a margin, where the scan has one
    conformed, _ = conform(stored, BRAIN, grid)
    np.testing.assert_allclose(native.onto(grid.shape, grid.spacing_mm).data, conformed, atol=1e-6)


def test_axes_come_in_ras_order(scan):
    affine = np.array([[0, 0, 3.0, 0], [1.0, 0, 0, 0], [0, 2.0, 0, 0], [0, 0, 0, 1]])
    native = native_scan(volume(scan, affine), BRAIN)
    assert native.spacing_mm == (3.0, 1.0, 2.0)
    np.testing.assert_array_equal(np.sort(native.data[native.data > 0]), np.sort(scan[scan > 0]))


def test_what_is_stored_comes_back(scan, tmp_path):
    native = NativeScan(scan, (1.0, 2.0, 3.0), (11.0, 9.5, 7.0))
    for name in "ab":
        native.save(tmp_path / f"{name}.npz")
    stored = StoredScans(sorted(tmp_path.glob("*.npz")))
    assert len(list(stored)) == 2
    assert stored[1].spacing_mm == (1.0, 2.0, 3.0)
    assert stored[1].centre == (11.0, 9.5, 7.0)
    assert stored[1].data.dtype == np.float32
    np.testing.assert_allclose(stored[1].data, scan, atol=1e-3)
