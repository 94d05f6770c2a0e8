"""ICC colour profiles (ICC.1:2010): conversion to sRGB in 8 and in 16 bits.

8-bit pictures are converted by Little CMS. 16-bit pictures are converted here, by tone curves and
matrix, because Pillow passes only 8-bit pictures to Little CMS.
"""

from __future__ import annotations

import io
import logging
import struct
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from cleanplate.arrays import Coded
from cleanplate.bands import bands
from cleanplate.light import linear_to_srgb

_log = logging.getLogger(__name__)

_FAULTS = (ImageCms.PyCMSError, OSError, ValueError, TypeError)  # raised on a damaged profile
_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK", "LAB": "Lab"}


def to_srgb(image: Image.Image, profile: bytes | None, name: str) -> Image.Image:
    """Convert a loaded 8-bit picture without alpha to sRGB, mode RGB.

    Relative colorimetric intent with black point compensation. A profile that is damaged or does
    not fit the picture's mode is ignored, with a logged warning.

    Args:
        image: mode 1, L, RGB, CMYK, LAB, YCbCr or HSV.
        profile: the embedded ICC profile, or None.
        name: file name, for the log.
    """
    if image.mode not in _SPACES:
        image = image.convert("RGB" if image.mode != "1" else "L")
    try:
        if image.mode == "LAB":
            return _from_lab().apply(image)
        if profile:
            space = _space(profile)
            if image.mode == "L" and space == "RGB":
                image = image.convert("RGB")
            if space != _SPACES[image.mode]:
                raise ValueError(f"a profile for {space}")
            transform = _transform(profile, image.mode)
            if transform is not None:
                return transform.apply(image)
    except _FAULTS as error:
        _log.warning("%s: its colour profile is ignored (%s)", name, error)
    return image.convert("RGB")


def deep_to_srgb(rgb: Coded, profile: bytes | None, name: str, *, grey: bool = False) -> Coded:
    """Convert a 16-bit picture to sRGB.

    A matrix/TRC profile (Adobe RGB, Display P3, ProPhoto, grey) is applied in 16 bits. A profile
    with look-up tables is applied in 8 bits. A damaged or unsuitable profile is ignored, with a
    logged warning.

    Args:
        rgb: (H, W, 3) uint16.
        profile: the embedded ICC profile, or None.
        name: file name, for the log.
        grey: whether the three channels are copies of one.

    Returns:
        (H, W, 3) uint16, or uint8 after a profile with look-up tables.
    """
    if not profile:
        return rgb
    try:
        space = _space(profile)
        if space != "RGB" and not (grey and space == "GRAY"):
            raise ValueError(f"a profile for {space}")
        shape = _matrix_shaper(profile)
        if shape is None:
            mode = "L" if space == "GRAY" else "RGB"
            transform = _transform(profile, mode)
            if transform is None:
                return rgb
            eight = (rgb >> 8).astype(np.uint8)
            return np.asarray(transform.apply(Image.fromarray(eight).convert(mode)))
        if space == "RGB" and _transform(profile, "RGB") is None:
            return rgb
    except (*_FAULTS, struct.error, IndexError) as error:
        _log.warning("%s: its colour profile is ignored (%s)", name, error)
        return rgb
    out = np.empty_like(rgb)
    for band in bands(rgb.shape):
        linear = np.stack([shape.curves[i][rgb[band, :, i]] for i in range(3)], axis=2)
        coded = linear_to_srgb(np.clip(linear @ shape.matrix.T, 0, 1))
        out[band] = np.rint(coded * np.float32(65535)).astype(np.uint16)
    return out


