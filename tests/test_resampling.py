"""Resampling against the dense matrix of its definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mood.resampling import SAME_SPACING, apply_along_axes, axis_resampling, centred_resampling


def matrix(size_out: int, size_in: int, start: float, step: float) -> np.ndarray:
    """(size_out, size_in): a triangle around each output voxel, as wide as the larger voxel, of sum 1 or all 0."""
    rows = np.zeros((size_out, size_in))
    for j in range(size_out):
        position = start + j * step
        if -0.5 <= position <= size_in - 0.5:
            rows[j] = np.maximum(0, 1 - np.abs(np.arange(size_in) - position) / max(1, step))
            rows[j] /= rows[j].sum()
    return rows


def dense(plan, size_in: int) -> np.ndarray:
    rows = np.zeros((plan.size, size_in))
    for source, weights in zip(plan.source, plan.weights, strict=True):
        rows[np.arange(plan.size), source] += weights
    return rows


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.floats(-4, 8), st.floats(0.3, 4))
def test_the_weights_are_those_of_the_definition(size_out, size_in, start, step):
    positions = start + step * np.arange(size_out)
    if (np.abs(positions + 0.5) < 1e-3).any() or (np.abs(positions - size_in + 0.5) < 1e-3).any():
        return  # on the very edge rounding decides
    plan = axis_resampling(size_out, size_in, start, step)
    assert plan.size == size_out
    assert plan.weights.dtype == np.float32
    np.testing.assert_allclose(dense(plan, size_in), matrix(size_out, size_in, start, step), atol=1e-5)
    assert plan.weights.any(axis=1).all()  # nothing is added up for nothing


def test_half_a_voxel_beyond_the_ends_is_still_the_scan():
    ends = dense(axis_resampling(2, 5, -0.5, 5.0), 5)
    assert ends.sum(axis=1) == pytest.approx([1, 1])
    assert not dense(axis_resampling(2, 5, -0.51, 5.02), 5).any()


@pytest.mark.parametrize(("size_out", "size_in", "first"), [(5, 9, 2), (9, 5, -2), (4, 9, 2), (8, 4, -2)])
@pytest.mark.parametrize("step", [1.0, 1 + 0.9 * SAME_SPACING, 1 - 0.9 * SAME_SPACING])
def test_voxels_of_one_size_are_only_moved(size_out, size_in, first, step):
    rows = dense(centred_resampling(size_out, size_in, step), size_in)
    assert set(np.unique(rows)) <= {0.0, 1.0}
    moved = [j for j in range(size_out) if rows[j].any()]
    assert all(rows[j, j + first] == 1 for j in moved)
    assert len(moved) == min(size_out, size_in)


@pytest.mark.parametrize("step", [1 + 1.1 * SAME_SPACING, 1 - 1.1 * SAME_SPACING])
def test_voxels_of_nearly_one_size_are_resampled(step):
    assert len(np.unique(dense(centred_resampling(9, 9, step), 9))) > 2


@pytest.mark.parametrize("step", [0.5, 1.5, 2.0])
@pytest.mark.parametrize(("size_out", "size_in"), [(7, 9), (6, 9), (7, 8)])
def test_the_middles_fall_on_one_another(step, size_out, size_in):
    expected = matrix(size_out, size_in, (size_in - 1) / 2 - step * (size_out - 1) / 2, step)
    np.testing.assert_allclose(dense(centred_resampling(size_out, size_in, step), size_in), expected, atol=1e-6)


def test_the_middle_may_be_elsewhere():
    expected = matrix(7, 9, 2.5 - 1.5 * 3, 1.5)
    np.testing.assert_allclose(dense(centred_resampling(7, 9, 1.5, 2.5), 9), expected, atol=1e-6)
    moved = dense(centred_resampling(7, 9, 1.0, 0.0), 9)  # the first voxel comes to the middle
    assert moved[3, 0] == 1
    assert not moved[:3].any()


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray])
@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 2), (0, 1, 2), ()])
def test_each_axis_is_resampled_by_its_own_plan(layout, axes, rng):
    data = layout(rng.random((11, 9, 7), dtype=np.float32))
    plans = [axis_resampling(6, 11, 0.3, 1.7), axis_resampling(13, 9, -1.0, 0.8), axis_resampling(7, 7, 0.5, 1.0)]
    result = apply_along_axes(data, tuple(plan if axis in axes else None for axis, plan in enumerate(plans)))
    sizes = zip(plans, data.shape, strict=True)
    matrices = [dense(plan, n) if axis in axes else np.eye(n) for axis, (plan, n) in enumerate(sizes)]
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, np.einsum("ai,bj,ck,ijk->abc", *matrices, data), atol=1e-5)


def test_the_axis_that_shrinks_most_goes_first(monkeypatch):
    done = []
    monkeypatch.setattr("mood.resampling._apply", lambda data, plan, axis: done.append(axis) or data)
    plans = (axis_resampling(12, 6, 0, 0.5), axis_resampling(2, 8, 0, 4.0), axis_resampling(6, 7, 0, 1.2))
    apply_along_axes(np.zeros((6, 8, 7), np.float32), plans)
    assert done == [1, 2, 0]
