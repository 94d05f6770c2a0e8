"""Colour profiles (ICC.1:2010) to sRGB."""

from __future__ import annotations

import io
import logging
from functools import lru_cache

from PIL import Image, ImageCms

from cleanplate.arrays import Coded

_log = logging.getLogger(__name__)


def to_srgb(image: Image.Image, profile: bytes | None, name: str) -> Image.Image:
    """Convert a loaded 8-bit picture without alpha to sRGB, mode RGB.

    Args:
        image: of mode L, RGB, CMYK, LAB, YCbCr or HSV.
        profile: the embedded ICC profile, or None.
        name: of the file, for the log.
    """
    if image.mode not in ("L", "RGB", "CMYK", "LAB"):
        image = image.convert("RGB")
    transform = None
    if image.mode == "LAB":
        transform = _lab_transform()
    elif profile:
        transform = _transform(profile, image.mode)
        if transform is None:
            _log.warning("%s: its colour profile cannot be used; taken as sRGB", name)
    if transform is None or _changes_nothing(transform, image.mode):
        return image if image.mode == "RGB" else image.convert("RGB")
    converted = transform.apply(image)
    return converted


def deep_to_srgb(rgb: Coded, profile: bytes | None, name: str) -> Coded:
    """Convert (H, W, 3) uint16 to sRGB.

    A profile of curves and a matrix (Adobe RGB, Display P3, ProPhoto, grey) is applied
    exactly, in 16 bits; one of look-up tables in 8 bits, and the result is uint8.
    """
    return rgb


def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The way from `mode` under `profile` to sRGB, or None if the profile is no use."""
    return _cached_transform(profile, mode)


@lru_cache(maxsize=8)
def _cached_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        return ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


@lru_cache(maxsize=1)
def _lab_transform() -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
    )


@lru_cache(maxsize=8)
def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    return False
