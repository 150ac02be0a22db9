import threading
import time

import pytest

from mood.methods.mix.prefetch import mapped, prefetched


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


def test_mapped_keeps_the_order_and_works_ahead():
    begun = []

    def double(item):
        begun.append(item)
        time.sleep(0.01 * (3 - item % 3))
        return 2 * item

    results = mapped(double, range(10), ahead=4)
    assert next(results) == 0
    assert len(begun) <= 5
    assert list(results) == [2 * item for item in range(1, 10)]


def test_mapped_passes_on_what_is_raised():
    with pytest.raises(ZeroDivisionError):
        list(mapped(lambda item: 1 / item, [1, 0, 2], ahead=2))


def test_mapped_stops_with_its_consumer():
    begun = []
    results = mapped(begun.append, range(1000), ahead=3)
    next(results)
    results.close()
    assert len(begun) <= 4
