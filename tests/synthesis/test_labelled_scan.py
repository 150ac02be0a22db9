import numpy as np

from mood.synthesis.labelled_scan import LabelledScan
from mood.synthesis.native import NativeScan

SHAPE = (24, 20, 16)
BOX = (slice(6, 14), slice(5, 13), slice(4, 10))


def labelled(spacing_mm=(1.0, 1.0, 2.0), centre=None) -> LabelledScan:
    data = np.zeros(SHAPE, np.float32)
    data[4:20, 3:17, 2:12] = 0.3
    labelled = LabelledScan.unaltered(NativeScan(data, spacing_mm, centre))
    labelled.put(BOX, np.full((8, 8, 6), 0.9, np.float32), np.ones((8, 8, 6), np.float32))
    return labelled


def test_a_scan_is_copied_before_it_is_altered():
    scan = NativeScan(np.full(SHAPE, 0.5, np.float16), (1.0, 2.0, 3.0), (11.0, 9.5, 7.0))
    copy = LabelledScan.unaltered(scan)
    copy.put(BOX, np.ones((8, 8, 6), np.float32), np.ones((8, 8, 6), np.float32))
    assert (scan.data == 0.5).all()
    assert copy.scan.data.dtype == copy.label.dtype == np.float32
    assert (copy.scan.spacing_mm, copy.scan.centre) == (scan.spacing_mm, scan.centre)


def test_the_larger_label_stays_where_two_places_overlap():
    twice = labelled()
    twice.put(BOX, np.full((8, 8, 6), 0.6, np.float32), np.full((8, 8, 6), 0.4, np.float32))
    assert (twice.scan.data[BOX] == np.float32(0.6)).all()
    assert (twice.label[BOX] == 1).all()
    outside = twice.label.copy()
    outside[BOX] = 0
    assert not outside.any()


def test_the_label_is_resampled_with_its_scan():
    """About a centre of its own and onto another spacing, the label still covers what was put in."""
    coarse = labelled(centre=(9.0, 11.0, 6.0)).onto((18, 22, 20), (1.5, 1.2, 1.6))
    assert coarse.scan.data.shape == coarse.label.shape == (18, 22, 20)
    assert coarse.scan.spacing_mm == (1.5, 1.2, 1.6)
    expected = np.clip((coarse.scan.data - 0.3) / 0.6, 0, 1)
    inside = coarse.scan.data > 0.29  # where no background is blended in
    np.testing.assert_allclose(coarse.label[inside], expected[inside], atol=1e-5)
    assert (coarse.label > 0.99).sum() > 50
