"""Picture decoding: files to upright arrays, with decoder exceptions turned into user errors."""

from __future__ import annotations

import io
import os
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

from cleanplate.arrays import Coded
from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import opened
from cleanplate.formats import icc_profiles, signatures, sixteen_bits

Source: TypeAlias = str | Path | IO[bytes]
"""Path of a picture file, or an open binary file."""

MAX_PIXELS = 2 * 8192 * 8192
"""Default pixel limit: a larger picture is refused before it is decoded."""

MAX_PIXELS_VARIABLE = "CLEANPLATE_MAX_PIXELS"
"""Environment variable that overrides the limit. Worker processes inherit it."""

# Exceptions of Pillow's and OpenCV's decoders on damaged files; no narrower type covers them.
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


def pixel_limit(max_pixels: int | None = None) -> int:
    """Return the pixel limit: the argument, else the environment variable, else `MAX_PIXELS`.

    Raises:
        CleanplateError: if the environment variable is not a positive integer.
    """
    if max_pixels is not None:
        return max_pixels
    text = os.environ.get(MAX_PIXELS_VARIABLE, "").strip()
    if not text:
        return MAX_PIXELS
    if not text.isdecimal() or int(text) < 1:
        raise CleanplateError(
            f"the environment variable {MAX_PIXELS_VARIABLE} is {text!r}",
            cure="Set it to a number of pixels, or unset it.",
        )
    return int(text)


def decode(
    source: Source, max_pixels: int | None = None, *, managed: bool = True
) -> tuple[Coded, npt.NDArray[Any] | None]:
    """Decode the first frame: (H, W, 3) RGB and (H, W) alpha or None, uint8 or uint16.

    Args:
        source: a path, or an open binary file.
        max_pixels: refuse larger pictures before they are decoded; None = `pixel_limit`.
        managed: whether to convert an embedded colour profile to sRGB.

    Raises:
        CleanplateError: as `pictures.read_image`.
    """
    name = name_of(source)
    with _loaded(source, max_pixels) as loaded:
        profile = loaded.image.info.get("icc_profile") if managed else None
        rgb: Coded
        alpha: npt.NDArray[Any] | None
        with _told(name):
            if loaded.deep:
                data = _bytes_of(loaded.stream)
                rgb, alpha = sixteen_bits.colour(data, loaded.image, loaded.raw, name)
                rgb = icc_profiles.deep_to_srgb(
                    rgb, profile, name, grey=loaded.raw.startswith("LA")
                )
            elif loaded.image.mode.startswith("I"):
                grey, alpha = sixteen_bits.grey(_bytes_of(loaded.stream), loaded.image, name)
                rgb = np.repeat(grey[..., None], 3, axis=2)
                rgb = icc_profiles.deep_to_srgb(rgb, profile, name, grey=True)
            else:
                rgb, alpha = _shallow(loaded.image, profile, name)
        rgb = np.ascontiguousarray(_upright(rgb, loaded.orientation))
        if alpha is not None:
            alpha = np.ascontiguousarray(_upright(alpha, loaded.orientation))
        return rgb, alpha


def decode_samples(source: Source, max_pixels: int | None = None) -> npt.NDArray[Any]:
    """Decode the stored samples of a picture: (H, W) or (H, W, C), upright, not converted.

    For data other than colour, such as depth: no colour profile, no transfer function, and any
    sample type that Pillow represents in full (also floats and 32-bit integers).

    Raises:
        CleanplateError: as `pictures.read_image`, and if the picture has 16-bit colour.
    """
    name = name_of(source)
    with _loaded(source, max_pixels) as loaded:
        if loaded.deep:
            raise CleanplateError("has 16-bit colour", file=name, cure="Give a grey picture.")
        if loaded.image.mode.startswith("I;16"):
            with _told(name):
                data = _bytes_of(loaded.stream)
                sixteen_bits.check_grey(data, np.asarray(loaded.image), loaded.image, name)
        return np.ascontiguousarray(_upright(np.asarray(loaded.image), loaded.orientation))


class _Loaded(NamedTuple):
    image: Image.Image
    stream: IO[bytes]
    orientation: int  # EXIF orientation, not yet applied
    raw: str  # Pillow's raw mode, the sample layout in the file: 'RGB;16B', 'L', ...

    @property
    def deep(self) -> bool:
        """Whether the file has 16-bit colour; `image` then has only the upper 8 bits."""
        return ";16" in self.raw and self.image.mode in ("RGB", "RGBA", "LA")


