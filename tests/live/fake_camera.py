"""A camera in simulated time, and the newest frame of it without a thread."""

from __future__ import annotations

import numpy as np

from cleanplate.live.camera import CameraFrame
from cleanplate.live.newest_frame import NewestFrame

RATE = 30.0


class Clock:
    """Seconds that pass only when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class FakeCamera:
    """Frame k is captured k / 30 seconds after the first."""

    name, rate = "fake", RATE

    def __init__(self, pictures: list[np.ndarray], clock: Clock):
        self.size = pictures[0].shape[:2]
        self.notes: list[str] = []
        self.closed = False
        self.pictures, self.clock = pictures, clock
        self.begin, self.count = clock.now, 0

    @property
    def due(self) -> float:
        return self.begin + self.count / RATE

    @property
    def is_over(self) -> bool:
        return self.count >= len(self.pictures)

    def read(self) -> CameraFrame | None:
        if self.is_over:
            return None
        frame = CameraFrame(self.pictures[self.count], self.count, self.due)
        self.count += 1
        return frame

    def lock(self) -> list[str]:
        return []

    def close(self) -> None:
        self.closed = True


class SimulatedNewest(NewestFrame):
    """What the thread would have read by now is read when a frame is taken."""

    def take(self, timeout: float | None = None) -> CameraFrame | None:
        camera = self._camera
        while not camera.is_over and camera.due <= camera.clock.now:
            self.put(camera.read())
        if self._waiting is None and not camera.is_over:
            camera.clock.now = camera.due
            self.put(camera.read())
        self._over = camera.is_over
        return super().take(0)

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self._camera.close()
