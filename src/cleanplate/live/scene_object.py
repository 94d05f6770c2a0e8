"""A picture with transparency that stands in the scene at a distance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from cleanplate.arrays import Bytes, Mask, Plane
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import as_uint8, read_rgba, resize
from cleanplate.light import coded_from_linear, linear_from_uint8
from cleanplate.predict.size import Size

HEIGHT = 0.4
"""Of an object, as a share of the picture's, unless something else is asked for."""

FOOT = (0.5, 0.9)
"""Where its lower middle stands, as shares of width and height."""


@dataclass(frozen=True, eq=False)
class SceneObject:
    """An object laid out for pictures of one size.

    colour: (h, w, 3) uint8, straight, of the part that lies in the picture.
    alpha: (h, w) in [0, 1].
    top, left: where that part lies in the picture.
    distance: metres from the camera.
    """

    colour: Bytes
    alpha: Plane
    top: int
    left: int
    distance: float

    @property
    def inside(self) -> tuple[slice, slice]:
        """Index of its part in a picture."""
        height, width = self.alpha.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    def lay(self, picture: Bytes, seen: Plane | Mask | None = None) -> Bytes:
        """Lay it over a picture, mixed in linear light.

        Args:
            picture: (H, W, 3) uint8; it is not changed, and given back where nothing is laid.
            seen: (h, w) share of each of its pixels that is seen, bool or float; None = all.
        """
        alpha = self.alpha if seen is None else self.alpha * seen
        part = picture[self.inside]
        covered = alpha > 0
        if not covered.any():
            return picture
        share = alpha[covered][:, None]
        light = linear_from_uint8(np.ascontiguousarray(part[covered][None]))[0]
        own = linear_from_uint8(np.ascontiguousarray(self.colour[covered][None]))[0]
        out = picture.copy()
        out[self.inside][covered] = coded_from_linear(light + share * (own - light))
        return out


def object_of(
    file: str | Path,
    distance: float,
    size: Size,
    *,
    height: float | None = None,
    foot: tuple[float, float] = FOOT,
) -> SceneObject:
    """Read an object and lay it out.

    Args:
        file: a picture with transparency. One of the picture's own size lies as it is, unless a
            height is given.
        distance: metres.
        size: (height, width) of the pictures.
        height: of the object, as a share of the picture's; None = `HEIGHT`.
        foot: where its lower middle stands, as shares of width and height.

    Raises:
        CleanplateError: it cannot be read, has no transparency, or lies outside the picture.
    """
    if not distance > 0:
        raise CleanplateError(f"an object cannot stand {distance} m away", cure="Give metres.")
    rgb, alpha = read_rgba(file)
    if alpha is None:
        raise CleanplateError(
            "has no transparency, so it would be a rectangle",
            file=file,
            cure="Give a picture with an alpha channel (PNG, WebP).",
        )
    colour = as_uint8(rgb)
    if height is None and alpha.shape == size:
        return SceneObject(colour, alpha, 0, 0, distance)
    tall = max(1, round((HEIGHT if height is None else height) * size[0]))
    wide = max(1, round(alpha.shape[1] * tall / alpha.shape[0]))
    # Colour where alpha is 0 must not mix in.
    weighted = resize(colour.astype(np.float32) * alpha[..., None], (tall, wide))
    alpha = resize(alpha, (tall, wide))
    straight = weighted / np.maximum(alpha, np.float32(1e-4))[..., None]
    colour = np.asarray(np.clip(np.rint(straight), 0, 255), np.uint8)
    top, left = round(foot[1] * size[0]) - tall, round(foot[0] * size[1] - wide / 2)
    rows = slice(max(0, -top), max(0, min(tall, size[0] - top)))
    columns = slice(max(0, -left), max(0, min(wide, size[1] - left)))
    if rows.stop <= rows.start or columns.stop <= columns.start:
        raise CleanplateError("lies outside the picture", file=file, cure="Move it.")
    return SceneObject(
        np.ascontiguousarray(colour[rows, columns]),
        np.ascontiguousarray(alpha[rows, columns]),
        max(0, top),
        max(0, left),
        distance,
    )


def nearer_than(distance: float, disparity: Plane) -> Plane:
    """Give where something at a distance is before the scene: 1 there, 0 behind it.

    Args:
        distance: metres.
        disparity: (h, w) of the scene in 1/m; nan = unknown, taken for farther.

    Returns:
        (h, w) float32, its edges softened over a pixel.
    """
    before = ~(disparity > 1 / distance)
    return np.asarray(cv2.blur(before.astype(np.float32), (3, 3)), np.float32)
