import threading

import pytest

from mood.prefetch import prefetched


def test_items_come_in_their_order():
    assert list(prefetched(range(50), ahead=3)) == list(range(50))


def test_what_the_source_raises_is_raised_after_its_items():
    def source():
        yield 1
        raise ValueError("no more")

    items = prefetched(source())
    assert next(items) == 1
    with pytest.raises(ValueError, match="no more"):
        next(items)


def test_no_more_than_a_few_items_are_made_ahead():
    made = []

    def source():
        for i in range(100):
            made.append(i)
            yield i

    items = prefetched(source(), ahead=2)
    assert next(items) == 0
    items.close()
    assert len(made) <= 5


def test_the_thread_ends_when_the_consumer_stops():
    before = threading.active_count()
    items = prefetched(iter(int, 1), ahead=2)
    next(items)
    items.close()
    assert threading.active_count() == before