@contextmanager
def _loaded(source: Source, max_pixels: int | None) -> Iterator[_Loaded]:
    """Decode the first frame with Pillow, with decoder exceptions turned into user errors."""
    name = name_of(source)
    limit = pixel_limit(max_pixels)
    with _opened(source) as stream, _pillow_quiet(limit):
        with _told(name):
            image = _image(stream, name)
            width, height = image.size
            if width * height > limit:
                raise CleanplateError(
                    f"has {width} x {height} pixels, more than the limit of {limit}",
                    file=name,
                    cure="Make it smaller or, if you trust it, raise the limit: "
                    f"--max-pixels {width * height} (in Python max_pixels=..., "
                    f"in the environment {MAX_PIXELS_VARIABLE}).",
                )
            raw = _raw_mode(image)  # read before loading, which discards it
            sixteen_bits.refuse_planar(image, raw, name)
            # Pillow applies the orientation of a TIFF when it loads it.
            orientation = 1 if image.format == "TIFF" else _orientation(image)
            image.load()
        with image:
            yield _Loaded(image, stream, orientation, raw)


def _bytes_of(stream: IO[bytes]) -> npt.NDArray[np.uint8]:
    stream.seek(0)
    return np.frombuffer(stream.read(), dtype=np.uint8)


def name_of(source: Source) -> str:
    """Return the name of a source for error messages."""
    if isinstance(source, (str, Path)):
        return str(source)
    return str(getattr(source, "name", "the given stream"))


@contextmanager
def _opened(source: Source) -> Iterator[IO[bytes]]:
    """Yield a seekable stream of the whole file."""
    if not isinstance(source, (str, Path)):
        yield source if source.seekable() else io.BytesIO(source.read())
        return
    with opened(source) as stream:
        yield stream if stream.seekable() else io.BytesIO(stream.read())


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn decoder exceptions into `CleanplateError`."""
    try:
        yield
    except Image.DecompressionBombError as error:
        raise CleanplateError(
            "has more pixels than Pillow's own limit",
            file=name,
            cure="Make it smaller or, if you trust it, raise the limit: --max-pixels N "
            f"(in Python max_pixels=..., in the environment {MAX_PIXELS_VARIABLE}).",
        ) from error
    except MemoryError as error:
        raise CleanplateError(
            "does not fit into memory", file=name, cure="Make it smaller."
        ) from error
    except _DECODER_FAULTS as error:
        raise CleanplateError(
            f"is damaged or cut short ({error})", file=name, cure="Copy or save it again."
        ) from error


def _image(stream: IO[bytes], name: str) -> Image.Image:
    stream.seek(0)
    head = stream.read(signatures.HEAD)
    if not head:
        raise OSError("the file is empty")
    stream.seek(0)
    try:
        return Image.open(stream, formats=signatures.pillow_formats(head, name))
    except UnidentifiedImageError as error:
        raise signatures.unreadable(head, name) from error


class _Pillow:
    """Changes to Pillow's global state while pictures are read, with counts of the readers."""

    lock = threading.Lock()
    quiet = 0
    filters = warnings.catch_warnings()
    large = 0
    largest: int | None = None


@contextmanager
def _pillow_quiet(limit: int) -> Iterator[None]:
    """Suppress Pillow's warnings and raise its pixel limit, safely in several threads.

    `catch_warnings` alone would restore the wrong filters when threads exit in another order than
    they entered. So the first reader sets the filter and the last one removes it. Pillow's limit
    is removed only while a reader has a limit above `MAX_PIXELS`.
    """
    with _Pillow.lock:
        if _Pillow.quiet == 0:
            _Pillow.filters = warnings.catch_warnings()
            _Pillow.filters.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\.")
        _Pillow.quiet += 1
        lifts = limit > MAX_PIXELS
        if lifts:
            if _Pillow.large == 0:
                _Pillow.largest, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            _Pillow.large += 1
    try:
        yield
    finally:
        with _Pillow.lock:
            if lifts:
                _Pillow.large -= 1
                if _Pillow.large == 0:
                    Image.MAX_IMAGE_PIXELS = _Pillow.largest
            _Pillow.quiet -= 1
            if _Pillow.quiet == 0:
                _Pillow.filters.__exit__(None, None, None)


def _raw_mode(image: Image.Image) -> str:
    tiles = getattr(image, "tile", None)
    if not tiles:
        return ""
    args = tiles[0][3]
    return str(args[0] if isinstance(args, tuple) and args else args)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged EXIF is ignored; its parser can raise any exception
        return 1


def _upright(array: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Apply the EXIF orientation (tag 0x0112, values 1 to 8) to (H, W) or (H, W, C)."""
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
    """Return RGB and alpha of a loaded picture that Pillow represents in full bit depth."""
    if image.mode == "F":
        raise CleanplateError(
            "has floating-point samples, whose range is not known",
            file=name,
            cure="Save it as 8 or 16 bits, sRGB.",
        )
    alpha = None
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode in ("1", "L", "LA", "La") else "RGBA")
        alpha = np.asarray(image.getchannel("A"))
    # Alpha is removed before the profile is applied, which converts colour only.
    if image.mode in ("LA", "RGBA", "P", "PA"):
        image = image.convert("L" if image.mode == "LA" else "RGB")
    return np.asarray(icc_profiles.to_srgb(image, profile, name)), alpha
