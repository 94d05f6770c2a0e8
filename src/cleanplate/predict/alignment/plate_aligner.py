"""Alignment of one plate with frames: plate health, registration and exposure."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Protocol

from cleanplate.arrays import Coded, Picture
from cleanplate.predict.alignment.aligned_plate import AlignedPlate
from cleanplate.predict.alignment.health import Health
from cleanplate.predict.alignment.health_measurement import measure_health, measure_registered
from cleanplate.predict.alignment.keypoints import Keypoints
from cleanplate.predict.alignment.registration import (
    REGISTRATION_SIZE,
    Align,
    Registration,
    register,
)
from cleanplate.predict.alignment.scaled_frame import ScaledFrame
from cleanplate.predict.alignment.thumbnail import PlateThumbnail, blockiness, thumbnail
from cleanplate.predict.stage_timer import StageTimer


class FrameAligner(Protocol):
    """What gives a plate aligned with a frame: `PlateAligner`, or one that follows a clip."""

    def align(self, frame: ScaledFrame, timer: StageTimer) -> AlignedPlate:
        """Align the plate with a frame of its size; see `PlateAligner.align`."""
        ...


class PlateAligner:
    """One plate, with what is measured on it alone computed once. Threads may share it.

    Args:
        plate: (H, W, 3) sRGB: uint8, uint16, or float32 in [0, 1].
        align: when the plate is registered.
        force: align also a plate that is plainly not the frame's.
    """

    def __init__(self, plate: Coded | Picture, align: Align = "auto", *, force: bool = False):
        self._plate = plate
        self._align = align
        self._force = force
        self._size = plate.shape[0], plate.shape[1]
        self.thumbnail = PlateThumbnail.of(plate)
        self._lock = threading.Lock()
        self._keypoints: Keypoints | None = None

    def align(self, frame: ScaledFrame, timer: StageTimer) -> AlignedPlate:
        """Measure how the plate fits a frame of its size, and register it where that is wanted.

        Raises:
            CleanplateError: the plate is plainly not this frame's, and `force` is off.
        """
        with timer.stage("health"):
            blocks = blockiness(frame.pixels.rgb)
            health = measure_health(self.thumbnail, frame.thumbnail, self._size, blocks)
            if not self._force:
                health.raise_if_unusable()
        with timer.stage("register"):
            wanted = health.moved if self._align == "auto" else self._align == "on"
            if not wanted:
                return AlignedPlate(self._plate, health)
            return self._registered(frame, health)

    def _registered(self, frame: ScaledFrame, health: Health) -> AlignedPlate:
        """Register the plate, and measure again what depends on where it lies."""
        with self._lock:
            if self._keypoints is None:
                self._keypoints = _keypoints(self._plate)
        found: Registration = register(self._keypoints, _keypoints(frame.pixels.rgb), self._size)
        if found.moves:
            health = measure_registered(health, self.thumbnail, frame.thumbnail, found.matrix)
        return AlignedPlate(self._plate, replace(health, aligned=found.trusted), found)


def _keypoints(picture: Coded | Picture) -> Keypoints:
    return Keypoints.of(thumbnail(picture, REGISTRATION_SIZE))
