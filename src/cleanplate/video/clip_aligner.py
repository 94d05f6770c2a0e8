"""The plate aligned with the frames of a clip: measured in full only where something changed.

A single picture has to be examined from nothing. In a clip the camera stands where it stood a
frame ago, so that each frame only needs a look at whether that still holds: a running estimate of
the exposure where the last matte was empty, and at strong edges whether plate and frame still lie
on each other. Every few frames corners are followed, which sees a tenth of a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Coded, Mask, Picture, Plane
from cleanplate.formats.pictures import shrink
from cleanplate.light import srgb_to_linear
from cleanplate.predict.alignment.aligned_plate import AlignedPlate
from cleanplate.predict.alignment.exposure import Exposure
from cleanplate.predict.alignment.health import smallest_movement
from cleanplate.predict.alignment.homography import scaled, warp
from cleanplate.predict.alignment.movement import track_movement
from cleanplate.predict.alignment.plate_aligner import PlateAligner
from cleanplate.predict.alignment.scaled_frame import ScaledFrame
from cleanplate.predict.alignment.thumbnail import PlateThumbnail, Uint8Image, grey_of
from cleanplate.predict.stage_timer import StageTimer

LOOK_SIZE = 160
"""Width in pixels at which a frame is looked at."""

FOLLOW_EVERY = 12
"""Frames between looks at the corners."""

FULL_EVERY = 250
"""Frames after which the plate is examined in full, whatever the looks say."""

FOLLOWING = 0.25
"""Share by which the running exposure goes to each frame's own: a lamp's flicker is averaged."""

EXPOSURE_STEP = 0.02
"""Natural logarithm of light by which the running exposure must differ from the one in use before
that is changed: each change costs the plate's network (five 8-bit levels at white)."""

DISTURBED = 1.7
"""By how many times the difference at edges may exceed its running mean."""

_FLOOR = 0.02
_MARGIN = 7
_EMPTY = 0.02
_FEWEST = 200
_DARK, _BRIGHT = 8, 247


@dataclass(frozen=True, eq=False)
class _Reference:
    """What a frame is compared with, at `LOOK_SIZE`.

    light: (h, w, 3) natural logarithm of the aligned plate's light, before exposure.
    usable: (h, w) bool, well exposed in the plate.
    edges: (h, w) bool, at strong edges of the plate.
    """

    light: npt.NDArray[np.float32]
    usable: Mask
    edges: Mask


