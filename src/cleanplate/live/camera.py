"""A camera as the live loop sees it, and how one is opened."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cleanplate.arrays import Bytes
from cleanplate.errors import CleanplateError
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


def open_camera(
    source: str | int | Path,
    *,
    size: Size | None = None,
    rate: float | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Camera:
    """Open a camera, or a clip that is played in real time as a camera would.

    Args:
        source: the number of a camera (0 = the first), a device ("/dev/video0"), an address
            ("rtsp://..."), or a video file.
        size: (height, width) that is asked of a camera; it may give another one.
        rate: frames per second, likewise; of a clip, in place of its own.
        clock: seconds, of which frames get their time.

    Raises:
        CleanplateError: there is no such camera, or it gives no frame.
    """
    name = str(source)
    is_device = re.fullmatch(r"\d+", name) or name.startswith("/dev/") or "://" in name
    if not is_device and Path(name).exists():
        from cleanplate.live.paced_camera import open_clip_camera

        return open_clip_camera(Path(name), rate=rate, clock=clock)
    if not is_device:
        raise CleanplateError(
            "there is no such camera or video file",
            file=name,
            cure="Give a camera's number (0 is the first), its device (/dev/video0), an address "
            "(rtsp://...) or a video file.",
        )
    from cleanplate.live.video_capture import CapturedCamera

    return CapturedCamera(name, size=size, rate=rate, clock=clock)
