"""Depth and disparity conversion, scale-and-shift alignment, colour maps and point clouds.

Depth is planar depth, the distance along the optical axis, in metres: +inf where nothing is hit.
Disparity is 1 / depth in 1/m: 0 at infinity. NaN means unknown in both. Integer arrays are depth
in millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Mask, Plane
from cleanplate.depth.depth_codec import metres
from cleanplate.errors import CleanplateError


class Intrinsics(NamedTuple):
    """Pinhole camera intrinsics in pixels of the stored size; pixel centres at integers + 0.5.

    Attributes:
        fx: focal length in pixel widths.
        fy: focal length in pixel heights.
        cx: column of the principal point.
        cy: row of the principal point.
    """

    fx: float
    fy: float
    cx: float
    cy: float

    def scaled(self, sx: float, sy: float) -> Intrinsics:
        """Return the intrinsics of the picture resized by `sx` in width and `sy` in height.

        Examples:
            >>> Intrinsics(500.0, 500.0, 320.0, 240.0).scaled(0.5, 0.5)  # every entry is halved
            Intrinsics(fx=250.0, fy=250.0, cx=160.0, cy=120.0)
        """
        return Intrinsics(self.fx * sx, self.fy * sy, self.cx * sx, self.cy * sy)

    def cropped(self, x: float, y: float) -> Intrinsics:
        """Return the intrinsics after cropping `x` columns on the left and `y` rows at the top.

        Examples:
            >>> Intrinsics(500.0, 500.0, 320.0, 240.0).cropped(20, 40)  # 320 - 20 and 240 - 40
            Intrinsics(fx=500.0, fy=500.0, cx=300.0, cy=200.0)
        """
        return Intrinsics(self.fx, self.fy, self.cx - x, self.cy - y)

    def flipped(self, width: float) -> Intrinsics:
        """Return the intrinsics of the picture, `width` pixels wide, mirrored left to right.

        Examples:
            >>> Intrinsics(500.0, 500.0, 300.0, 240.0).flipped(640)  # cx = 640 - 300
            Intrinsics(fx=500.0, fy=500.0, cx=340.0, cy=240.0)
        """
        return Intrinsics(self.fx, self.fy, width - self.cx, self.cy)


def depth_to_disparity(depth: Plane) -> Plane:
    """Convert depth to disparity in 1/m: +inf becomes 0; NaN, zero and negative become NaN.

    Args:
        depth: any shape; floats in metres or integers in millimetres (`docs/depth.md`).

    Returns:
        float32 of the same shape.

    Raises:
        CleanplateError: if the array has 8-bit integers or no numbers.

    Examples:
        >>> depth = np.array([[2.0, np.inf, -1.0]], np.float32)
        >>> depth_to_disparity(depth).tolist()  # 1 / 2, 1 / inf, not a depth
        [[0.5, 0.0, nan]]
        >>> depth_to_disparity(np.array([[500]], np.uint16)).tolist()  # 1 / 0.5 m
        [[2.0]]
    """
    depth = metres(np.asarray(depth))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(depth > 0, np.float32(1) / depth, np.float32(np.nan))


def disparity_to_depth(disparity: Plane) -> Plane:
    """Convert disparity in 1/m to depth in metres: 0 becomes +inf; NaN and negative become NaN.

    Args:
        disparity: any shape, float.

    Returns:
        float32 of the same shape.

    Examples:
        >>> disparity = np.array([[0.5, 0.0, -1.0]], np.float32)
        >>> disparity_to_depth(disparity).tolist()  # 1 / 0.5, 1 / 0, not a disparity
        [[2.0, inf, nan]]
    """
    disparity = np.asarray(disparity, dtype=np.float32)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(disparity >= 0, np.float32(1) / np.abs(disparity), np.float32(np.nan))


@dataclass(frozen=True)
class Normalisation:
    """Scale and shift normalisation of disparity: `(disparity - median) / spread`.

    Attributes:
        median: shift, in the unit of the disparity.
        spread: scale, in the unit of the disparity, above 0.
    """

    median: float
    spread: float

    @classmethod
    def of(cls, disparity: Plane, valid: Mask | None = None) -> Normalisation:
        """Compute median and mean absolute deviation from it over the known pixels.

        Ranftl et al. 2020, "Towards robust monocular depth estimation", eq. 5. The spread is at
        least 1e-3 * max(median, 1e-3), so that constant disparity can be normalised too.

        Args:
            disparity: (H, W), 1/m or relative; NaN and inf are excluded.
            valid: (H, W) bool, pixels to use; None = all.

        Raises:
            CleanplateError: if no pixel is known.

        Examples:
            >>> disparity = np.array([[1, 2, 4, 5, np.nan]], np.float32)
            >>> Normalisation.of(disparity)  # median (2 + 4) / 2; spread (2 + 1 + 1 + 2) / 4
            Normalisation(median=3.0, spread=1.5)
        """
        known = np.isfinite(disparity)
        if valid is not None:
            known &= valid
        values = disparity[known].astype(np.float64)
        if values.size == 0:
            raise CleanplateError(
                "the depth is not known at any pixel",
                cure="Give a depth map with known pixels, or none at all.",
            )
        median = float(np.median(values))
        spread = float(np.mean(np.abs(values - median)))
        return cls(median, max(spread, 1e-3 * max(median, 1e-3)))

    def apply(self, disparity: Plane) -> Plane:
        """Normalise disparity of any shape, to float32; NaN stays NaN.

        Examples:
            >>> disparity = np.array([[6.0]], np.float32)
            >>> Normalisation(3.0, 1.5).apply(disparity).tolist()  # (6 - 3) / 1.5
            [[2.0]]
        """
        return ((disparity - np.float32(self.median)) / np.float32(self.spread)).astype(np.float32)

    def invert(self, relative: Plane) -> Plane:
        """Undo `apply`: restore median and spread, to float32.

        Examples:
            >>> relative = np.array([[2.0]], np.float32)
            >>> Normalisation(3.0, 1.5).invert(relative).tolist()  # 2 * 1.5 + 3
            [[6.0]]
        """
        return (relative * np.float32(self.spread) + np.float32(self.median)).astype(np.float32)


def fit_scale_shift(
    prediction: Plane, target: Plane, mask: Mask | None = None
) -> tuple[float, float]:
    """Fit scale and shift of a predicted disparity to the true one by least squares.

    Minimises the sum of `(scale * prediction + shift - target) ** 2` in closed form; Ranftl et
    al. 2020, eq. 4. Pixels that are not finite in both are excluded. A constant prediction gives
    scale 0.

    Args:
        prediction: (H, W) disparity, any scale.
        target: (H, W) disparity.
        mask: (H, W) bool, pixels to use; None = all.

    Returns:
        scale and shift.

    Raises:
        CleanplateError: if no pixel is left.

    Examples:
        >>> prediction, target = (np.array([row], np.float32) for row in ([0, 1, 2], [1, 3, 5]))
        >>> fit_scale_shift(prediction, target)  # target = 2 * prediction + 1
        (2.0, 1.0)
    """
    known = np.isfinite(prediction) & np.isfinite(target)
    if mask is not None:
        known &= mask
    x = prediction[known].astype(np.float64)
    y = target[known].astype(np.float64)
    if x.size == 0:
        raise CleanplateError("no pixel has both a predicted and a true disparity")
    # Centred first, because the normal equations lose precision if the mean is large.
    x_mean, y_mean = float(x.mean()), float(y.mean())
    x -= x_mean
    variance = float(x @ x)
    if variance <= x.size * (1e-12 * max(abs(x_mean), 1e-30)) ** 2:
        return 0.0, y_mean
    scale = float(x @ (y - y_mean)) / variance
    return scale, y_mean - scale * x_mean


def colour_map(
    disparity: Plane,
    valid: Mask | None = None,
    low: float | None = None,
    high: float | None = None,
) -> npt.NDArray[np.uint8]:
    """Render disparity with the colour map "inferno", near = bright.

    Pixels that are not finite, or False in `valid`, are grey (128).

    Args:
        disparity: (H, W), any scale.
        valid: (H, W) bool, pixels to colour; None = all.
        low: disparity of the darkest colour; None = 1st percentile.
        high: disparity of the brightest colour; None = 99th percentile.

    Returns:
        (H, W, 3) uint8 RGB.

    Examples:
        >>> colour_map(np.array([[np.nan]], np.float32)).tolist()  # unknown: the middle of 0 to 255
        [[[128, 128, 128]]]
    """
    known = np.isfinite(disparity)
    if valid is not None:
        known &= valid
    grey = np.full((*disparity.shape, 3), 128, np.uint8)
    if not known.any():
        return grey
    values = disparity[known]
    low = float(np.percentile(values, 1)) if low is None else low
    high = float(np.percentile(values, 99)) if high is None else high
    # A constant map has no range and gets the middle colour.
    span = high - low if high > low else 1.0
    origin = low if high > low else low - 0.5
    level = np.clip((np.where(known, disparity, low) - origin) / span * 255 + 0.5, 0, 255)
    bgr = cv2.applyColorMap(level.astype(np.uint8), cv2.COLORMAP_INFERNO)
    return np.where(known[..., None], bgr[..., ::-1], grey)


def point_cloud(
    depth: Plane, picture: npt.NDArray[Any], intrinsics: Intrinsics
) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]]:
    """Unproject pixels to a coloured point cloud in camera coordinates.

    x points right, y down, z forward. Pixels without finite positive depth are excluded.

    Args:
        depth: (H, W) planar depth, floats in metres or integers in millimetres.
        picture: (H, W, 3), any dtype.
        intrinsics: for the size (H, W).

    Returns:
        points (N, 3) float32 in metres, and their colours (N, 3) in the dtype of the picture.

    Raises:
        CleanplateError: if the depth has 8-bit integers or no numbers.
        ValueError: if the sizes of depth and picture differ.

    Examples:
        >>> depth, picture = np.full((1, 1), 2.0, np.float32), np.zeros((1, 1, 3), np.uint8)
        >>> points, _ = point_cloud(depth, picture, Intrinsics(1.0, 1.0, 0.0, 0.25))
        >>> points.tolist()  # x = (0.5 - 0) / 1 * 2, y = (0.5 - 0.25) / 1 * 2
        [[1.0, 0.5, 2.0]]
    """
    if picture.shape[:2] != depth.shape:
        raise ValueError(f"depth is {depth.shape}, the picture {picture.shape[:2]}")
    depth = metres(depth)
    known = np.isfinite(depth) & (depth > 0)
    rows, columns = np.nonzero(known)
    z = depth[known].astype(np.float64)
    x = (columns + 0.5 - intrinsics.cx) / intrinsics.fx * z
    y = (rows + 0.5 - intrinsics.cy) / intrinsics.fy * z
    return np.stack([x, y, z], axis=1).astype(np.float32), picture[known]
