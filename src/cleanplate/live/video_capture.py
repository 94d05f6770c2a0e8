"""A camera through OpenCV: V4L2, AVFoundation, DirectShow, or a stream through FFmpeg."""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np

from cleanplate.errors import CleanplateError
from cleanplate.live.camera import CameraFrame
from cleanplate.predict.size import Size

RATE = 30.0
"""Frames per second of a camera that does not say."""

SETTLING = 20
"""Frames in which automatic exposure and white balance settle."""

_MANUAL, _AUTOMATIC = {"V4L2": 1.0}, {"V4L2": 3.0}
"""Values of the property for manual and automatic exposure (V4L2: its menu); elsewhere OpenCV's
own, 0.25 and 0.75."""

_BELIEVED = 1.0
"""A driver's time stamp is used if it lies at most so many seconds back."""


class CapturedCamera:
    """A camera that OpenCV opens.

    Args:
        source: number, device or address.
        size: (height, width) that is asked for; None = as the driver likes.
        rate: frames per second that are asked for.
        clock: seconds, of which frames get their time where the driver gives none.

    Raises:
        CleanplateError: it cannot be opened, or gives no frame.
    """

    def __init__(
        self,
        source: str,
        *,
        size: Size | None = None,
        rate: float | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ):
        self.name = source
        self.notes: list[str] = []
        self._clock = clock
        self._capture = cv2.VideoCapture(int(source) if source.isdigit() else source)
        if not self._capture.isOpened():
            raise CleanplateError(
                "the camera cannot be opened",
                file=source,
                cure="Check that it is plugged in, that no other program uses it, and that you may "
                "read it (on Linux the group `video`).",
            )
        if size is not None:
            self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[0])
            self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[1])
        if rate is not None:
            self._capture.set(cv2.CAP_PROP_FPS, rate)
        self._number = 0
        try:
            first = self.read()
        except CleanplateError:
            self._capture.release()
            raise
        self.size = (first.rgb.shape[0], first.rgb.shape[1])
        told = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = float(told) if 1 <= told <= 1000 else rate or RATE
        if size is not None and size != self.size:
            self.notes.append(
                f"the camera gives {self.size[1]} x {self.size[0]}, not {size[1]} x {size[0]}"
            )

    def read(self) -> CameraFrame:
        """Wait for the next frame.

        Raises:
            CleanplateError: there is none.
        """
        if not self._capture.grab():
            raise self._ended()
        captured = self._time()
        given, picture = self._capture.retrieve()
        if not given:
            raise self._ended()
        rgb = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
        frame = CameraFrame(rgb, self._number, captured)
        self._number += 1
        return frame

    def lock(self) -> list[str]:
        """Fix exposure, white balance and focus where they stand; say what could not be fixed.

        Automatic control gets `SETTLING` frames to find its values first.
        """
        for _ in range(SETTLING):
            self.read()
        backend = self._capture.getBackendName()
        exposure = self._capture.get(cv2.CAP_PROP_EXPOSURE)
        manual = _MANUAL.get(backend, 0.25)
        found = []
        if self._holds(cv2.CAP_PROP_AUTO_EXPOSURE, manual):
            self._capture.set(cv2.CAP_PROP_EXPOSURE, exposure)
        else:
            self._capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, _AUTOMATIC.get(backend, 0.75))
            found.append("its exposure cannot be locked here")
        balance = self._capture.get(cv2.CAP_PROP_WB_TEMPERATURE)
        if self._holds(cv2.CAP_PROP_AUTO_WB, 0.0):
            if balance > 0:
                self._capture.set(cv2.CAP_PROP_WB_TEMPERATURE, balance)
        else:
            found.append("its white balance cannot be locked here")
        self._holds(cv2.CAP_PROP_AUTOFOCUS, 0.0)  # many cameras have a fixed focus
        return found

    def close(self) -> None:
        """Let go of the camera."""
        self._capture.release()

    def _holds(self, prop: int, value: float) -> bool:
        """Set a property; whether the driver says that it has the value then."""
        return bool(self._capture.set(prop, value) and self._capture.get(prop) == value)

    def _time(self) -> float:
        """When the frame was captured: the driver's time stamp if it is of this clock."""
        now = self._clock()
        stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        return float(stamp) if 0 <= now - stamp <= _BELIEVED and stamp > 0 else now

    def _ended(self) -> CleanplateError:
        return CleanplateError(
            "the camera gives no frames",
            file=self.name,
            cure="Check its cable, and that no other program uses it.",
        )
