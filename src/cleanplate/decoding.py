"""Picture files to upright arrays: the decoders, and their faults in a person's words."""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from cleanplate import profiles
from cleanplate.arrays import Coded
from cleanplate.errors import CleanplateError
from cleanplate.files import opened

Source: TypeAlias = str | Path | IO[bytes]

MAX_PIXELS = 2 * 8192 * 8192
"""A picture with more pixels than this is refused before it is decoded."""

# Named, so that no plug-in that runs other programs (EPS) is ever reached.
_FORMATS = ["PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "GIF", "PPM", "TGA", "JPEG2000", "AVIF"]

# What Pillow's and OpenCV's decoders raise on damaged files has no narrower common type.
_DECODER_FAULTS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    RuntimeError,
    struct.error,
    zlib.error,
    cv2.error,
)


def decode(
    source: Source, max_pixels: int, *, managed: bool = True
) -> tuple[Coded, npt.NDArray[Any] | None]:
    """Decode the first frame: (H, W, 3) RGB and (H, W) alpha or None, uint8 or uint16.

    Args:
        source: a path, or an open binary file.
        max_pixels: refuse larger pictures before they are decoded.
        managed: whether to convert an embedded colour profile to sRGB.
    """
    name = name_of(source)
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


def decode_samples(source: Source, max_pixels: int) -> npt.NDArray[Any]:
    """Decode the stored numbers of a picture: (H, W) or (H, W, C), upright, otherwise untouched.

    For pictures that hold something else than light, such as depth: no profile, no curve,
    any sample type that Pillow holds in full (floats and 32-bit integers too).

    Raises:
        CleanplateError: as `pictures.read_image`.
    """
    name = name_of(source)
    with _loaded(source, max_pixels) as loaded:
        if loaded.deep:
            raise CleanplateError("has 16-bit colour", file=name, cure="Give a grey picture.")
        return np.ascontiguousarray(_upright(np.asarray(loaded.image), loaded.orientation))


class _Loaded(NamedTuple):
    image: Image.Image
    stream: IO[bytes]
    orientation: int  # EXIF's, still to be undone
    raw: str  # how samples lie in the file, in Pillow's words: 'RGB;16B', 'L', ...

    @property
    def deep(self) -> bool:
        """Whether the file holds 16-bit colour, of which `image` has only the upper 8 bits."""
        return ";16" in self.raw and self.image.mode in ("RGB", "RGBA", "LA")


@contextmanager
def _loaded(source: Source, max_pixels: int) -> Iterator[_Loaded]:
    """Decode the first frame with Pillow, with every fault said."""
    name = name_of(source)
    with _opened(source) as stream, _pillow_quiet():
        with _told(name):
            image = _image(stream)
            width, height = image.size
            if width * height > max_pixels:
                raise CleanplateError(
                    f"has {width} x {height} pixels, more than the limit of {max_pixels}",
                    file=name,
                    cure="Make it smaller, or raise the limit (max_pixels) if you trust it.",
                )
            raw = _raw_mode(image)  # asked before loading, which forgets it
            # Pillow itself turns TIFF upright when it loads it.
            orientation = 1 if image.format == "TIFF" else _orientation(image)
            image.load()
        with image:
            yield _Loaded(image, stream, orientation, raw)


def name_of(source: Source) -> str:
    """Name a source for messages."""
    if isinstance(source, (str, Path)):
        return str(source)
    return str(getattr(source, "name", "the given stream"))


