"""A view of a plate: a crop, mirrored or not, at the sample's size, with its camera."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Bytes, Plane
from cleanplate.synthesis.assets.plate import Camera, Plate, StandingPoints


@dataclass(frozen=True)
class SceneView:
    """A plate's crop at the sample's size (H, W).

    Args:
        picture: (H, W, 3) uint8 sRGB.
        disparity: (H, W) float32 in 1/m or None.
        camera: with the intrinsics of this picture, or None.
        points: standing points in this picture's pixels, or None.
        source: the crop before resizing, for `warped`.
        source_disparity: its disparity.
    """

    picture: Bytes
    disparity: Plane | None
    camera: Camera | None
    points: StandingPoints | None
    source: Bytes
    source_disparity: Plane | None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.picture.shape[0], self.picture.shape[1]

    @cached_property
    def world(self) -> tuple[Plane, Plane, Plane]:
        """Metres right, over the floor and ahead of every second pixel; NaN = unknown."""
        assert self.disparity is not None
        assert self.camera is not None
        return world_points(self.disparity[::2, ::2], self.camera, step=2)

    def warped(self, motion: npt.NDArray[np.float64]) -> tuple[Bytes, Plane | None]:
        """Give the picture and its disparity as seen by a moved camera.

        Resampled from the source, so that it is as sharp as the picture.

        Args:
            motion: (2, 3), maps each pixel of the result (centres at + 0.5) to `picture`.
        """
        height, width = self.size
        sy, sx = self.source.shape[0] / height, self.source.shape[1] / width
        to_source = np.array([[sx, 0, 0], [0, sy, 0]])
        whole = to_source[:, :2] @ motion
        # From centres at + 0.5 to OpenCV's, which lie at integers.
        whole[:, 2] += whole[:, :2] @ (0.5, 0.5) - 0.5
        shape, edge = (width, height), cv2.BORDER_REFLECT_101
        linear = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        # With four channels OpenCV takes half the time that it does with three.
        four = cv2.cvtColor(self.source, cv2.COLOR_RGB2RGBA)
        four = cv2.warpAffine(four, whole, shape, flags=linear, borderMode=edge)
        picture = cv2.cvtColor(four, cv2.COLOR_RGBA2RGB)
        if self.source_disparity is None:
            return np.asarray(picture, np.uint8), None
        near = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        moved = cv2.warpAffine(self.source_disparity, whole, shape, flags=near, borderMode=edge)
        return np.asarray(picture, np.uint8), np.asarray(moved, np.float32)


def world_points(disparity: Plane, camera: Camera, step: int = 1) -> tuple[Plane, Plane, Plane]:
    """Back-project pixels: metres right of the camera, over the floor, and ahead of it.

    Pinhole model without roll; NaN where disparity is 0 or unknown.

    Args:
        disparity: (h, w) every `step`-th pixel of the camera's picture, 1/m.
        camera: with its pitch.
        step: stride of the pixels.
    """
    fx, fy, cx, cy = camera.intrinsics
    h, w = disparity.shape
    z = np.full((h, w), np.nan, np.float32)
    np.divide(np.float32(1), disparity, out=z, where=disparity > 0)
    right = (np.arange(w, dtype=np.float32) * step + np.float32(0.5 - cx)) / np.float32(fx)
    down = (np.arange(h, dtype=np.float32) * step + np.float32(0.5 - cy)) / np.float32(fy)
    down = down[:, None]
    cos, sin = np.float32(np.cos(camera.pitch)), np.float32(np.sin(camera.pitch))
    height = z * (sin - cos * down)
    height += np.float32(camera.height)
    return right * z, height, z * (cos + sin * down)


def sample_view(
    rng: np.random.Generator,
    plate: Plate,
    size: tuple[int, int],
    *,
    smallest_crop: float = 1.0,
    mirror: bool = False,
) -> SceneView:
    """Draw a crop with the sample's aspect ratio; intrinsics, disparity and points follow it.

    Args:
        rng: drawn from.
        plate: the plate.
        size: (H, W) of the sample.
        smallest_crop: least size of the crop, relative to the largest one.
        mirror: mirror half of the crops.
    """
    height, width = size
    full_h, full_w = plate.picture.shape[:2]
    largest = min(full_w / width, full_h / height)
    # About 0.4 of the views keep the whole; the rest are closer.
    share = 1 - (1 - smallest_crop) * max(0.0, rng.random() * 1.6 - 0.6)
    w = int(np.clip(round(width * largest * share), 2, full_w))
    h = int(np.clip(round(height * largest * share), 2, full_h))
    x, y = int(rng.integers(full_w - w + 1)), int(rng.integers(full_h - h + 1))
    flip = bool(mirror and rng.random() < 0.5)
    return crop_view(plate, (x, y, w, h), size, flip=flip)


def crop_view(
    plate: Plate, crop: tuple[int, int, int, int], size: tuple[int, int], *, flip: bool = False
) -> SceneView:
    """Crop the plate to (x, y, w, h) at `size` = (H, W), mirrored if `flip`."""
    x, y, w, h = crop
    height, width = size
    sx, sy = width / w, height / h
    source, disparity = plate.picture[y : y + h, x : x + w], plate.disparity
    if disparity is not None:
        disparity = disparity[y : y + h, x : x + w]
    if flip:
        source = np.asarray(cv2.flip(source, 1), np.uint8)
        disparity = None if disparity is None else np.asarray(cv2.flip(disparity, 1), np.float32)
    shrinks = sx < 0.7
    picture = source
    if (h, w) != size:
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        picture = np.asarray(cv2.resize(source, (width, height), interpolation=how), np.uint8)
    small = disparity
    if disparity is not None and (h, w) != size:
        nearest = cv2.INTER_NEAREST_EXACT
        small = np.asarray(cv2.resize(disparity, (width, height), interpolation=nearest))
    camera = plate.camera
    points = plate.points
    if camera is not None:
        intrinsics = camera.intrinsics.cropped(x, y)
        if flip:
            intrinsics = intrinsics.flipped(w)
        camera = Camera(intrinsics.scaled(sx, sy), camera.height, camera.pitch)
    if points is not None:
        inside = np.flatnonzero(
            (points.u > x) & (points.u < x + w) & (points.v > y) & (points.v < y + h)
        )
        u, v = points.u.take(inside) - x, points.v.take(inside) - y
        points = StandingPoints(
            (w - u if flip else u) * np.float32(sx),
            v * np.float32(sy),
            points.z.take(inside),
            points.height.take(inside),
        )
    if shrinks:  # resampling the crop again would alias
        source, disparity = picture, small
    return SceneView(picture, small, camera, points, source, disparity)
