"""A virtual camera, which other programs see as a webcam, through pyvirtualcam.

pyvirtualcam is GPL-2.0, so that no extra of Cleanplate brings it; it is used if it is there.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from cleanplate.arrays import Bytes
from cleanplate.errors import CleanplateError
from cleanplate.predict.size import Size

INSTALL = "pip install pyvirtualcam"


class VirtualCamera:
    """Sends frames to the system's virtual camera.

    name: of the device.

    Args:
        size: (height, width) of the frames.
        rate: frames per second that are announced.

    Raises:
        CleanplateError: pyvirtualcam or the device is missing.
    """

    def __init__(self, size: Size, rate: float):
        try:
            library: Any = import_module("pyvirtualcam")
        except ModuleNotFoundError as error:
            raise CleanplateError(
                "a virtual camera needs pyvirtualcam, which is not installed",
                cure=f"{INSTALL}   (its licence is the GPL-2.0)",
            ) from error
        try:
            self._camera = library.Camera(
                width=size[1], height=size[0], fps=rate, fmt=library.PixelFormat.RGB
            )
        except RuntimeError as error:
            raise CleanplateError(
                f"there is no virtual camera to write to: {error}",
                cure="Linux: sudo modprobe v4l2loopback. Windows and macOS: install OBS and start "
                "its virtual camera once.",
            ) from error
        self.name = str(self._camera.device)

    def send(self, picture: Bytes) -> None:
        """Send (H, W, 3) uint8 RGB of the camera's size."""
        self._camera.send(picture)

    def close(self) -> None:
        """Give the device back."""
        self._camera.close()