@contextmanager
def _opened(source: Source) -> Iterator[IO[bytes]]:
    """Give a seekable stream of the whole file, from its first byte."""
    if not isinstance(source, (str, Path)):
        yield source if source.seekable() else io.BytesIO(source.read())
        return
    with opened(source) as stream:
        yield stream if stream.seekable() else io.BytesIO(stream.read())


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Say a decoder's fault as a person's."""
    try:
        yield
    except Image.DecompressionBombError as error:
        raise CleanplateError(
            "has too many pixels", file=name, cure="Make it smaller, if you trust the file."
        ) from error
    except UnidentifiedImageError as error:
        raise CleanplateError(
            "is not a picture that can be read",
            file=name,
            cure="Save it as PNG, JPEG, WebP or TIFF, 8 or 16 bits.",
        ) from error
    except MemoryError as error:
        raise CleanplateError(
            "does not fit into memory", file=name, cure="Make it smaller."
        ) from error
    except _DECODER_FAULTS as error:
        raise CleanplateError(
            f"is damaged or cut short ({error})", file=name, cure="Copy or save it again."
        ) from error


def _image(stream: IO[bytes]) -> Image.Image:
    stream.seek(0)
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
    tiles = getattr(image, "tile", None)
    if not tiles:
        return ""
    args = tiles[0][3]
    return str(args[0] if isinstance(args, tuple) and args else args)


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
    if image.mode == "F":
        raise CleanplateError(
            "has floating-point samples, whose range is not known",
            file=name,
            cure="Save it as 8 or 16 bits, sRGB.",
        )
    if image.mode.startswith("I"):
        return _grey16(image, profile, name)
    alpha = None
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode in ("1", "L", "LA", "La") else "RGBA")
        alpha = np.asarray(image.getchannel("A"))
    # Alpha is dropped before the profile, which is about colour only.
    if image.mode in ("LA", "RGBA", "P", "PA"):
        image = image.convert("L" if image.mode == "LA" else "RGB")
    return np.asarray(profiles.to_srgb(image, profile, name)), alpha


def _grey16(
    image: Image.Image, profile: bytes | None, name: str
) -> tuple[Coded, npt.NDArray[Any] | None]:
    samples = np.asarray(image)
    if samples.itemsize != 2 and image.format not in ("PNG", "PPM", "JPEG2000"):
        raise CleanplateError(
            "has 32-bit integer samples, whose range is not known",
            file=name,
            cure="Save it as 8 or 16 bits, sRGB.",
        )
    samples = samples.astype(np.uint16)
    hidden = image.info.get("transparency")
    alpha = np.where(samples == hidden, 0, 65535).astype(np.uint16) if hidden is not None else None
    rgb = np.repeat(samples[..., None], 3, axis=2)
    return profiles.deep_to_srgb(rgb, profile, name, grey=True), alpha


def _deep(
    loaded: _Loaded, profile: bytes | None, name: str
) -> tuple[Coded, npt.NDArray[Any] | None]:
    """RGB and alpha of 16-bit colour, by OpenCV; Pillow has proved the file whole."""
    loaded.stream.seek(0)
    data = np.frombuffer(loaded.stream.read(), dtype=np.uint8)
    with _told(name):
        bgr = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    size = (loaded.image.height, loaded.image.width)
    if bgr is None or bgr.dtype != np.uint16 or bgr.shape[:2] != size or bgr.ndim != 3:
        raise CleanplateError(
            "cannot be decoded in 16 bits", file=name, cure="Save it again as PNG, or in 8 bits."
        )
    alpha = None
    rgb = np.ascontiguousarray(bgr[..., 2::-1])
    if bgr.shape[2] == 4 and not loaded.raw.startswith("RGBX"):
        alpha = np.ascontiguousarray(bgr[..., 3])
        if loaded.raw.startswith("RGBa"):
            rgb = _straight(rgb, alpha)
    grey = loaded.raw.startswith("LA")
    return profiles.deep_to_srgb(rgb.astype(np.uint16), profile, name, grey=grey), alpha


def _straight(rgb: npt.NDArray[Any], alpha: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    """Divide stored-premultiplied 16-bit colour by its alpha."""
    colour = rgb.astype(np.float64) * 65535 / np.maximum(alpha, 1)[..., None]
    return np.asarray(np.rint(np.minimum(colour, 65535)), dtype=np.uint16)
