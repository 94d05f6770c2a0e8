"""The network's working size, chosen so that frames take no longer than a target."""

from __future__ import annotations

import statistics
from collections import deque

SIZES = (512, 448, 384, 320, 256)
"""Long sides in pixels that are chosen from, largest first."""

WINDOW = 8
"""Frames whose median time decides."""

PATIENCE = 48
"""Frames that must pass at a size before a larger one is tried; doubled each time that fails."""

ROOM = 0.8
"""A larger size is tried if it is expected to take at most this share of the target."""


class WorkingSizeControl:
    """Lowers the working size while frames take too long, and raises it where there is room.

    Each decision is made from `WINDOW` frames at the present size, so that a single slow frame
    changes nothing. The time at a larger size is expected in proportion to its pixels, which
    overestimates it: part of a frame's time does not depend on the working size.

    size: long side in pixels for the next frame.

    Args:
        rate: wanted frames a second.
        largest: no larger size is chosen.
    """

    def __init__(self, rate: float, largest: int = SIZES[0]):
        self.size = largest
        self._sizes = (largest, *(size for size in SIZES if size < largest))
        self._budget = 1 / rate
        self._seconds: deque[float] = deque(maxlen=WINDOW)
        self._frames = 0
        self._patience = PATIENCE
        self._raised = False

    def took(self, seconds: float) -> None:
        """Take the time of a frame at `size`, and choose the next frame's size."""
        self._seconds.append(seconds)
        self._frames += 1
        if len(self._seconds) < WINDOW:
            return
        usual = statistics.median(self._seconds)
        place = self._sizes.index(self.size)
        if usual > self._budget and place + 1 < len(self._sizes):
            if self._raised:  # it was raised in vain
                self._patience *= 2
            self._change(self._sizes[place + 1], raised=False)
        elif place > 0 and self._frames >= self._patience:
            larger = self._sizes[place - 1]
            if usual * (larger / self.size) ** 2 <= ROOM * self._budget:
                self._change(larger, raised=True)

    def _change(self, size: int, *, raised: bool) -> None:
        self.size, self._raised, self._frames = size, raised, 0
        self._seconds.clear()
