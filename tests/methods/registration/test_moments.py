import numpy as np
import pytest

from mood.methods.registration.moments import LARGEST_RATIO, measure, moments_matrix

SHAPE, SPACING = (40, 36, 32), (2.0, 3.0, 4.0)


def block(x, y, z):
    scan = np.zeros(SHAPE, np.float32)
    scan[slice(*x), slice(*y), slice(*z)] = 1
    return scan


def test_extents_are_millimetres_from_the_middle_of_the_grid():
    extent = measure(block((10, 20), (4, 8), (30, 32)), SPACING)
    assert extent.centre == pytest.approx(((14.5 - 19.5) * 2, (5.5 - 17.5) * 3, (30.5 - 15.5) * 4))
    assert extent.spread == pytest.approx([np.std(range(n)) * mm for n, mm in zip((10, 4, 2), SPACING, strict=True)])


def test_the_matrix_takes_the_templates_tissue_to_the_scans():
    scan, template = (measure(block(*edges), SPACING) for edges in (((10, 20), (4, 12), (20, 26)), ((5, 15),) * 3))
    matrix = moments_matrix(scan, template)
    np.testing.assert_allclose(matrix @ [*template.centre, 1], [*scan.centre, 1])
    np.testing.assert_allclose(np.diag(matrix)[:3] * template.spread, scan.spread)


def test_a_scan_without_tissue_or_beyond_any_head_changes_no_size():
    nothing = measure(np.zeros(SHAPE, np.float32), SPACING)
    np.testing.assert_array_equal(moments_matrix(nothing, nothing), np.eye(4))
    wide, narrow = (measure(block(*edges), SPACING) for edges in (((0, 40), (0, 36), (0, 32)), ((18, 20),) * 3))
    assert moments_matrix(wide, narrow)[0, 0] == LARGEST_RATIO
