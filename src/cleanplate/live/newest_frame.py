"""The newest frame of a camera: read on a thread, and replaced while nobody takes it.

At most one frame waits, so that latency does not grow where the loop is slower than the camera.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from cleanplate.live.camera import Camera, CameraFrame


class NewestFrame:
    """Reads a camera on a thread of its own; a context manager.

    read: frames that the camera gave.
    replaced: of these, frames that nobody took before the next one came.
    ended: whether the camera has no more frames and the last one was taken.

    Args:
        camera: it is closed at the end of the block.
    """

    def __init__(self, camera: Camera):
        self.read = 0
        self.replaced = 0
        self._camera = camera
        self._changed = threading.Condition()
        self._waiting: CameraFrame | None = None
        self._over = False
        self._error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)

    @property
    def ended(self) -> bool:
        """Whether nothing comes any more."""
        with self._changed:
            return self._over and self._waiting is None

    def take(self, timeout: float | None = None) -> CameraFrame | None:
        """Take the newest frame, waiting for one that was not taken yet.

        Args:
            timeout: seconds to wait at most; None = as long as it takes.

        Returns:
            the frame; None if there is none in time, or the camera has ended.

        Raises:
            Exception: what the camera raised.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting is not None or self._over, timeout)
            frame, self._waiting = self._waiting, None
            if frame is None and self._error is not None:
                raise self._error
            return frame

    def put(self, frame: CameraFrame) -> None:
        """Take over a frame of the camera; the one that waits is replaced."""
        with self._changed:
            self.read += 1
            self.replaced += self._waiting is not None
            self._waiting = frame
            self._changed.notify_all()

    def __enter__(self) -> Self:
        """Begin to read."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End reading, after the frame that the camera is at, and close it."""
        self._stop.set()
        self._thread.join()
        self._camera.close()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                frame = self._camera.read()
                if frame is None:
                    break
                self.put(frame)
        except BaseException as error:  # raised again where frames are taken
            self._error = error
        with self._changed:
            self._over = True
            self._changed.notify_all()
