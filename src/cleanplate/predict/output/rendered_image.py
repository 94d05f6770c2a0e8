"""Rendered images of a result: composites and previews."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, ImageDraw, ImageFont

from cleanplate.arrays import Coded, Picture
from cleanplate.bands import bands
from cleanplate.depth import colour_map
from cleanplate.errors import CleanplateError
from cleanplate.files.ownership import replacing_own
from cleanplate.files.picture_text import with_seal
from cleanplate.formats.encoding import encode_png
from cleanplate.formats.pictures import (
    as_uint8,
    read_rgba,
    resize,
    to_float,
    to_uint8,
    to_uint16,
    write_image,
)
from cleanplate.matte import over
from cleanplate.predict.inputs import as_picture
from cleanplate.predict.result_data import ResultData
from cleanplate.predict.size import Size, working_size

BackgroundSource: TypeAlias = str | Path | npt.NDArray[Any]
"""A picture (path or array) or a colour ("#rrggbb", a CSS name)."""

PREVIEW_SIDE = 480
"""Long side of each picture in a preview."""

PREVIEW_BACKGROUND = "#3fae6a"

_LABEL_HEIGHT = 22
_GAP = 4
_PAPER, _INK = (250, 250, 250), (40, 40, 40)


@dataclass(frozen=True)
class RenderedImage:
    """A rendered picture: `pixels` is (H, W, 3) RGB, sRGB-coded, uint8 or uint16."""

    pixels: Coded

    def save(self, path: str | Path, *, quality: int = 95, overwrite: bool = False) -> None:
        """Write the picture; the suffix decides the format.

        A PNG or JPEG that this method wrote and nobody changed since is replaced; any other file
        that is there is not.

        Args:
            path: ends in .png, .jpg, .webp, .tif or .bmp.
            quality: 1 to 100, of JPEG and WebP.
            overwrite: replace the file whoever wrote it.

        Raises:
            CleanplateError: the file is not ours, or cannot be written.
        """
        with replacing_own(path, overwrite=overwrite) as temporary:
            self.write(temporary, quality=quality)
            temporary.write_bytes(with_seal(temporary.read_bytes()))

    def write(self, path: Path, *, quality: int = 95) -> None:
        """Write the picture without a seal, to a path that the caller has checked."""
        pixels = self.pixels
        if pixels.dtype == np.uint16 and path.suffix.lower() not in (".png", ".tif", ".tiff"):
            pixels = as_uint8(pixels)
        write_image(path, pixels, quality=quality)

    def png(self) -> bytes:
        """Encode it as PNG."""
        return encode_png(self.pixels, "usual")


def composite(result: ResultData, background: BackgroundSource) -> RenderedImage:
    """Lay the subject over another background, mixed in the result's `foreground_space`.

    Args:
        result: one that holds the foreground.
        background: a path or (H', W', 3) array, scaled to cover the frame and cropped to it; or
            a colour, "#rrggbb" or a CSS name.

    Returns:
        (H, W, 3) uint16 if the frame is, else uint8.

    Raises:
        CleanplateError: the foreground was not asked for, or the background cannot be read.
    """
    foreground = result.foreground
    height, width = result.alpha.shape
    behind = background_picture(background, (height, width))
    deep = result.frame.dtype == np.uint16
    pixels = np.empty((height, width, 3), np.uint16 if deep else np.uint8)
    for rows in bands(pixels.shape):
        mixed = over(
            foreground[rows], result.alpha[rows], behind[rows], space=result.foreground_space
        )
        pixels[rows] = to_uint16(mixed) if deep else to_uint8(mixed)
    return RenderedImage(pixels)


def preview(result: ResultData, background: BackgroundSource | None = None) -> RenderedImage:
    """Draw plate, frame, matte, depth and composite side by side, labelled.

    What the result does not hold is left out: without its plate, disparity or foreground there are
    fewer pictures.

    Args:
        result: any.
        background: of the composite, as `composite` takes it; None = a green.

    Returns:
        (h, w, 3) uint8, each picture at most `PREVIEW_SIDE` pixels a side.
    """
    height, width = result.alpha.shape
    size = working_size((height, width), PREVIEW_SIDE)
    alpha, held = resize(result.alpha, size), result.outputs
    panels = []
    if "plate" in held:
        panels.append(("plate", as_uint8(resize(result.plate, size))))
    panels += [
        ("frame", as_uint8(resize(result.frame, size))),
        ("matte", np.repeat(to_uint8(alpha)[..., None], 3, 2)),
    ]
    if "disparity" in held:
        name = "depth (near is bright)" if result.metric else "relative depth (near is bright)"
        panels.append((name, colour_map(resize_nearest(result.disparity, size))))
    if "foreground" in held:
        foreground = np.asarray(resize(result.foreground, size))
        behind = background_picture(PREVIEW_BACKGROUND if background is None else background, size)
        mixed = over(foreground, alpha, behind, space=result.foreground_space)
        panels.append(("composite", to_uint8(mixed)))
    return RenderedImage(_sheet(panels))


def resize_nearest(plane: npt.NDArray[np.float32], size: Size) -> npt.NDArray[np.float32]:
    """Resize a plane (H, W) to (height, width) `size` without mixing its values."""
    return np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_NEAREST), np.float32)


def colour(text: str) -> tuple[int, int, int] | None:
    """Read "#rrggbb" or a CSS name as (red, green, blue); None if it is no colour.

    Raises:
        CleanplateError: if it is a colour with transparency ("#rrggbbaa", "rgba(...)").
    """
    try:
        channels = ImageColor.getrgb(text)
    except ValueError:
        return None
    if len(channels) == 4 and channels[3] != 255:
        raise CleanplateError(
            f"the background {text!r} is a colour with transparency",
            cure="give an opaque colour, such as #{:02x}{:02x}{:02x}; for a picture with "
            "transparency take the foreground file".format(*channels[:3]),
        )
    return channels[0], channels[1], channels[2]


def check_background(background: BackgroundSource) -> None:
    """Refuse a background that is neither a colour nor a readable picture, before any work."""
    if isinstance(background, str) and colour(background) is not None:
        return
    if isinstance(background, (str, Path)) and not Path(background).exists():
        raise CleanplateError(
            "this background is neither a file nor a colour",
            file=background,
            cure='give a picture, "#rrggbb", or a CSS name such as white',
        )
    _read_background(background)


def _read_background(source: BackgroundSource) -> Coded | Picture:
    """Read a background; a transparent picture is laid over white, in linear light."""
    if not isinstance(source, (str, Path)):
        return as_picture(source, "background")
    rgb, alpha = read_rgba(source)
    if alpha is None or alpha.min() == 1:
        return rgb
    white = np.broadcast_to(np.uint8(255), rgb.shape)
    laid = np.empty_like(rgb)
    coded = to_uint16 if rgb.dtype == np.uint16 else to_uint8
    for rows in bands(rgb.shape):
        laid[rows] = coded(over(to_float(rgb[rows]), alpha[rows], white[rows]))
    return laid


def background_picture(source: BackgroundSource, size: Size) -> Coded | Picture:
    """Make a background of exactly `size`: scaled to cover it, the overhang cut evenly."""
    if isinstance(source, str):
        rgb = colour(source)
        if rgb is not None:
            return np.broadcast_to(np.array(rgb, np.uint8), (*size, 3))
        check_background(source)
    picture = _read_background(source)
    scale = max(size[0] / picture.shape[0], size[1] / picture.shape[1])
    height, width = (max(s, round(p * scale)) for s, p in zip(size, picture.shape[:2], strict=True))
    if (height, width) != picture.shape[:2]:
        picture = resize(picture, (height, width))
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    return picture[top : top + size[0], left : left + size[1]]


def _sheet(panels: list[tuple[str, npt.NDArray[np.uint8]]]) -> npt.NDArray[np.uint8]:
    """Pictures of one size in a row, each with its name above; columns as wide as their names."""
    height, width = panels[0][1].shape[:2]
    font = ImageFont.load_default(size=14)
    columns = [max(width, int(font.getlength(name)) + 2 * _GAP) for name, _ in panels]
    whole = (sum(columns) + _GAP * (len(panels) + 1), height + _LABEL_HEIGHT + _GAP)
    page = Image.new("RGB", whole, _PAPER)
    draw = ImageDraw.Draw(page)
    left = _GAP
    for (name, pixels), column in zip(panels, columns, strict=True):
        draw.text((left + 1, 2), name, _INK, font)
        page.paste(Image.fromarray(np.ascontiguousarray(pixels)), (left, _LABEL_HEIGHT))
        left += column + _GAP
    return np.asarray(page)
