"""Opening a camera by its number, device or address, or a video file in its place."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from cleanplate.errors import CleanplateError
from cleanplate.live.camera import Camera
from cleanplate.live.paced_camera import open_clip_camera
from cleanplate.live.video_capture import CapturedCamera
from cleanplate.predict.size import Size


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
        return open_clip_camera(Path(name), rate=rate, clock=clock)
    if not is_device:
        raise CleanplateError(
            "there is no such camera or video file",
            file=name,
            cure="Give a camera's number (0 is the first), its device (/dev/video0), an address "
            "(rtsp://...) or a video file.",
        )
    return CapturedCamera(name, size=size, rate=rate, clock=clock)
