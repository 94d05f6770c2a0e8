"""Stages of a loop on threads of their own, joined by bounded queues.

Decoders, encoders, OpenCV and ONNX Runtime release Python's lock, so that threads overlap them. A
full queue stops the stage before it: memory does not grow with the clip.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Item = TypeVar("Item")

DEPTH = 3
"""Items that wait between two stages."""

_POLL = 0.1


class _End:
    """The last thing in a queue, with the exception that ended its stage."""

    def __init__(self, error: BaseException | None = None):
        self.error = error


def prefetched(items: Iterable[Item], depth: int = DEPTH) -> Iterator[Item]:
    """Iterate on a thread, at most `depth` items ahead.

    An exception of the iteration is raised where its item would have come. When this iterator is
    closed, the thread ends after the item that it is at.
    """
    waiting: queue.Queue[Item | _End] = queue.Queue(depth)
    stop = threading.Event()

    def put(item: Item | _End) -> None:
        while not stop.is_set():
            try:
                waiting.put(item, timeout=_POLL)
            except queue.Full:
                continue
            return

    def run() -> None:
        try:
            for item in items:
                put(item)
                if stop.is_set():
                    return
        except BaseException as error:  # it belongs to whoever iterates
            put(_End(error))
        else:
            put(_End())

    thread = threading.Thread(target=run, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item = waiting.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stop.set()
        thread.join()


class Drain(Generic[Item]):
    """A consumer on a thread of its own; see `drained`."""

    def __init__(self, consume: Callable[[Item], object], depth: int):
        self._consume = consume
        self._waiting: queue.Queue[Item | _End] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="drain", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hand an item over; waits while `depth` items are waiting.

        Raises:
            Exception: what the consumer raised at an earlier item.
        """
        while True:
            if self._error is not None:
                raise self._error
            try:
                self._waiting.put(item, timeout=_POLL)
            except queue.Full:
                continue
            return

    def offer(self, item: Item) -> bool:
        """Hand an item over if there is room; whether there was.

        Raises:
            Exception: what the consumer raised at an earlier item.
        """
        if self._error is not None:
            raise self._error
        try:
            self._waiting.put_nowait(item)
        except queue.Full:
            return False
        return True

    def close(self) -> None:
        """Let the consumer finish what waits, and end."""
        while self._thread.is_alive():
            try:
                self._waiting.put(_End(), timeout=_POLL)
                break
            except queue.Full:
                continue
        self._thread.join()

    def _run(self) -> None:
        while not isinstance(item := self._waiting.get(), _End):
            try:
                self._consume(item)
            except BaseException as error:  # raised again where items come from
                self._error = error
                return

    @property
    def error(self) -> BaseException | None:
        """What the consumer raised, if it did."""
        return self._error


@contextmanager
def drained(consume: Callable[[Item], object], depth: int = DEPTH) -> Iterator[Drain[Item]]:
    """Consume items on a thread; at the end of the block all that were put are consumed.

    Raises:
        Exception: what the consumer raised.
    """
    drain = Drain(consume, depth)
    try:
        yield drain
    finally:
        drain.close()
    if drain.error is not None:
        raise drain.error
