import numpy as np
import pytest

from mood.methods.normative.features import Positions, features_at, slice_features
from mood.regions import Grid

POSITIONS = Positions(Grid((24, 20, 16), (8.0, 7.0, 6.0)), enlargement=2)


def averaged(images):
    """A stand-in for the network: the mean and the place of every 2 x 2 pixels."""
    count, height, width, _ = images.shape
    pooled = images.reshape(count, height // 2, 2, width // 2, 2).mean(axis=(2, 4))
    rows = np.broadcast_to(np.arange(height // 2)[:, None], pooled.shape)
    return np.stack([pooled, rows.astype(np.float32)], axis=-1)


def test_positions_cover_all_but_the_outermost_slices():
    assert POSITIONS.shape == (12, 10, 12)
    assert POSITIONS.slices == slice(2, 14)
    assert POSITIONS.spacing_mm == (16.0, 14.0, 6.0)


def test_tissue_anywhere_in_a_cell_counts():
    image = np.zeros((24, 20, 16), np.float32)
    image[5, 8, 4] = 0.1
    assert np.argwhere(POSITIONS.tissue(image)).tolist() == [[2, 4, 2]]


def test_features_are_those_of_the_chosen_positions_in_their_order(rng):
    image = rng.random((24, 20, 16), dtype=np.float32)
    chosen = rng.permutation(np.prod(POSITIONS.shape))[:50]
    found = features_at(image, POSITIONS, averaged, chosen, lambda features: features)
    x, y, z = np.unravel_index(chosen, POSITIONS.shape)
    cells = image[:, :, 2:14].reshape(12, 2, 10, 2, 12).mean(axis=(1, 3))
    np.testing.assert_allclose(found[:, 0] * 128 / 255 + 127 / 255, cells[x, y, z], atol=1e-5)
    np.testing.assert_array_equal(found[:, 1], x)


def test_sides_are_padded_to_what_the_network_takes(rng):
    positions = Positions(Grid((22, 18, 9), (8.0, 8.0, 8.0)), enlargement=2)
    sides = set()

    def run(images):
        sides.add(images.shape[1:3])
        return averaged(images)

    maps = [part for _, part in slice_features(rng.random((22, 18, 9), dtype=np.float32), positions, run)]
    assert sides == {(24, 24)}
    assert np.concatenate(maps).shape == (len(range(9)[positions.slices]), *positions.shape[:2], 2)


@pytest.mark.parametrize("enlargement", [1, 2, 4])
def test_the_lattice_has_the_middle_of_the_grid(enlargement):
    positions = Positions(Grid((24, 20, 16), (8.0, 8.0, 8.0)), enlargement)
    extent = [n * mm for n, mm in zip(positions.shape[:2], positions.spacing_mm, strict=False)]
    assert extent == [192.0, 160.0]
