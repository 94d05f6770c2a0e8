"""How long each stage of a prediction took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
Answer = TypeVar("Answer")


class StageTimer:
    """Wall-clock seconds by stage, in the order in which the stages were first entered.

    Args:
        earlier: seconds of stages that are over; what follows is added to them.
    """

    def __init__(self, earlier: Mapping[str, float] | None = None):
        self._seconds = dict(earlier or {})

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to stage `name`, also if the block fails."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - started

    def timed(
        self, name: str, function: Callable[P, Answer], *args: P.args, **kw: P.kwargs
    ) -> Answer:
        """Call a function, and add its time to stage `name`."""
        with self.stage(name):
            return function(*args, **kw)

    def seconds(self) -> dict[str, float]:
        """Give the seconds so far as plain numbers, to a tenth of a millisecond."""
        return {name: round(taken, 4) for name, taken in self._seconds.items()}
