"""Whether the plate still fits what a live camera sees."""

from __future__ import annotations

from collections import deque

from cleanplate.predict.result import Result

LOST = 10
"""Frames in a row without the plate's scene."""

WINDOW, OFTEN = 120, 4
"""Of so many frames, so many had the plate examined in full."""

STOPS = 1.0
"""Exposure that is farther from the plate's than so many stops."""

LASTING = 30
"""Frames in a row with the same warning of the plate's health."""

_CURE = "take a new plate (P)"


class PlateStaleness:
    """Watches a live loop, and says when the plate should be taken again.

    warning: what is wrong, or "".
    """

    def __init__(self) -> None:
        self.warning = ""
        self._lost = 0
        self._examined: deque[bool] = deque(maxlen=WINDOW)
        self._lasting: dict[str, int] = {}
        self._count = 0

    def saw(self, result: Result | None, *, examined: bool) -> str:
        """Take the next frame; give the warning.

        Args:
            result: what was found in it; None if it does not show the plate's scene.
            examined: whether the plate was examined in full for it.
        """
        self._count += 1
        if self._count > 1:  # the first frame always is
            self._examined.append(examined and result is not None)
        self._lost = 0 if result is not None else self._lost + 1
        health = [] if result is None else result.report["health"]["warnings"]
        self._lasting = {one: self._lasting.get(one, 0) + 1 for one in health}
        self.warning = self._told(result)
        return self.warning

    def _told(self, result: Result | None) -> str:
        if self._lost >= LOST:
            return f"The camera does not show the plate's scene: {_CURE}."
        if result is not None:
            stops = result.sources.plate.exposure.stops
            if abs(stops) > STOPS:
                return f"The exposure is {stops:+.1f} stops from the plate's: {_CURE}."
        if sum(self._examined) >= OFTEN:
            return f"The scene keeps changing from the plate: {_CURE}."
        lasting = [one for one, count in self._lasting.items() if count >= LASTING]
        if lasting:
            return f"{lasting[0][:1].upper()}{lasting[0][1:]}: {_CURE}."
        return ""
