"""Baselines: predictors without a network, such as frame differencing and MOG2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Coded, Mask, Plane
from cleanplate.formats.pictures import as_uint8, to_uint8
from cleanplate.pairs.protocols import PairPredictor, PlainPrediction

Eight = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class FixedDifference:
    """Alpha is 1 where any channel differs by more than `threshold`, of 255.

    The mask is filtered by a 3 x 3 median and closed by an ellipse of 5 pixels. The plate's depth
    is not used; no depth is predicted.
    """

    threshold: int = 25
    name: str = "difference"

    def scene(self, plate: Coded, depth: Plane | None = None) -> PlateScene:
        """Return a scene of the plate."""
        del depth
        return PlateScene(as_uint8(plate), self._compare)

    def _compare(self, plate: Eight, frame: Eight) -> PlainPrediction:
        mask = (cv2.absdiff(plate, frame).max(axis=2) > self.threshold).astype(np.uint8)
        return PlainPrediction(_cleaned(mask, 5))


@dataclass(frozen=True)
class AlignedDifference:
    """Difference after registration and gain matching, with Otsu's threshold.

    Registration: ORB features, a similarity by RANSAC, refined by ECC (Evangelidis and Psarakis
    2008). Gain: the median ratio per channel. The threshold is Otsu's, but at least `lowest` of
    255, because Otsu's method splits noise too. The mask is filtered by a 3 x 3 median and closed
    by an ellipse of 9 pixels.
    """

    lowest: int = 12
    name: str = "aligned difference"

    def scene(self, plate: Coded, depth: Plane | None = None) -> PlateScene:
        """Return a scene of the plate."""
        del depth
        return PlateScene(as_uint8(plate), self._compare)

    def _compare(self, plate: Eight, frame: Eight) -> PlainPrediction:
        moved, covered = _registered(plate, frame)
        scaled = moved * (_gain(moved, frame, covered) / np.float32(255))
        matched = to_uint8(np.clip(scaled, 0, 1))
        smooth = (cv2.GaussianBlur(picture, (3, 3), 0) for picture in (matched, frame))
        difference = cv2.absdiff(*smooth).max(axis=2)
        difference[~covered] = 0
        cut, _ = cv2.threshold(difference, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        mask = (difference > max(cut, self.lowest)).astype(np.uint8)
        return PlainPrediction(_cleaned(mask, 9))


@dataclass(frozen=True)
class MOG2:
    """OpenCV's mixture of Gaussians (Zivkovic 2004), fitted to the plate alone.

    Its shadow class is background. `var_threshold` is the squared Mahalanobis distance beyond
    which a pixel is foreground; OpenCV's default is 16, for a model fitted to many frames.
    """

    var_threshold: float = 30.0
    name: str = "mog2"

    def scene(self, plate: Coded, depth: Plane | None = None) -> PlateScene:
        """Return a scene of the plate."""
        del depth
        return PlateScene(as_uint8(plate), self._compare)

    def _compare(self, plate: Eight, frame: Eight) -> PlainPrediction:
        model = cv2.createBackgroundSubtractorMOG2(
            history=1, varThreshold=self.var_threshold, detectShadows=True
        )
        model.apply(plate, learningRate=1)
        return PlainPrediction((model.apply(frame, learningRate=0) == 255).astype(np.float32))


@dataclass(frozen=True)
class ConstantDisparity:
    """Depth only: constant disparity."""

    name: str = "constant"

    def scene(self, plate: Coded, depth: Plane | None = None) -> PlateScene:
        """Return a scene of the plate."""
        del depth
        return PlateScene(
            as_uint8(plate),
            lambda _, frame: PlainPrediction(None, np.ones(frame.shape[:2], np.float32)),
        )


@dataclass(frozen=True)
class RowDisparity:
    """Depth only: disparity grows linearly with the row, from 0 at the top."""

    name: str = "row"

    def scene(self, plate: Coded, depth: Plane | None = None) -> PlateScene:
        """Return a scene of the plate."""
        del depth
        return PlateScene(as_uint8(plate), lambda _, frame: PlainPrediction(None, _rows(frame)))


@dataclass(frozen=True)
class PlateScene:
    """A plate in 8 bits, with the function that compares a frame to it."""

    plate: Eight
    compare: Callable[[Eight, Eight], PlainPrediction]

    def predict(self, frame: Coded, /) -> PlainPrediction:
        """Predict from one frame, (H, W, 3)."""
        return self.compare(self.plate, as_uint8(frame))


BASELINES: Mapping[str, Callable[[], PairPredictor]] = MappingProxyType(
    {
        "difference": FixedDifference,
        "aligned": AlignedDifference,
        "mog2": MOG2,
        "constant": ConstantDisparity,
        "row": RowDisparity,
    }
)
"""Name on the command line -> baseline."""


def _cleaned(mask: Eight, reach: int) -> Plane:
    """Filter by a 3 x 3 median, then close by an ellipse of `reach` pixels."""
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    closed = cv2.morphologyEx(cv2.medianBlur(mask, 3), cv2.MORPH_CLOSE, ellipse)
    return closed.astype(np.float32)


def _rows(frame: Eight) -> Plane:
    height, width = frame.shape[:2]
    rows = np.arange(height, dtype=np.float32) / height
    return np.ascontiguousarray(np.broadcast_to(rows[:, None], (height, width)))


def _registered(plate: Eight, frame: Eight) -> tuple[Eight, Mask]:
    """Warp the plate onto the frame; also return the mask of pixels that it covers."""
    grey_plate, grey_frame = _grey(plate), _grey(frame)
    inside = np.full(plate.shape[:2], 255, np.uint8)
    # From frame to plate coordinates, the direction that `warpAffine` needs.
    matrix = _similarity(grey_frame, grey_plate)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-5)
    # ECC fails on pictures without texture; the result of the features is kept then.
    with suppress(cv2.error):
        _, refined = cv2.findTransformECC(
            grey_frame, grey_plate, matrix.copy(), cv2.MOTION_AFFINE, criteria, inside, 5
        )
        matrix = np.asarray(refined, np.float32)
    size = frame.shape[1::-1]
    moved = cv2.warpAffine(
        plate,
        matrix,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    reach = cv2.warpAffine(inside, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return np.asarray(moved, np.uint8), np.asarray(reach == 255)


def _similarity(source: Eight, target: Eight) -> npt.NDArray[np.float32]:
    """Estimate the similarity from source to target, (2, 3); the identity if that fails."""
    identity = np.eye(2, 3, dtype=np.float32)
    orb = cv2.ORB.create(nfeatures=1500)
    points, descriptors = orb.detectAndCompute(source, None)  # type: ignore[call-overload, unused-ignore]
    other_points, other_descriptors = orb.detectAndCompute(target, None)  # type: ignore[call-overload, unused-ignore]
    if descriptors is None or other_descriptors is None:
        return identity
    matches = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(descriptors, other_descriptors)
    if len(matches) < 12:
        return identity
    here = np.array([points[match.queryIdx].pt for match in matches], np.float32)
    there = np.array([other_points[match.trainIdx].pt for match in matches], np.float32)
    # OpenCV's RANSAC uses its own random generator; the seed makes the baseline reproducible.
    cv2.setRNGSeed(0)
    matrix, inliers = cv2.estimateAffinePartial2D(here, there, ransacReprojThreshold=2.0)
    if matrix is None or np.count_nonzero(inliers) < 12:
        return identity
    return np.asarray(matrix, np.float32)


def _gain(plate: Eight, frame: Eight, covered: Mask) -> npt.NDArray[np.float32]:
    """Compute the median ratio of frame to plate per channel, without dark and clipped pixels."""
    gains = []
    for channel in range(3):
        one, other = plate[..., channel][covered], frame[..., channel][covered]
        usable = (one > 20) & (one < 235) & (other > 20) & (other < 250)
        ratio = other[usable].astype(np.float32) / one[usable]
        gains.append(float(np.median(ratio)) if ratio.size else 1.0)
    return np.array(gains, np.float32)


def _grey(picture: Eight) -> Eight:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
