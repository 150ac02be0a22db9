import numpy as np
import pytest

from mood.engines.memory import in_halves, is_out_of_memory
from mood.errors import ScanError


def network_with_memory_for(images_at_once, error, calls):
    def run(images):
        calls.append(len(images))
        if len(images) > images_at_once:
            raise error
        return [images * 2, images.sum(axis=(1, 2))]

    return run


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 3 GiB"),
        RuntimeError("Exception from src/inference: std::bad_alloc"),
        RuntimeError("OOM: RESOURCE_EXHAUSTED: failed to allocate"),
    ],
)
def test_where_memory_runs_out_fewer_images_at_once_give_the_same(rng, error):
    images, calls = rng.random((7, 5, 4, 1)), []
    doubled, sums = in_halves(network_with_memory_for(2, error, calls))(images)
    np.testing.assert_array_equal(doubled, images * 2)
    np.testing.assert_array_equal(sums, images.sum(axis=(1, 2)))
    assert calls == [7, 3, 1, 2, 4, 2, 2]


def test_no_memory_for_one_image_is_a_sentence(rng):
    with pytest.raises(ScanError, match="memory ran out in the network"):
        in_halves(network_with_memory_for(0, MemoryError(), []))(rng.random((3, 5, 4, 1)))


def test_another_error_is_left_as_it_is(rng):
    calls = []
    with pytest.raises(ValueError, match="shape"):
        in_halves(network_with_memory_for(0, ValueError("shape"), calls))(rng.random((3, 5, 4, 1)))
    assert calls == [3]
    assert not is_out_of_memory(ValueError("shape"))
