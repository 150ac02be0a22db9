import numpy as np
import pytest

from mood.methods.ascnet.intruders import draw_intruder, plant_intruder, with_intruders


@pytest.fixture
def image(rng):
    image = np.zeros((40, 32), np.float32)
    image[6:34, 5:27] = rng.uniform(0.5, 0.7, (28, 22))
    return image


def test_nothing_changes_outside_and_the_background_stays(image, rng):
    for _ in range(20):
        intruder = draw_intruder(image, rng)
        planted, label = plant_intruder(image, intruder)
        untouched = intruder.mask(image.shape) == 0
        np.testing.assert_array_equal(planted[untouched], image[untouched])
        assert not planted[image == 0].any()
        assert not label[image == 0].any()
        assert planted.dtype == np.float32


def test_half_are_bright_and_half_are_dark(image, rng):
    levels = np.array([draw_intruder(image, rng).level for _ in range(300)])
    assert 0.4 < (levels > 0.8).mean() < 0.6
    assert ((levels > 0.8) | (levels < 0.4)).all()


def test_the_label_is_where_the_intruder_prevails(image, rng):
    for _ in range(20):
        intruder = draw_intruder(image, rng)
        planted, label = plant_intruder(image, intruder)
        assert label[intruder.centre]
        assert np.abs(planted[label] - intruder.level).max() <= 0.5 * np.abs(image - intruder.level).max() + 1e-6


def test_every_filled_image_of_a_stack_gets_some(image, rng):
    stack = np.stack([image, np.zeros_like(image), image])
    planted, label = with_intruders(stack, rng)
    assert label.any(axis=(1, 2)).tolist() == [True, False, True]
    assert not planted[1].any()
    assert (planted[0] != planted[2]).any()
    assert 0 <= planted.min() <= planted.max() <= 1


def test_a_seed_gives_the_same_intruders(image):
    first, second = (with_intruders(image[None], np.random.default_rng(3))[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)
