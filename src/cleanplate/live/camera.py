"""A camera as the live loop sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cleanplate.arrays import Bytes
from cleanplate.predict.size import Size


@dataclass(frozen=True, eq=False)
class CameraFrame:
    """One frame of a camera.

    rgb: (H, W, 3) uint8, sRGB-coded.
    number: of the frame, from 0; numbers that are left out were dropped by the camera.
    captured: when it was captured, in seconds of `time.perf_counter`.
    """

    rgb: Bytes
    number: int
    captured: float


class Camera(Protocol):
    """What gives frames in real time.

    name: for people.
    size: (height, width) of its frames.
    rate: frames per second that it promises.
    notes: sentences on what it could not do as wished.
    """

    name: str
    size: Size
    rate: float
    notes: list[str]

    def read(self) -> CameraFrame | None:
        """Wait for the next frame; None = it has ended.

        Raises:
            CleanplateError: it gives no more frames, and should.
        """

    def lock(self) -> list[str]:
        """Fix exposure, white balance and focus where they stand; say what could not be fixed."""

    def close(self) -> None:
        """Let go of the camera."""
