"""Picture files to arrays and back.

Read: upright (EXIF), in sRGB (ICC), 8 or 16 bits as stored. Written: whole or not at all.
"""

from __future__ import annotations

import io
import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeAlias, cast

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from cleanplate import profiles
from cleanplate.arrays import Coded, Plane
from cleanplate.errors import CleanplateError
from cleanplate.files import replacing
from cleanplate.light import coded_from_linear, linear_from_uint8, linear_to_srgb, srgb_to_linear

__all__ = [
    "MAX_PIXELS",
    "coded_from_linear",
    "linear_from_uint8",
    "linear_to_srgb",
    "read_alpha",
    "read_image",
    "read_rgba",
    "read_samples",
    "resize",
    "srgb_to_linear",
    "to_float",
    "to_uint8",
    "to_uint16",
    "write_alpha",
    "write_image",
]

Source: TypeAlias = str | Path | IO[bytes]

MAX_PIXELS = 2 * 8192 * 8192
"""A picture with more pixels than this is refused before it is decoded."""

# Named, so that no plug-in that runs other programs (EPS) is ever reached.
_FORMATS = ["PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "GIF", "PPM", "TGA", "JPEG2000", "AVIF"]

_log = logging.getLogger(__name__)


def read_image(source: Source, *, max_pixels: int = MAX_PIXELS) -> Coded:
    """Read a picture as (H, W, 3) RGB, sRGB-coded, uint8 or uint16, upright.

    Grey becomes three equal channels. Of a picture with alpha this is the straight colour
    as stored, whatever the alpha; `read_rgba` gives both. Of an animation, the first frame.
    A colour profile is converted to sRGB (relative colorimetric); one that cannot be read
    is ignored with a logged warning. 16-bit samples stay 16-bit, except under a profile
    made of look-up tables, which is applied in 8 bits.

    Args:
        source: a path, or an open binary file.
        max_pixels: refuse larger pictures before they are decoded. Above 178 million
            Pillow's own limit also holds.

    Raises:
        CleanplateError: if there is no such file, or it may not be read, is empty, cut
            short, too large, not a picture, or of samples that have no sRGB meaning.
    """
    return _read(source, max_pixels)[0]


def read_rgba(source: Source, *, max_pixels: int = MAX_PIXELS) -> tuple[Coded, Plane | None]:
    """Read a picture and its alpha: (H, W, 3) as `read_image`, and (H, W) in [0, 1] or None.

    The colour is straight, not multiplied by alpha. Alpha is None where the file has none.

    Raises:
        CleanplateError: as `read_image`.
    """
    rgb, alpha = _read(source, max_pixels)
    return rgb, None if alpha is None else to_float(alpha)


def read_alpha(source: Source, *, max_pixels: int = MAX_PIXELS) -> Plane:
    """Read a matte as (H, W) float32 in [0, 1]: a grey picture, or the alpha of one that has it.

    The grey values are taken as they are: no colour profile and no curve.

    Raises:
        CleanplateError: as `read_image`, and if the picture is in colour without alpha.
    """
    rgb, alpha = _read(source, max_pixels, managed=False)
    if alpha is not None:
        return to_float(alpha)
    red, green, blue = (rgb[..., i] for i in range(3))
    if not (np.array_equal(red, green) and np.array_equal(red, blue)):
        raise CleanplateError(
            "is in colour, not a matte",
            file=_name(source),
            cure="Give a grey picture or one with an alpha channel.",
        )
    return to_float(red)


def read_samples(source: Source, *, max_pixels: int = MAX_PIXELS) -> npt.NDArray[Any]:
    """Read the stored numbers of a picture: (H, W) or (H, W, C), upright, otherwise untouched.

    For pictures that hold something else than light, such as depth: no profile, no curve,
    any sample type that Pillow holds in full (floats and 32-bit integers too).

    Raises:
        CleanplateError: as `read_image`.
    """
    name = _name(source)
    with _loaded(source, max_pixels) as loaded:
        if loaded.deep:
            raise CleanplateError("has 16-bit colour", file=name, cure="Give a grey picture.")
        return np.ascontiguousarray(_upright(np.asarray(loaded.image), loaded.orientation))


def _read(
    source: Source, max_pixels: int, *, managed: bool = True
) -> tuple[Coded, npt.NDArray[Any] | None]:
    name = _name(source)
    with _loaded(source, max_pixels) as loaded:
        profile = loaded.image.info.get("icc_profile") if managed else None
        if loaded.deep:
            rgb, alpha = _deep(loaded, profile, name)
        else:
            rgb, alpha = _shallow(loaded.image, profile, name)
        rgb = np.ascontiguousarray(_upright(rgb, loaded.orientation))
        if alpha is not None:
            alpha = np.ascontiguousarray(_upright(alpha, loaded.orientation))
        return rgb, alpha


class _Loaded(NamedTuple):
    image: Image.Image
    stream: IO[bytes]
    orientation: int  # EXIF's, still to be undone
    deep: bool  # 16-bit colour, of which `image` holds only the upper 8


@contextmanager
def _loaded(source: Source, max_pixels: int) -> Iterator[_Loaded]:
    """Decode the first frame with Pillow, with every fault said."""
    name = _name(source)
    with _opened(source) as stream, _told(name), _pillow_quiet(), _image(stream) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise CleanplateError(
                f"has {width} x {height} pixels, more than the limit of {max_pixels}",
                file=name,
                cure="Make it smaller, or raise the limit (max_pixels) if you trust the file.",
            )
        deep = _is_deep(image)  # asked before loading, which forgets how samples are stored
        # Pillow itself turns TIFF upright when it loads it.
        orientation = 1 if image.format == "TIFF" else _orientation(image)
        image.load()
        yield _Loaded(image, stream, orientation, deep)


def _name(source: Source) -> str:
    if isinstance(source, (str, Path)):
        return str(source)
    return str(getattr(source, "name", "the given stream"))


@contextmanager
def _opened(source: Source) -> Iterator[IO[bytes]]:
    """A seekable stream of the whole file, from its first byte."""
    if not isinstance(source, (str, Path)):
        yield source if source.seekable() else io.BytesIO(source.read())
        return
    try:
        with open(source, "rb") as stream:
            yield stream if stream.seekable() else io.BytesIO(stream.read())
    except FileNotFoundError as error:
        raise CleanplateError(
            "does not exist", file=source, cure="Check the spelling of the path."
        ) from error
    except IsADirectoryError as error:
        raise CleanplateError(
            "is a folder", file=source, cure="Give the name of one picture in it."
        ) from error
    except PermissionError as error:
        raise CleanplateError(
            "may not be read", file=source, cure="Check the permissions of the file."
        ) from error


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Say a decoder's fault as a person's."""
    try:
        yield
    except Image.DecompressionBombError as error:
        raise CleanplateError(
            "has too many pixels", file=name, cure="Make it smaller, if you trust the file."
        ) from error
    except Image.UnidentifiedImageError as error:
        raise CleanplateError(
            "is not a picture that can be read",
            file=name,
            cure="Save it as PNG, JPEG, WebP or TIFF, 8 or 16 bits.",
        ) from error
    except MemoryError as error:
        raise CleanplateError(
            "does not fit into memory", file=name, cure="Make it smaller."
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError) as error:
        # What Pillow's decoders raise on damaged files has no narrower common type.
        raise CleanplateError(
            f"is damaged or cut short ({error})", file=name, cure="Copy or save it again."
        ) from error


def _image(stream: IO[bytes]) -> Image.Image:
    if not stream.read(1):
        raise OSError("the file is empty")
    stream.seek(0)
    Image.init()
    return Image.open(stream, formats=[f for f in _FORMATS if f in Image.OPEN])


_quiet_lock = threading.Lock()
_quiet_count = 0
_quiet_filters = warnings.catch_warnings()


@contextmanager
def _pillow_quiet() -> Iterator[None]:
    """Keep Pillow's warnings in, also while several threads read.

    `catch_warnings` alone would restore wrongly when threads leave in another order than
    they came; so the first in sets the filter and the last out takes it away.
    """
    global _quiet_count, _quiet_filters  # noqa: PLW0603
    with _quiet_lock:
        if _quiet_count == 0:
            _quiet_filters = warnings.catch_warnings()
            _quiet_filters.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\.")
        _quiet_count += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_count -= 1
            if _quiet_count == 0:
                _quiet_filters.__exit__(None, None, None)


def _raw_mode(image: Image.Image) -> str:
    """How the samples lie in the file, in Pillow's words: 'RGB;16B', 'L', ..."""
    tiles = getattr(image, "tile", None)
    if not tiles:
        return ""
    args = tiles[0][3]
    return str(args[0] if isinstance(args, tuple) and args else args)


def _is_deep(image: Image.Image) -> bool:
    """Whether the file holds 16-bit colour, which Pillow would cut to 8."""
    return ";16" in _raw_mode(image) and image.mode in ("RGB", "RGBA", "LA", "RGBX")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged EXIF never spoils the picture; its parser raises anything
        return 1


def _upright(array: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Undo the EXIF orientation (tag 0x0112, values 1 to 8) of (H, W) or (H, W, C)."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array


def _shallow(
    image: Image.Image, profile: bytes | None, name: str
) -> tuple[Coded, npt.NDArray[Any] | None]:
    """RGB and alpha of a loaded picture that Pillow holds in full depth."""
    if image.mode.startswith("I"):
        return _grey16(image, profile, name), None
    if image.mode == "F":
        raise CleanplateError(
            "has floating-point samples, whose range is not known",
            file=name,
            cure="Save it as 8 or 16 bits, sRGB.",
        )
    if image.has_transparency_data or image.mode in ("LA", "La", "PA", "RGBa", "RGBA"):
        image = image.convert("LA" if image.mode in ("LA", "La") else "RGBA")
        alpha = np.asarray(image.getchannel("A"))
        image = image.convert("L" if image.mode == "LA" else "RGB")
    else:
        alpha = None
        if image.mode in ("1", "P"):
            image = image.convert("L" if image.mode == "1" else "RGB")
    rgb = profiles.to_srgb(image, profile, name)
    return np.asarray(rgb), alpha


def _grey16(image: Image.Image, profile: bytes | None, name: str) -> Coded:
    samples = np.asarray(image)
    if samples.dtype != np.uint16:
        if image.format not in ("PNG", "PPM"):
            raise CleanplateError(
                "has 32-bit integer samples, whose range is not known",
                file=name,
                cure="Save it as 8 or 16 bits, sRGB.",
            )
        samples = samples.astype(np.uint16)
    rgb = np.repeat(samples[..., None], 3, axis=2)
    return profiles.deep_to_srgb(rgb, profile, name)


def _deep(
    loaded: _Loaded, profile: bytes | None, name: str
) -> tuple[Coded, npt.NDArray[Any] | None]:
    """RGB and alpha of 16-bit colour, by OpenCV; Pillow has proved the file whole."""
    image, stream = loaded.image, loaded.stream
    stream.seek(0)
    data = np.frombuffer(stream.read(), dtype=np.uint8)
    try:
        bgr = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        bgr = None
    if bgr is None or bgr.dtype != np.uint16 or bgr.shape[:2] != (image.height, image.width):
        return _shallow(image, profile, name)
    alpha = None
    if bgr.ndim == 2:
        bgr = bgr[..., None].repeat(3, axis=2)
    elif bgr.shape[2] == 4:
        alpha = bgr[..., 3]
    rgb = cast(Coded, np.ascontiguousarray(bgr[..., 2::-1]))
    return profiles.deep_to_srgb(rgb, profile, name), alpha


def write_image(path: str | Path, array: npt.NDArray[Any], *, quality: int = 95) -> None:
    """Write a picture, whole or not at all; the suffix decides the format.

    Args:
        path: ends in .png, .jpg, .jpeg, .webp, .tif, .tiff or .bmp.
        array: (H, W, 3) RGB, (H, W, 4) straight RGBA or (H, W) grey; uint8, uint16 (PNG and
            TIFF only), or float in [0, 1], which is written with 8 bits.
        quality: 1 to 100, of JPEG and WebP.

    Raises:
        CleanplateError: if the file cannot be written or its format cannot hold the array.
        TypeError, ValueError: if the array is not a picture.
    """
    if array.dtype.kind == "f":
        array = to_uint8(array)
    if array.dtype not in (np.uint8, np.uint16):
        raise TypeError(f"expected uint8, uint16 or float, got {array.dtype}")
    if array.size == 0 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise ValueError(f"expected (H, W), (H, W, 3) or (H, W, 4), got {array.shape}")
    data = _encode(path, array, quality)
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def _encode(path: str | Path, array: npt.NDArray[Any], quality: int) -> bytes:
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"):
        raise CleanplateError(
            f"cannot be written as {suffix!r}", file=path, cure="Use .png, .jpg, .webp or .tif."
        )
    if suffix not in (".png", ".tif", ".tiff"):
        if array.dtype == np.uint16:
            raise CleanplateError(
                f"{suffix} cannot hold 16 bits", file=path, cure="Use .png or .tif."
            )
        if array.ndim == 3 and array.shape[2] == 4 and suffix != ".webp":
            raise CleanplateError(
                f"{suffix} cannot hold transparency", file=path, cure="Use .png, .webp or .tif."
            )
    if suffix in (".png", ".tif", ".tiff"):
        # OpenCV: 16-bit colour, and PNG at several times Pillow's speed.
        if array.ndim == 3:
            array = array[..., [2, 1, 0, 3][: array.shape[2]]]
        _, coded = cv2.imencode(suffix, np.ascontiguousarray(array))
        return bytes(coded)
    buffer = io.BytesIO()
    options: dict[str, Any] = {} if suffix == ".bmp" else {"quality": quality}
    if suffix in (".jpg", ".jpeg"):
        options["subsampling"] = 0 if quality >= 90 else 2
    Image.fromarray(array).save(buffer, Image.registered_extensions()[suffix], **options)
    return buffer.getvalue()


def write_alpha(path: str | Path, alpha: Plane, *, bits: int = 8) -> None:
    """Write a matte, (H, W) in [0, 1], as a grey picture of 8 or 16 bits.

    Raises:
        CleanplateError: as `write_image`.
        ValueError: if `bits` is neither 8 nor 16 or the array is not (H, W).
    """
    if bits not in (8, 16):
        raise ValueError(f"expected 8 or 16 bits, got {bits}")
    if alpha.ndim != 2:
        raise ValueError(f"expected (H, W), got {alpha.shape}")
    write_image(path, to_uint8(alpha) if bits == 8 else to_uint16(alpha))


def to_float(coded: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Scale uint8 or uint16 to float32 in [0, 1]; floats are only made float32.

    Raises:
        TypeError: on any other dtype.
    """
    if coded.dtype == np.uint8:
        return np.multiply(coded, np.float32(1 / 255), dtype=np.float32)
    if coded.dtype == np.uint16:
        return np.multiply(coded, np.float32(1 / 65535), dtype=np.float32)
    if coded.dtype.kind != "f":
        raise TypeError(f"expected uint8, uint16 or float, got {coded.dtype}")
    return coded.astype(np.float32, copy=False)


def to_uint8(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Round floats in [0, 1] to uint8 (any shape), clipping what is outside; NaN becomes 0."""
    return _quantised(values, 255).astype(np.uint8)


def to_uint16(values: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    """Round floats in [0, 1] to uint16 (any shape), clipping what is outside; NaN becomes 0."""
    return _quantised(values, 65535).astype(np.uint16)


def _quantised(values: npt.NDArray[Any], top: int) -> npt.NDArray[np.float32]:
    if values.dtype.kind != "f":
        raise TypeError(f"expected float, got {values.dtype}")
    scaled = np.multiply(values, np.float32(top), dtype=np.float32)
    scaled += np.float32(0.5)
    np.fmax(scaled, 0, out=scaled)  # fmax, not clip: NaN must not reach the cast
    return np.fmin(scaled, top, out=scaled)


def resize(array: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """Resample (H, W) or (H, W, C) to `size` = (height, width); the dtype stays.

    Area average along an axis that shrinks, linear interpolation along one that grows.
    uint8, uint16, float32 or float64.

    Raises:
        TypeError, ValueError: on another dtype or an empty size.
    """
    if array.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        raise TypeError(f"expected uint8, uint16, float32 or float64, got {array.dtype}")
    height, width = size
    if min(height, width) < 1 or array.size == 0:
        raise ValueError(f"cannot resize {array.shape} to {size}")
    out = array
    small = (min(height, array.shape[0]), min(width, array.shape[1]))
    if small != out.shape[:2]:
        out = cv2.resize(out, small[::-1], interpolation=cv2.INTER_AREA)
    if (height, width) != out.shape[:2]:
        out = cv2.resize(out, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.array(out).reshape(height, width, *array.shape[2:])
