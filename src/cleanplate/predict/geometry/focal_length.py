"""The focal length of a picture, given or from its file's EXIF."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from PIL import Image

from cleanplate.errors import CleanplateError

_EXIF, _IN_35_MM = 0x8769, 0xA405
_DIAGONAL_35_MM = math.hypot(36, 24)


def check_focal(focal: float | None) -> None:
    """Check a focal length in pixels.

    Raises:
        CleanplateError: it is not finite and above 0.
    """
    if focal is not None and not (math.isfinite(focal) and focal > 0):
        raise CleanplateError(
            f"a focal length of {focal:g} pixels is not possible",
            cure="give it in pixels of the plate: about its width for a usual camera",
        )


def focal_of_file(path: str | Path, size: tuple[int, ...]) -> float | None:
    """Read the focal length in pixels from a picture's EXIF; None where there is none.

    EXIF's FocalLengthIn35mmFilm (CIPA DC-008) is of a film of 43.3 mm diagonal; a picture that was
    cropped later gives a wrong one.

    Args:
        path: a picture file that could be read.
        size: (height, width) of the picture.
    """
    try:
        with Image.open(path) as picture:
            millimetres: Any = picture.getexif().get_ifd(_EXIF).get(_IN_35_MM)
        focal = float(millimetres) / _DIAGONAL_35_MM * math.hypot(size[0], size[1])
    except (OSError, ValueError, TypeError, SyntaxError, ZeroDivisionError):
        return None
    return focal if math.isfinite(focal) and focal > 0 else None
