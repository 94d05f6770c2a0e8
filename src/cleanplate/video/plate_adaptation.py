"""A plate that follows slow changes of its scene where nothing stands before it.

Daylight moves, lamps warm up. The running exposure follows what changes everywhere alike; this
follows what changes in places. Only pixels without a subject nearby are followed, and only where
frame and plate differ little: an object that was put down differs much, and stays a subject.
"""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.arrays import Coded, Mask, Picture, Plane
from cleanplate.formats.pictures import to_float, to_uint8, to_uint16
from cleanplate.predict.alignment.aligned_plate import AlignedPlate
from cleanplate.predict.alignment.homography import covered, warp

EVERY = 25
"""Frames from one look to the next."""

MARGIN = 0.02
"""Distance from a subject, as a share of the long side, within which nothing is followed."""

LIMIT = 10 / 255
"""Largest difference, smoothed, that is followed; of the coded value."""

_EMPTY = 0.02
_SMOOTHING = 5


class AdaptivePlate:
    """Follows a plate through the frames of a clip.

    Args:
        plate: (H, W, 3) sRGB: uint8, uint16, or float32 in [0, 1].
        frames: in which a change is followed by 63 % (one time constant).
    """

    def __init__(self, plate: Coded | Picture, frames: float):
        self._dtype = plate.dtype
        self._plate = to_float(plate).copy()
        self._share = 1 - np.exp(-EVERY / frames)
        self._count = 0

    def saw(
        self, frame: Coded | Picture, alpha: Plane, aligned: AlignedPlate
    ) -> Coded | Picture | None:
        """Take a frame and its matte; give the plate if it was changed now, else None.

        Args:
            frame: (H, W, 3) sRGB.
            alpha: (H, W).
            aligned: the plate as it is aligned with the frame.
        """
        self._count += 1
        if self._count % EVERY:
            return None
        seen, empty = to_float(frame), _far_from_subjects(alpha)
        if aligned.matrix is not None:
            back = np.asarray(np.linalg.inv(aligned.matrix), np.float64)
            inside = covered(aligned.size, back)
            seen = to_float(warp(seen, back))
            empty = inside & (warp(empty.astype(np.float32), back) > 0.99)
        seen = aligned.exposure.inverse().apply_float(seen)
        difference = seen - self._plate
        window = (_SMOOTHING, _SMOOTHING)
        near = (np.abs(cv2.blur(difference, window)) < LIMIT).all(2)
        follow = (empty & near).astype(np.uint8)
        if not follow.any():
            return None
        cv2.accumulateWeighted(seen, self._plate, float(self._share), follow)
        if self._dtype == np.uint8:
            return to_uint8(self._plate)
        return to_uint16(self._plate) if self._dtype == np.uint16 else self._plate.copy()


def _far_from_subjects(alpha: Plane) -> Mask:
    reach = max(1, round(MARGIN * max(alpha.shape)))
    near = np.ones((2 * reach + 1,) * 2, np.uint8)
    return np.asarray(cv2.dilate((alpha >= _EMPTY).astype(np.uint8), near) == 0)
