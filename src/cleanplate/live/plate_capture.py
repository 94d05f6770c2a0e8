"""A clean plate from a camera: the person is told to leave, then many frames are taken."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Bytes
from cleanplate.live.camera import CameraFrame

TAKING = "New plate: stay out, nothing may move."

State: TypeAlias = Literal["leaving", "taking", "done", "refused"]

COUNTDOWN = 5.0
"""Seconds in which the person can leave."""

FRAMES = 31
"""Frames whose median is taken."""

FEWEST = 9
"""And so many at least, where memory is short."""

BYTES = 512 << 20
"""Memory that they may take."""

LOOK_SIZE = 160
"""Width in pixels at which movement is looked for."""

MOVED_LEVELS = 6.0
"""A pixel moved if it differs by more than so many levels from its median over time, and by more
than `MOVED_NOISE` times the noise."""

MOVED_NOISE = 8.0

MOVED_SHARE = 0.002
"""Refused if more than this share of the picture moved in a frame."""

DRIFT_LEVELS = 3.0
"""Refused if the whole picture became brighter or darker by more than so many levels."""


class PlateCapture:
    """Takes a plate from the frames that it is shown; time is that of the frames.

    state: "leaving" (the countdown), "taking", then "done" or "refused".
    plate: (H, W, 3) uint8 when it is done.
    reason: why it was refused.
    count: frames that are taken.

    Args:
        countdown: seconds before the first frame that is taken.
        count: frames that are taken; an even number is made odd.
    """

    def __init__(self, *, countdown: float = COUNTDOWN, count: int = FRAMES):
        self.state: State = "leaving"
        self.plate: Bytes | None = None
        self.reason = ""
        self.countdown, self.count = countdown, count + 1 - count % 2
        self._left = countdown
        self._begin: float | None = None
        self._taken: list[Bytes] = []

    @property
    def over(self) -> bool:
        """Whether no more frames are wanted."""
        return self.state in ("done", "refused")

    @property
    def text(self) -> str:
        """What to tell the person."""
        if self.state == "leaving":
            return f"New plate: leave the picture. {ceil(self._left)}"
        if self.state == "taking":
            return f"{TAKING} {len(self._taken)}/{self.count}"
        return self.reason if self.state == "refused" else "The plate is taken."

    @property
    def step(self) -> str:
        """The same for a line-wise console: it changes once a second at most."""
        return TAKING if self.state == "taking" else self.text

    def see(self, frame: CameraFrame) -> None:
        """Take the camera's next frame."""
        if self._begin is None:
            self._begin = frame.captured
            most = max(FEWEST, BYTES // frame.rgb.nbytes)
            self.count = min(self.count, most - 1 + most % 2)
        self._left = self.countdown - (frame.captured - self._begin)
        if self.over or self._left > 0:
            return
        self.state = "taking"
        self._taken.append(frame.rgb)
        if len(self._taken) >= self.count:
            self._finish()

    def _finish(self) -> None:
        taken, self._taken = self._taken, []
        self.reason = why_not_empty(taken)
        if self.reason:
            self.state = "refused"
        else:
            self.plate, self.state = median_of(taken), "done"


def median_of(frames: Sequence[Bytes]) -> Bytes:
    """Take the median over time of an odd number of frames, (H, W, 3) uint8 each.

    Its bits are found from the highest one on: a bit is 1 if more than half of the frames are at
    least that large. Eight passes, six times as fast as sorting.
    """
    found = np.zeros_like(frames[0])
    for bit in range(7, -1, -1):
        larger = found | np.uint8(1 << bit)
        count = np.zeros(found.shape, np.uint16)
        for frame in frames:
            count += frame >= larger
        found = np.where(count > len(frames) // 2, larger, found)
    return found


def why_not_empty(frames: Sequence[Bytes]) -> str:
    """Say why frames of a locked camera are not those of an empty scene; "" if they may be.

    What stands still all the while cannot be told from the scene. Changes of whole rows are those
    of flickering lamps, and no movement.
    """
    height, width = frames[0].shape[:2]
    size = (min(width, LOOK_SIZE), max(1, round(height * min(width, LOOK_SIZE) / width)))
    small = np.stack([cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in frames])
    apart = small.astype(np.float32) - np.median(small, 0).astype(np.float32)
    third = max(1, len(frames) // 3)
    drift = float(np.median(apart[-third:]) - np.median(apart[:third]))
    if abs(drift) > DRIFT_LEVELS:
        return (
            f"The light or the camera's exposure changed by {drift:+.0f} levels: "
            "lock the exposure, or wait until the light is steady."
        )
    moved = _moved_shares(apart)
    if moved.max() > MOVED_SHARE:
        return f"Something moved in {moved.max():.1%} of the picture: leave it, and keep it still."
    return ""


def _moved_shares(apart: npt.NDArray[np.float32]) -> npt.NDArray[np.floating]:
    """Give the share of pixels that moved in each frame.

    Args:
        apart: (N, h, w, 3) difference from the median over time, in levels.
    """
    local = np.abs(apart - np.median(apart, 2, keepdims=True)).max(3)
    noise = float(np.median(local))
    return np.asarray((local > max(MOVED_LEVELS, MOVED_NOISE * noise)).mean((1, 2)))
