import numpy as np
import pytest

from mood.methods.slices import batches, filled_slices, fit_shape, pad_to_multiple, to_slices


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_lie_across_the_axis_and_keep_the_order_of_the_others(scan, axis):
    slices = to_slices(scan, axis)
    assert slices.shape[0] == scan.shape[axis]
    np.testing.assert_array_equal(slices[5], scan.take(5, axis))
    others = [n for k, n in enumerate(scan.shape) if k != axis]
    assert list(slices.shape[1:]) == others


@pytest.mark.parametrize("multiple", [1, 4, 16, 32])
def test_padding_adds_zeros_at_the_end_only(scan, multiple):
    padded = pad_to_multiple(scan, multiple)
    assert all(side % multiple == 0 for side in padded.shape[1:])
    np.testing.assert_array_equal(padded[:, :20, :16], scan)
    assert np.count_nonzero(padded) == np.count_nonzero(scan)


def test_filled_slices_are_those_with_content(scan):
    np.testing.assert_array_equal(filled_slices(to_slices(scan, 2)), np.arange(2, 13))


def test_batches_cover_all_indices_once():
    pieces = list(batches(np.arange(10), 4))
    assert [len(p) for p in pieces] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate(pieces), np.arange(10))


def test_a_scan_is_cropped_and_padded_around_its_centre():
    scan = np.arange(1, 1 + 5 * 4 * 3, dtype=np.float32).reshape(5, 4, 3)
    fitted = fit_shape(scan, (3, 6, 3))
    assert fitted.shape == (3, 6, 3)
    np.testing.assert_array_equal(fitted[:, 1:5], scan[1:4])
    assert not fitted[:, [0, 5]].any()
