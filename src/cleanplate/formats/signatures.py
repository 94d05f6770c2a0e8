"""File format detection by magic numbers: formats that are read, and errors for all others."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from PIL import Image

from cleanplate.errors import CleanplateError, MissingExtraError, install_command

HEAD = 400
"""Bytes at the start of a file that are enough to detect its format."""

# An explicit list, so that plug-ins which run external programs (EPS) are never used.
_FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "GIF", "PPM", "TGA", "JPEG2000", "AVIF")

# `pi_heif` only decodes; unlike the wheels of `pillow_heif` it contains no GPL library.
_HEIF_PLUGINS = ("pi_heif", "pillow_heif")

# Brands of ISO/IEC 14496-12 files, bytes 8 to 11 (HEIF: ISO/IEC 23008-12, annex B).
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")

# QuickTime files may start with any of these atoms instead of `ftyp`.
_MOVIE_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_VIDEO_STARTS = (
    b"\x1a\x45\xdf\xa3",  # Matroska, WebM
    b"\x00\x00\x01\xba",  # MPEG program stream
    b"\x00\x00\x01\xb3",  # MPEG video
    b"FLV\x01",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF: WMV
    b"OggS",
)
_MACOS_METADATA = b"\x00\x05\x16\x07"  # AppleDouble


def pillow_formats(head: bytes, name: str) -> list[str]:
    """Return the names of the Pillow formats to try on a file.

    The HEIF plug-in is loaded on the first HEIC file.

    Args:
        head: first `HEAD` bytes of the file.
        name: file name, for errors.

    Raises:
        MissingExtraError: if the file is HEIC or AVIF and its decoder is not installed.
        CleanplateError: if the file is HEIC and the installed decoder cannot be imported.
    """
    Image.init()
    kind = "" if head[4:8] != b"ftyp" else _still_kind(head)
    if kind == "HEIC" and "HEIF" not in Image.OPEN:
        _load_heif(name)
    if kind == "AVIF" and "AVIF" not in Image.OPEN:
        raise MissingExtraError("a Pillow with AVIF (from 11.3 on)", "heif", file=name)
    formats = [*_FORMATS, "HEIF"] if kind == "HEIC" else _FORMATS
    return [form for form in formats if form in Image.OPEN]


def unreadable(head: bytes, name: str) -> CleanplateError:
    """Return the error for a file that no decoder recognises, with its probable type.

    Args:
        head: first `HEAD` bytes of the file.
        name: file name.
    """
    if _is_video(head):
        return CleanplateError(
            "is a video, not a picture",
            file=name,
            cure="Take its frames out and give their folder: "
            "mkdir frames && ffmpeg -i VIDEO frames/%05d.png",
        )
    if head.startswith(_MACOS_METADATA):
        return CleanplateError(
            "holds macOS metadata, not a picture",
            file=name,
            cure="Give the file of the same name without `._`; this one can be deleted.",
        )
    return CleanplateError(
        "is not a picture that can be read",
        file=name,
        cure="Save it as PNG, JPEG, WebP or TIFF, 8 or 16 bits.",
    )


def _still_kind(head: bytes) -> str:
    """Return "HEIC", "AVIF" or "" by the brands in `ftyp`: the major one, then the compatible."""
    size = int.from_bytes(head[:4], "big")
    listed = [head[i : i + 4] for i in range(16, min(size, len(head)), 4)]
    for brand in (head[8:12], *listed):
        if brand in _AVIF_BRANDS:
            return "AVIF"
        if brand in _HEIF_BRANDS[:6]:
            return "HEIC"
    # `mif1` and `msf1` alone do not specify the codec; libheif detects it.
    return "HEIC" if head[8:12] in _HEIF_BRANDS else ""


def _is_video(head: bytes) -> bool:
    if head.startswith(_VIDEO_STARTS) or head[4:8] in _MOVIE_ATOMS:
        return True
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return True
    # MPEG transport stream: packets of 188 bytes (.m2ts: 192, four bytes before each).
    return any(
        len(head) > first + size and head[first] == head[first + size] == 0x47
        for first, size in ((0, 188), (4, 192))
    )


def _load_heif(name: str) -> None:
    for plugin in _HEIF_PLUGINS:
        if find_spec(plugin) is None:
            continue
        try:
            import_module(plugin).register_heif_opener()
        except ImportError as error:
            raise CleanplateError(
                f"is HEIC, and {plugin} does not load ({error})",
                file=name,
                cure=install_command("heif"),
            ) from error
        return
    raise MissingExtraError("pi-heif (the picture is HEIC)", "heif", file=name)
