import numpy as np
import pytest
from scipy import ndimage

from mood.background import find_background


@pytest.fixture
def head(rng):
    """A ball of tissue, which is dark in places, in exact zeros."""
    scan = np.zeros((40, 36, 32), np.float32)
    x, y, z = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in scan.shape), indexing="ij")
    inside = x**2 / 15**2 + y**2 / 14**2 + z**2 / 12**2 < 1
    scan[inside] = rng.uniform(60, 255, inside.sum())
    return scan


def test_a_background_of_one_value_has_no_dust(head):
    background = find_background(head + 7)
    assert background.value == 7
    assert background.dust is None


@pytest.mark.parametrize("offset", [0.0, 1000.0, -300.0])
@pytest.mark.parametrize("kind", ["positive", "signed", "noise", "few"])
def test_row_a1_dust_is_background_and_tissue_is_not(head, rng, kind, offset):
    dust = {
        "positive": 1e-4 * rng.random(head.shape),
        "signed": rng.normal(0, 1, head.shape),
        "noise": np.abs(rng.normal(0, 5, head.shape)),
        "few": rng.uniform(1, 4, head.shape) * (ndimage.distance_transform_edt(head == 0) < 4),
    }[kind]
    background = find_background(np.where(head > 0, head, dust).astype(np.float32) + np.float32(offset))
    assert np.mean(background.dust != (head == 0)) < 1e-3  # noise that touches tissue may look like it
    assert not background.dust[head > 0].any()
    assert background.value == pytest.approx(offset, abs=6)


def test_a_dark_hole_within_tissue_is_no_background(head, rng):
    dusty = np.where(head > 0, head, 0.01 * rng.random(head.shape)).astype(np.float32)
    dusty[18:22, 16:20, 14:18] = 0.02
    assert not find_background(dusty).dust[18:22, 16:20, 14:18].any()


def test_specks_in_the_air_are_background_and_a_second_half_is_tissue(head, rng):
    halves = np.where(head > 0, head, 0.01 * rng.random(head.shape)).astype(np.float32)
    halves[19:21] = 0.01
    halves[1, 1, 1] = 200
    dust = find_background(halves).dust
    assert dust[1, 1, 1]
    assert not dust[10, 18, 16]
    assert not dust[30, 18, 16]


def test_a_slab_full_of_tissue_has_the_background_of_its_edges(head):
    slab = head[:, :, 12:17] + 50
    assert find_background(slab).value == 50


def test_an_array_full_of_texture_has_no_background(rng):
    assert find_background(rng.random((12, 11, 10)).astype(np.float32)).value is None


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 1), (9, 1, 1)])
def test_the_smallest_arrays_are_no_problem(shape):
    data = np.zeros(shape, np.float32)
    assert find_background(data).value == 0