def _space(profile: bytes) -> str:
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return str(opened.profile.xcolor_space).strip()


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Build the transform from `profile` in `mode` to sRGB; None if it is the identity.

    Most embedded profiles are sRGB under various names, so the transform is tested on a grid of
    colours and the name is ignored.
    """
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if mode == "CMYK":
        return transform
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    trial = Image.fromarray(grid if mode == "RGB" else levels[None])
    before = np.asarray(trial.convert("RGB")).astype(int)
    after = np.asarray(transform.apply(trial)).astype(int)
    return None if np.abs(after - before).max() <= 1 else transform


@lru_cache(maxsize=1)
def _from_lab() -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
    )


class _Shape(NamedTuple):
    curves: tuple[npt.NDArray[np.float32], ...]  # per channel, (65536,): coded to linear
    matrix: npt.NDArray[np.float32]  # (3, 3): linear RGB of the profile to linear sRGB


@lru_cache(maxsize=8)
def _matrix_shaper(profile: bytes) -> _Shape | None:
    """Read tone curves and matrix (ICC.1:2010, annex F.2, F.3); None if it has look-up tables."""
    tags = _tags(profile)
    if any(sign in tags for sign in (b"A2B0", b"A2B1", b"D2B0", b"D2B1")):
        return None
    if b"kTRC" in tags:
        curve = _curve(tags[b"kTRC"])
        curve = (curve - curve[0]) / (1 - curve[0])
        return _Shape((curve,) * 3, np.eye(3, dtype=np.float32))
    curves = [_curve(tags[sign]) for sign in (b"rTRC", b"gTRC", b"bTRC")]
    colorants = _colorants(tags)
    # Black point compensation: the luminance of black is subtracted from all channels.
    black = np.float32(colorants[1] @ [curve[0] for curve in curves])
    # Both matrices map to the D50 connection space, so no chromatic adaptation is needed.
    to_srgb = np.linalg.solve(_colorants(_tags(_srgb_profile())), colorants)
    return _Shape(
        tuple((curve - black) / (1 - black) for curve in curves), to_srgb.astype(np.float32)
    )


@lru_cache(maxsize=1)
def _srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, 128)
    if count > 1000:
        raise ValueError("too many tags")
    entries = (struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(count))
    return {sign: profile[offset : offset + size] for sign, offset, size in entries}


def _colorants(tags: dict[bytes, bytes]) -> npt.NDArray[np.float64]:
    rows = []
    for sign in (b"rXYZ", b"gXYZ", b"bXYZ"):
        if sign not in tags:
            raise ValueError(f"no tag {sign.decode()}")
        rows.append(struct.unpack_from(">3i", tags[sign], 8))
    return np.array(rows, dtype=np.float64).T / 65536


def _curve(tag: bytes) -> npt.NDArray[np.float32]:
    """Evaluate a curve tag ('curv' or 'para', 10.5 and 10.15) at all 16-bit values."""
    x = np.arange(65536, dtype=np.float64) / 65535
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            y = x
        elif count == 1:
            y = x ** (struct.unpack_from(">H", tag, 12)[0] / 256)
        else:
            table = np.array(struct.unpack_from(f">{count}H", tag, 12), dtype=np.float64)
            y = np.interp(x, np.linspace(0, 1, count), table / 65535)
    elif tag[:4] == b"para":
        y = _parametric(x, tag)
    else:
        raise ValueError("a curve of unknown kind")
    return np.clip(y, 0, 1).astype(np.float32)


def _parametric(x: npt.NDArray[np.float64], tag: bytes) -> npt.NDArray[np.float64]:
    (kind,) = struct.unpack_from(">H", tag, 8)
    if kind > 4:
        raise ValueError(f"a parametric curve of unknown kind {kind}")
    given = struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", tag, 12)
    # Table 65: every function type is a special case of the last one.
    g, a, b, c, d, e, f = (1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    values = [value / 65536 for value in given]
    if kind == 0:
        (g,) = values
        d = -np.inf
    elif kind in (1, 2):
        g, a, b = values[:3]
        e = f = values[3] if kind == 2 else 0.0
        d = -b / a
    elif kind == 3:
        g, a, b, c, d = values
    else:
        g, a, b, c, d, e, f = values
    return np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)
