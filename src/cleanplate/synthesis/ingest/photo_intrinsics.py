"""Camera intrinsics of a photograph, from EXIF or from a given field of view."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

from PIL import ExifTags, Image

from cleanplate.depth import Intrinsics

_FILM_DIAGONAL = math.hypot(36, 24)
"""Diagonal of the 35 mm frame in millimetres. Equivalent focal lengths compare diagonals
(CIPA DCG-001-2018).
"""


class PhotoIntrinsics(NamedTuple):
    """Intrinsics, and a text that says where they come from."""

    intrinsics: Intrinsics
    origin: str


def intrinsics_from_exif(path: str | Path, width: int, height: int) -> PhotoIntrinsics | None:
    """Read the 35 mm equivalent focal length of a photograph's EXIF.

    None if there is none, if it is impossible, or if the picture was cropped since (its aspect
    ratio differs from EXIF's), because the field of view is then another.

    Args:
        path: of the photograph; only its header is read.
        width: of the upright picture, in pixels.
        height: likewise.
    """
    try:
        with Image.open(path) as image:
            details = image.getexif().get_ifd(ExifTags.IFD.Exif)
    except Exception:  # damaged EXIF is ignored; Pillow's parser raises any exception
        return None
    film = _positive(details.get(ExifTags.Base.FocalLengthIn35mmFilm))
    if film is None or not 4 <= film <= 2000:
        return None
    exif_size = [
        _positive(details.get(tag))
        for tag in (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)
    ]
    if exif_size[0] and exif_size[1]:
        shape = max(exif_size[0], exif_size[1]) / min(exif_size[0], exif_size[1])
        if abs(shape / (max(width, height) / min(width, height)) - 1) > 0.02:
            return None
    focal = film / _FILM_DIAGONAL * math.hypot(width, height)
    return PhotoIntrinsics(
        _centred(focal, width, height), f"EXIF: {film:g} mm in terms of 35 mm film"
    )


def intrinsics_from_fov(degrees: float, width: int, height: int) -> PhotoIntrinsics:
    """Give the intrinsics of a picture with a field of view of `degrees` along its longer side.

    Raises:
        ValueError: if the angle is not between 0 and 180.
    """
    if not 0 < degrees < 180:
        raise ValueError(f"an angle of view of {degrees} degrees is not possible")
    focal = max(width, height) / 2 / math.tan(math.radians(degrees) / 2)
    return PhotoIntrinsics(
        _centred(focal, width, height), f"given: {degrees:g} degrees on the longer side"
    )


def _centred(focal: float, width: int, height: int) -> Intrinsics:
    return Intrinsics(focal, focal, width / 2, height / 2)


def _positive(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and number > 0 else None
