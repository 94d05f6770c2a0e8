"""Stages on threads: order, bounds, faults, an early end."""

from __future__ import annotations

import threading

import pytest

from cleanplate.video.pipeline import drained, prefetched


def test_items_come_in_order_from_another_thread():
    names = set()

    def items():
        for number in range(50):
            names.add(threading.current_thread().name)
            yield number

    assert list(prefetched(items())) == list(range(50))
    assert names == {"prefetch"}


def test_no_more_items_are_made_than_fit():
    made = []

    def items():
        for number in range(100):
            made.append(number)
            yield number

    ahead = prefetched(items(), depth=2)
    for number in ahead:
        # Two wait, one is in the hands of the thread.
        assert len(made) <= number + 1 + 3
    assert len(made) == 100


def test_a_fault_comes_after_the_items_before_it():
    def items():
        yield 1
        raise ValueError("broken")

    ahead = prefetched(items())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="broken"):
        next(ahead)


def test_leaving_early_ends_the_thread():
    closed = threading.Event()

    def items():
        try:
            number = 0
            while True:
                yield number
                number += 1
        finally:
            closed.set()

    source = items()
    ahead = prefetched(source, depth=1)
    assert next(ahead) == 0
    ahead.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]
    source.close()
    assert closed.is_set()


def test_a_drain_takes_everything_in_order():
    taken = []
    with drained(taken.append, depth=2) as drain:
        for number in range(40):
            drain.put(number)
    assert taken == list(range(40))


def test_a_fault_of_the_consumer_is_raised_and_nothing_hangs():
    def consume(number):
        if number == 3:
            raise OSError("disk full")

    def feed():
        with drained(consume, depth=1) as drain:
            for number in range(1000):
                drain.put(number)

    with pytest.raises(OSError, match="disk full"):
        feed()


def test_a_fault_of_the_last_item_is_raised_too():
    def consume(number):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), drained(consume) as drain:
        drain.put(0)


def test_the_blocks_own_fault_wins_and_what_waited_is_consumed():
    taken = []

    def feed():
        with drained(taken.append) as drain:
            drain.put(0)
            drain.put(1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        feed()
    assert taken == [0, 1]
