"""Pictures in real time, as a camera gives them: who comes late misses frames."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cleanplate.arrays import Bytes
from cleanplate.formats.pictures import as_uint8
from cleanplate.live.camera import CameraFrame
from cleanplate.predict.size import Size


class PacedCamera:
    """Frame k is captured k / rate seconds after the first one; `read` gives the newest.

    Args:
        pictures: (H, W, 3) uint8 of one size, in their order; those that are dropped are skipped.
        size: (height, width) of them.
        rate: frames per second.
        name: for people.
        clock: seconds.
        sleep: waits for so many seconds.
        close: called when the camera is closed.
    """

    def __init__(
        self,
        pictures: Iterator[Bytes],
        size: Size,
        rate: float,
        *,
        name: str = "pictures",
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], object] = time.sleep,
        close: Callable[[], object] | None = None,
    ):
        self.name, self.size, self.rate = name, size, rate
        self.notes: list[str] = []
        self._pictures = pictures
        self._clock, self._sleep = clock, sleep
        self._close = close
        self._begin: float | None = None
        self._next = 0

    def read(self) -> CameraFrame | None:
        """Wait for the next frame; None = there are no more."""
        now = self._clock()
        if self._begin is None:
            self._begin = now
        # The small share keeps a frame that is due right now from counting as not yet due.
        newest = math.floor((now - self._begin) * self.rate + 1e-6)
        picture = None
        for _ in range(max(1, newest - self._next + 1)):
            picture = next(self._pictures, None)
            if picture is None:
                return None
            self._next += 1
        assert picture is not None
        due = self._begin + (self._next - 1) / self.rate
        if due > now:
            self._sleep(due - now)
        return CameraFrame(picture, self._next - 1, due)

    def lock(self) -> list[str]:
        """Nothing changes by itself."""
        return []

    def close(self) -> None:
        """Let go of the pictures."""
        if self._close is not None:
            self._close()


def open_clip_camera(
    path: Path,
    *,
    rate: float | None = None,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], object] = time.sleep,
) -> PacedCamera:
    """Play a video file in real time, once.

    Raises:
        CleanplateError: it cannot be read; MissingExtraError without PyAV.
    """
    from cleanplate.video.clip_reader import open_clip

    clip = open_clip(path)
    facts = clip.facts
    return PacedCamera(
        (as_uint8(frame.rgb) for frame in clip.frames()),
        (facts.height, facts.width),
        rate or float(facts.frame_rate),
        name=str(path),
        clock=clock,
        sleep=sleep,
        close=clip.close,
    )