class ClipAligner:
    """Aligns one plate with a clip's frames, in their order.

    full: numbers of the frames, from 0, that were examined in full.
    lost: whether the frame that was aligned last does not show the plate's scene.

    Args:
        aligner: of the same plate, for single frames.
    """

    def __init__(self, aligner: PlateAligner):
        self.full: list[int] = []
        self.lost = False
        self._aligner = aligner
        self._count = 0
        self._last: AlignedPlate | None = None
        self._reference: _Reference | None = None
        self._thumbnail: PlateThumbnail | None = None
        self._matte: Plane | None = None
        self._running = np.zeros(3)
        self._baseline: float | None = None

    def align(self, frame: ScaledFrame, timer: StageTimer) -> AlignedPlate:
        """Give the plate aligned with the next frame.

        Raises:
            CleanplateError: the plate is plainly not this frame's; the next frame is examined in
                full again.
        """
        number, self._count = self._count, self._count + 1
        with timer.stage("track"):
            plate = self._tracked(frame, number)
        if plate is None:
            self._last, self.lost = None, True
            self.full.append(number)
            plate = self._aligner.align(frame, timer)
            with timer.stage("track"):
                self._begin(plate)
        self._last, self.lost = plate, False
        return plate

    def saw(self, alpha: Plane) -> None:
        """Take the matte (h, w) of the frame that was aligned last: the next one goes by it."""
        self._matte = alpha

    def plate_changed(self, aligner: PlateAligner, plate: Coded | Picture) -> None:
        """Go on with a plate that differs a little, from the next frame on.

        Args:
            aligner: of the new plate.
            plate: (H, W, 3), of the same size.
        """
        self._aligner = aligner
        if self._last is not None:
            running, baseline = self._running, self._baseline
            self._last = replace(self._last, plate=plate)
            self._begin(self._last)
            self._running, self._baseline = running, baseline

    def _begin(self, plate: AlignedPlate) -> None:
        """Keep what the next frames are held against."""
        pixels = _small(self._aligner.thumbnail.pixels, plate)
        grey = grey_of(pixels).astype(np.float32)
        gradient = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
        usable = _well_exposed(pixels)
        edges = np.asarray(gradient > np.quantile(gradient, 0.8))
        self._reference = _Reference(_light(pixels), usable, edges)
        moved = plate.matrix is not None
        self._thumbnail = (
            PlateThumbnail(_warped(self._aligner.thumbnail.pixels, plate))
            if moved
            else self._aligner.thumbnail
        )
        self._running = np.zeros(3)
        self._baseline = None

    def _tracked(self, frame: ScaledFrame, number: int) -> AlignedPlate | None:
        """Give the plate as before, with its exposure followed; None = examine it in full."""
        last, reference = self._last, self._reference
        if last is None or reference is None or number - self.full[-1] >= FULL_EVERY:
            return None
        height, width = reference.usable.shape
        seen = frame.reduced((height, width))
        usable = reference.usable & _well_exposed(seen) & self._empty()
        good = np.flatnonzero(usable)
        if good.size < _FEWEST:
            return last  # the subject fills the picture: nothing can be measured
        exposure = last.exposure
        gain = np.log(np.asarray(exposure.gain, np.float32))
        before = np.take(reference.light.reshape(-1, 3), good, axis=0)
        differences = np.take(_light(seen).reshape(-1, 3), good, axis=0)
        differences -= exposure.gamma * before + gain
        drift = np.median(np.ascontiguousarray(differences.T), 1)
        at_edges = np.abs(differences[np.take(reference.edges, good)] - drift).mean(1)
        difference = float(np.median(at_edges)) if at_edges.size else 0.0
        if self._baseline is None:
            self._baseline = difference
        if difference > DISTURBED * self._baseline + _FLOOR:
            return None
        self._baseline += 0.1 * (difference - self._baseline)
        if number % FOLLOW_EVERY == 0 and self._moved(frame, last):
            return None
        return self._followed(last, drift)

    def _empty(self) -> Mask:
        """(h, w) at `LOOK_SIZE`, where the last matte and its surroundings hold nothing."""
        assert self._reference is not None
        size = self._reference.usable.shape
        if self._matte is None:
            return np.ones(size, np.bool_)
        alpha = cv2.resize(self._matte, size[::-1], interpolation=cv2.INTER_AREA)
        near = np.ones((2 * _MARGIN + 1,) * 2, np.uint8)
        return np.asarray(cv2.dilate(alpha, near) < _EMPTY)

    def _moved(self, frame: ScaledFrame, last: AlignedPlate) -> bool:
        thumbnail = self._thumbnail
        assert thumbnail is not None
        plate = np.asarray(last.exposure.apply(thumbnail.pixels), np.uint8)
        found = track_movement(
            grey_of(plate), grey_of(frame.thumbnail), thumbnail.corners, last.size
        )
        return found.measured and found.pixels > smallest_movement(last.size)

    def _followed(self, last: AlignedPlate, drift: npt.NDArray[np.floating]) -> AlignedPlate:
        """Change the exposure in use once the running one is a step away."""
        self._running += FOLLOWING * (drift - self._running)
        if np.abs(self._running).max() < EXPOSURE_STEP:
            return last
        before = np.log(last.exposure.gain)
        gain = np.round((before + self._running) / EXPOSURE_STEP) * EXPOSURE_STEP
        self._running -= gain - before
        red, green, blue = (float(value) for value in np.exp(gain))
        exposure: Exposure = replace(last.exposure, gain=(red, green, blue))
        return replace(last, health=replace(last.health, exposure=exposure))


def _well_exposed(pixels: Uint8Image) -> Mask:
    """(h, w) bool, where no channel is near black or white."""
    lowest, highest = (_DARK + 1,) * 3, (_BRIGHT - 1,) * 3
    return np.asarray(cv2.inRange(pixels, lowest, highest) > 0)


def _resized(pixels: Uint8Image) -> Uint8Image:
    height, width = pixels.shape[:2]
    size = (max(1, round(height * LOOK_SIZE / width)), LOOK_SIZE)
    return np.asarray(shrink(pixels, size), np.uint8)


def _warped(pixels: Uint8Image, plate: AlignedPlate) -> Uint8Image:
    if plate.matrix is None:
        return pixels
    coarse = scaled(plate.matrix, pixels.shape[1] / plate.size[1])
    return np.asarray(warp(pixels, coarse), np.uint8)


def _small(pixels: Uint8Image, plate: AlignedPlate) -> Uint8Image:
    return _resized(_warped(pixels, plate))


_LOG_LIGHT = np.log(np.maximum(srgb_to_linear(np.arange(256) / 255), 1e-4)).astype(np.float32)


def _light(pixels: Uint8Image) -> npt.NDArray[np.float32]:
    """Natural logarithm of linear light, (h, w, 3)."""
    return np.asarray(cv2.LUT(pixels, _LOG_LIGHT), np.float32)
