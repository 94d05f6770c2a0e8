"""Whether the plate fits the frame, measured before anything is predicted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Coded, Mask, Picture, Plane
from cleanplate.errors import CleanplateError
from cleanplate.pictures import resize, to_float, to_uint8
from cleanplate.predict.exposure import Exposure, match_exposure
from cleanplate.predict.landmarks import Landmarks
from cleanplate.predict.registration import (
    Matrix,
    Registration,
    covered,
    register,
    scaled,
    warp,
)
from cleanplate.predict.size import Size, working_size

SKETCH_SIZE = 512
"""Long side at which everything here is measured."""

FEATURES = 800

BLANK = 2.0
"""A picture whose levels (of 255), its noise smoothed away, span less than this shows nothing."""

ANOTHER_SCENE = 0.22
"""Refused if a smaller share of the picture agrees and no common view is found either."""

DOUBTFUL = 0.45
"""Warned of below this share."""

MOVED = 0.004
"""A movement of more than this share of the long side is worth `align`."""

DRIFT_STOPS = 0.5
DRIFT_WHITE = 0.15
SOFTER = 1.0
"""Drift of light in stops, of white balance as a share, of sharpness as log2, that is reported."""

_BLOCK = 16
_TEXTURE = 3.0
_SIMILAR = 0.7
_CLOSE = 10.0


@dataclass(frozen=True)
class Health:
    """What was measured, and what it means.

    size: (height, width) of the full pictures; movements are in their pixels.
    agreeing: share of the picture, in blocks, where frame and plate show the same.
    changed: the rest: the subject, its shadow, and what moved.
    sharpness: log2 of the frame's fine contrast over the plate's, where both show the same.
    refusal: why the plate is plainly wrong, or "".
    aligned: whether the plate was registered to the frame, so that movement does no harm.
    """

    size: Size
    registration: Registration
    exposure: Exposure
    agreeing: float
    sharpness: float
    refusal: str
    cure: str
    aligned: bool = False

    @property
    def changed(self) -> float:
        """Share of the picture that is not what the plate shows."""
        return 1 - self.agreeing

    @property
    def warnings(self) -> list[str]:
        """What is not good, in plain words; empty if all is well."""
        found = []
        moved = self.registration.moved
        if moved > MOVED * max(self.size) and not self.aligned:
            found.append(f"the camera moved: the plate lies up to {moved:.0f} px off; use --align")
        if not self.refusal and self.agreeing < DOUBTFUL and not self.registration.trusted:
            found.append(
                f"only {self.agreeing:.0%} of the picture agrees with the plate: "
                "make sure that it shows this scene"
            )
        if abs(self.exposure.stops) > DRIFT_STOPS:
            found.append(f"the exposure differs by {self.exposure.stops:+.1f} stops")
        if self.exposure.white_balance > DRIFT_WHITE:
            found.append(f"the white balance differs by {self.exposure.white_balance:.0%}")
        if abs(self.sharpness) > SOFTER:
            found.append(f"the {'plate' if self.sharpness > 0 else 'frame'} is clearly softer")
        return found

    @property
    def verdict(self) -> str:
        """One of "good", "usable", "wrong"."""
        if self.refusal:
            return "wrong"
        return "usable" if self.warnings else "good"

    def as_report(self) -> dict[str, Any]:
        """Plain numbers and words for the report."""
        return {
            "verdict": self.verdict,
            "refusal": self.refusal or None,
            "warnings": self.warnings,
            "moved_px": round(self.registration.moved, 2),
            "matches": self.registration.inliers,
            "match_share": round(self.registration.share, 3),
            "agreeing_share": round(self.agreeing, 3),
            "changed_share": round(self.changed, 3),
            "exposure": self.exposure.as_report(),
            "sharpness_log2": round(self.sharpness, 3),
        }

    def demand(self) -> None:
        """Raise a `CleanplateError` if the plate is plainly wrong."""
        if self.refusal:
            raise CleanplateError(
                self.refusal, cure=f"{self.cure} (--force, in Python force=True, goes on anyway)"
            )


def sketch(picture: Coded | Picture, long_side: int = SKETCH_SIZE) -> npt.NDArray[np.uint8]:
    """Shrink a picture to (h, w, 3) uint8 with at most `long_side` pixels a side."""
    small = resize(picture, working_size(picture.shape[:2], long_side))
    return small if small.dtype == np.uint8 else to_uint8(to_float(small))


def examine(
    plate: npt.NDArray[np.uint8],
    frame: npt.NDArray[np.uint8],
    size: Size,
    landmarks: Landmarks | None = None,
) -> Health:
    """Measure how well `plate` fits `frame`, both from `sketch` and of one size.

    Args:
        plate: (h, w, 3) uint8.
        frame: (h, w, 3) uint8.
        size: (height, width) of the full pictures.
        landmarks: the plate's, if they are at hand.
    """
    for picture, name in ((plate, "plate"), (frame, "frame")):
        if _span(picture) < BLANK:
            return Health(
                size, Registration(), Exposure(), 0.0, 0.0,
                f"the {name} is blank: it shows one even colour",
                f"give a {name} that shows the scene",
            )  # fmt: skip
    landmarks = landmarks or Landmarks.of(plate, FEATURES)
    found = register(landmarks, Landmarks.of(frame, FEATURES), size, refine=False)
    best = _compare(plate, frame, None)
    if found.trusted and found.kind != "none":
        moved = _compare(plate, frame, scaled(found.matrix, plate.shape[1] / size[1]))
        best = max(best, moved, key=lambda one: one[0])
    agreeing, sharpness, exposure = best
    refusal = ""
    if agreeing < ANOTHER_SCENE and not found.trusted:
        refusal = (
            f"this is not the frame's plate: only {agreeing:.0%} of the picture agrees and no "
            "common view was found"
        )
    return Health(
        size, found, exposure, agreeing, sharpness, refusal,
        "give the empty picture of the same scene, taken by the same camera from the same place",
    )  # fmt: skip


def _compare(
    plate: npt.NDArray[np.uint8], frame: npt.NDArray[np.uint8], matrix: Matrix | None
) -> tuple[float, float, Exposure]:
    """Share of agreeing blocks, sharpness difference on them, and the exposure drift."""
    usable = None
    if matrix is not None:
        plate = np.asarray(warp(plate, matrix), np.uint8)
        usable = covered((plate.shape[0], plate.shape[1]), matrix)
    exposure = match_exposure(plate, frame, usable)
    same_light = np.asarray(exposure.apply(plate), np.uint8)
    agree = agreeing_blocks(same_light, frame)
    fine = [
        np.asarray(cv2.Laplacian(_grey(p), cv2.CV_32F, ksize=1) ** 2, np.float32)
        for p in (same_light, frame)
    ]
    energy = [float(_blocks(f)[agree].mean()) if agree.any() else 0.0 for f in fine]
    # A level's worth of quantisation noise is added, so that two flat pictures count as equal.
    sharpness = 0.5 * float(np.log2((energy[1] + 4) / (energy[0] + 4)))
    return float(agree.mean()), sharpness, exposure


def agreeing_blocks(plate: npt.NDArray[np.uint8], frame: npt.NDArray[np.uint8]) -> Mask:
    """Find the blocks of 16 pixels in which both show the same: (rows, columns), True there.

    Where either has texture, the normalised correlation of brightness counts; where both are
    flat, their colour.
    """
    soft_plate, soft_frame = (
        np.asarray(cv2.GaussianBlur(_grey(p), (0, 0), 1.2), np.float32) for p in (plate, frame)
    )
    mean_plate, mean_frame = _blocks(soft_plate), _blocks(soft_frame)
    var_plate = _blocks(soft_plate**2) - mean_plate**2
    var_frame = _blocks(soft_frame**2) - mean_frame**2
    both = _blocks(soft_plate * soft_frame) - mean_plate * mean_frame
    similar = both / np.sqrt(np.maximum(var_plate, 1e-3) * np.maximum(var_frame, 1e-3)) > _SIMILAR
    textured = np.maximum(var_plate, var_frame) > _TEXTURE**2
    apart = cv2.absdiff(cv2.blur(plate, (3, 3)), cv2.blur(frame, (3, 3))).max(axis=2)
    close = _blocks(apart.astype(np.float32)) < _CLOSE
    return np.where(textured, similar, close)


def _blocks(plane: Plane) -> Plane:
    """Means over whole blocks; a picture smaller than a block is one block."""
    rows, columns = (max(1, side // _BLOCK) for side in plane.shape)
    high, wide = min(plane.shape[0], rows * _BLOCK), min(plane.shape[1], columns * _BLOCK)
    cells = plane[:high, :wide].reshape(rows, high // rows, columns, wide // columns)
    return np.asarray(cells.mean(axis=(1, 3), dtype=np.float32))


def _span(picture: npt.NDArray[np.uint8]) -> float:
    """Between which levels (1st to 99th percentile, widest channel) the smoothed picture lies."""
    soft = cv2.blur(picture.astype(np.float32), (9, 9)).reshape(-1, 3)
    low, high = np.percentile(soft, [1, 99], axis=0)
    return float((high - low).max())


def _grey(picture: npt.NDArray[np.uint8]) -> Plane:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
