"""Latency, rate and stage times of a live loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

LATELY = 60
"""Frames over which numbers on the screen are taken."""

KEPT = 20_000
"""Latencies that are kept for the report: the last ones, ten minutes at 30 frames a second."""

FOLLOWING = 0.1
"""Share by which the shown stage times go to each frame's."""


class LatencyMeter:
    """Measures a loop: capture to screen, frames per second, seconds by stage.

    stages: running means of seconds by stage.
    """

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}
        self._latencies: deque[float] = deque(maxlen=KEPT)
        self._shown: deque[float] = deque(maxlen=LATELY)
        self._first: float | None = None
        self._count = 0

    def shown(self, captured: float, now: float) -> None:
        """Take a frame that was captured and shown at these times, in seconds of one clock."""
        self._latencies.append(now - captured)
        self._shown.append(now)
        self._first = now if self._first is None else self._first
        self._count += 1

    def took(self, seconds: Mapping[str, float]) -> None:
        """Take a frame's seconds by stage."""
        for name, taken in seconds.items():
            before = self.stages.get(name, taken)
            self.stages[name] = before + FOLLOWING * (taken - before)

    @property
    def rate(self) -> float:
        """Frames per second of late; 0 before there are two."""
        if len(self._shown) < 2:
            return 0.0
        return (len(self._shown) - 1) / max(self._shown[-1] - self._shown[0], 1e-9)

    @property
    def mean_rate(self) -> float:
        """Frames per second over all frames."""
        if self._first is None or self._count < 2:
            return 0.0
        return (self._count - 1) / max(self._shown[-1] - self._first, 1e-9)

    @property
    def latencies(self) -> list[float]:
        """Give the last `KEPT` latencies, in seconds."""
        return list(self._latencies)

    def quantiles(self, *, lately: bool = False) -> tuple[float, float]:
        """Give the median and the 95th percentile of latency, in seconds; 0 without frames.

        Args:
            lately: of the last `LATELY` frames alone.
        """
        values = list(self._latencies)[-LATELY if lately else 0 :]
        if not values:
            return 0.0, 0.0
        median, high = np.percentile(values, (50, 95))
        return float(median), float(high)

    def lines(self, rate: float) -> list[str]:
        """Say it for the screen.

        Args:
            rate: of the camera, frames per second.
        """
        median, high = self.quantiles(lately=True)
        frames = median * rate
        lines = [
            f"{self.rate:.1f} frames/s",
            f"latency {1000 * median:.0f} ms ({frames:.1f} frames), 95 % {1000 * high:.0f} ms",
        ]
        return lines + [
            f"{name} {1000 * taken:.1f} ms" for name, taken in self.stages.items() if taken > 5e-5
        ]

    def as_json(self) -> dict[str, Any]:
        """Plain numbers."""
        median, high = self.quantiles()
        return {
            "frames": self._count,
            "frames_per_second": round(self.mean_rate, 2),
            "latency_ms": {"median": round(1000 * median, 2), "p95": round(1000 * high, 2)},
            "stage_ms": {name: round(1000 * taken, 2) for name, taken in self.stages.items()},
        }
