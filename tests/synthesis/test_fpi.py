import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mood.synthesis.fpi import (
    Patch,
    draw_patch,
    interpolate_patch,
    label_to_classes,
    mix_pair,
    patch_label,
)

seeds = st.integers(0, 2**32 - 1)
sides = st.integers(1, 80)


def pair(seed: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    a, b = rng.random((2, height, width), dtype=np.float32)
    b[: height // 3] = a[: height // 3]  # some of both subjects is equal
    return a, b, rng


@given(seeds, sides, sides, st.sampled_from([1, 5]), st.sampled_from([0.5, 0.8]))
def test_the_two_mixed_images_sum_to_the_two_originals(seed, height, width, classes, core):
    a, b, rng = pair(seed, height, width)
    mixed_a, mixed_b = interpolate_patch(a, b, draw_patch(a.shape, rng, core=core, classes=classes))
    np.testing.assert_allclose(mixed_a + mixed_b, a + b, atol=1e-6)


@given(seeds, sides, sides)
def test_nothing_changes_outside_the_patch(seed, height, width):
    a, b, rng = pair(seed, height, width)
    patch = draw_patch(a.shape, rng)
    outside = np.ones(a.shape, bool)
    outside[patch.window] = False
    mixed_a, mixed_b = interpolate_patch(a, b, patch)
    np.testing.assert_array_equal(mixed_a[outside], a[outside])
    np.testing.assert_array_equal(mixed_b[outside], b[outside])
    assert not patch_label(a, b, patch)[outside].any()


@given(seeds, sides, sides)
def test_the_label_is_the_foreign_share_where_the_subjects_differ(seed, height, width):
    a, b, rng = pair(seed, height, width)
    patch = draw_patch(a.shape, rng)
    inside = np.zeros(a.shape, bool)
    inside[patch.window] = True
    expected = np.where(inside & (a != b), np.float32(1 - patch.alpha), np.float32(0))
    np.testing.assert_array_equal(patch_label(a, b, patch), expected)


@given(seeds)
def test_the_mixed_image_recovers_the_label(seed):
    a, b, rng = pair(seed, 40, 36)
    patch = draw_patch(a.shape, rng)
    mixed, _ = interpolate_patch(a, b, patch)
    apart = np.abs(b - a) > 0.1
    share = (mixed - a)[apart] / (b - a)[apart]
    np.testing.assert_allclose(share, patch_label(a, b, patch)[apart], atol=1e-5)


def test_the_ranges_drawn_are_the_published_ones(rng):
    brain = [draw_patch((256, 256), rng, core=0.5) for _ in range(20000)]
    abdom = [draw_patch((512, 512), rng, core=0.8, classes=5) for _ in range(20000)]
    for patches, half, centre in ((brain, (13, 50), (64, 191)), (abdom, (26, 101), (51, 459))):
        unclipped = [p for p in patches if p.rows[0] > 0 and p.rows[1] < (256 if patches is brain else 512)]
        widths = {(p.rows[1] - p.rows[0]) // 2 for p in unclipped}
        centres = {(p.rows[0] + p.rows[1]) // 2 for p in unclipped}
        assert (min(widths), max(widths)) == half
        assert centre[0] <= min(centres)
        assert max(centres) <= centre[1]
    alphas = np.array([p.alpha for p in brain])
    assert 0.05 <= alphas.min() < 0.06
    assert 0.94 < alphas.max() <= 0.95
    assert {p.alpha for p in abdom} == {0.0, 0.25, 0.5, 0.75}


def test_the_centre_reaches_the_published_ends_of_the_core(rng):
    patches = [draw_patch((256, 256), rng, half_width=(0.05, 0.051)) for _ in range(20000)]
    centres = {(p.columns[0] + p.columns[1]) // 2 for p in patches}
    assert (min(centres), max(centres)) == (64, 191)


def test_differences_are_told_in_steps():
    a = np.array([[0.5, 0.5, 0.5]])
    b = np.array([[0.4999, 0.5005, 0.5]])
    patch = Patch((0, 1), (0, 3), 0.25)
    np.testing.assert_array_equal(patch_label(a, b, patch, difference_step=1e-3), np.float32([[0.75, 0, 0]]))
    np.testing.assert_array_equal(patch_label(a, b, patch), np.float32([[0.75, 0.75, 0]]))


@pytest.mark.parametrize("classes", [2, 3, 4, 5, 6, 11])
def test_class_numbers_are_exact_for_any_number_of_classes(classes):
    shares = np.arange(classes, dtype=np.float32) / np.float32(classes - 1)
    np.testing.assert_array_equal(label_to_classes(shares, classes), np.arange(classes))


def test_every_slice_of_a_pair_gets_a_patch_of_its_own(rng):
    host, foreign = rng.random((2, 12, 40, 36), dtype=np.float32)
    mixed_host, mixed_foreign, label = mix_pair(host, foreign, np.random.default_rng(3))
    np.testing.assert_allclose(mixed_host + mixed_foreign, host + foreign, atol=1e-6)
    assert len({tuple(np.argwhere(piece).min(axis=0)) for piece in label}) > 6
    again = mix_pair(host, foreign, np.random.default_rng(3))
    np.testing.assert_array_equal(again[2], label)


def test_a_pair_is_mixed_as_was_asked(rng):
    host, foreign = rng.random((2, 12, 40, 36), dtype=np.float32)
    label = mix_pair(host, foreign, np.random.default_rng(3), core=0.9, classes=5, difference_step=0.25)[2]
    again = np.random.default_rng(3)
    patches = [draw_patch((40, 36), again, core=0.9, classes=5) for _ in host]
    expected = [patch_label(a, b, patch, 0.25) for a, b, patch in zip(host, foreign, patches, strict=True)]
    np.testing.assert_array_equal(label, expected)
    assert label.dtype == expected[0].dtype == np.float32
    assert label_to_classes(label, 5).dtype == np.uint8


def test_subjects_of_unequal_length_are_no_pair(rng):
    host, foreign = rng.random((6, 40, 36)), rng.random((5, 40, 36))
    with pytest.raises(ValueError, match="shorter"):
        mix_pair(host, foreign, rng)


def test_a_small_slice_gets_a_patch_of_two_pixels(rng):
    patches = [draw_patch((16, 16), rng, half_width=(0.0, 0.01)) for _ in range(9)]
    assert {p.rows[1] - p.rows[0] for p in patches} == {2}
