"""Small whole files of every format that is read; mutants are made of them."""

from __future__ import annotations

import io
import struct
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from cleanplate.depth import write_depth
from cleanplate.errors import CleanplateError
from tests.picture_bytes import (
    SRGB_CURVE,
    gamma_curve,
    grey_profile,
    iccp,
    png16,
    rgb_profile,
    saved,
    table_profile,
    tiff,
)

SIZE = (40, 48)
"""(H, W) of every file that is made here."""

HEIC = Path(__file__).resolve().parents[1] / "formats" / "files" / "turned.heic"


def pictures() -> dict[str, bytes]:
    """Name with suffix -> whole file: 8 and 16 bits, grey, colour, alpha, CMYK, animations."""
    rgb = _scene(np.uint8)
    deep = _scene(np.uint16)
    colour = Image.fromarray(rgb)
    alpha = Image.fromarray(rgb[..., 0])
    clear = colour.copy()
    clear.putalpha(alpha)
    grey, cmyk = colour.convert("L"), colour.convert("CMYK")
    exif = Image.Exif()
    exif[0x0112] = 6
    palette = colour.quantize(32)
    second = colour.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    srgb = rgb_profile(SRGB_CURVE)
    moving = {"save_all": True, "append_images": [second], "duration": 40}
    packed = {
        f"{name}.tif": _pillow(colour, "TIFF", compression=name)
        for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
    }
    made = {
        "rgb.png": _pillow(colour, "PNG", exif=exif, icc_profile=srgb),
        "rgba.png": _pillow(clear, "PNG"),
        "palette.png": _pillow(palette, "PNG", transparency=3),
        "grey.png": _pillow(grey, "PNG"),
        "bilevel.png": _pillow(grey.convert("1"), "PNG"),
        "moving.png": _pillow(colour, "PNG", **moving),
        "grey16.png": png16(deep[..., :1], chunks=iccp(grey_profile(gamma_curve(1.8)))),
        "rgb16.png": png16(deep, chunks=iccp(rgb_profile(gamma_curve(2.2)))),
        "rgba16.png": png16(np.dstack([deep, deep[..., 0]])),
        "table16.png": png16(deep, chunks=iccp(table_profile(b"RGB "))),
        "baseline.jpg": _pillow(colour, "JPEG", exif=exif, icc_profile=srgb),
        "progressive.jpg": _pillow(colour, "JPEG", progressive=True),
        "restarts.jpg": _pillow(colour, "JPEG", restart_marker_blocks=4, subsampling=0),
        "grey.jpg": _pillow(grey, "JPEG"),
        "cmyk.jpg": _pillow(cmyk, "JPEG", icc_profile=table_profile(b"CMYK")),
        "two.mpo": _pillow(colour, "MPO", save_all=True, append_images=[second.copy()]),
        "lossy.webp": _pillow(colour, "WEBP", exif=exif),
        "lossless.webp": _pillow(clear, "WEBP", lossless=True),
        "moving.webp": _pillow(colour, "WEBP", **moving),
        **packed,
        "cmyk.tif": _pillow(cmyk, "TIFF"),
        "pages.tif": _pillow(colour, "TIFF", save_all=True, append_images=[second]),
        "group4.tif": _pillow(grey.convert("1"), "TIFF", compression="group4"),
        "tiles.tif": _tiled(rgb),
        "tiles16.tif": _tiled(deep),
        "rgb16.tif": tiff(deep, orientation=3),
        "rgb16-motorola.tif": tiff(deep, order=">"),
        "rgba16.tif": tiff(np.dstack([deep, deep[..., 0]]), extra=1),
        "lzw16.tif": _opencv(".tif", deep, cv2.IMWRITE_TIFF_COMPRESSION, 5),
        "deflate16.tif": _opencv(".tif", deep, cv2.IMWRITE_TIFF_COMPRESSION, 8),
        "rgb.bmp": _pillow(colour, "BMP"),
        "rgbx.bmp": _pillow(clear, "BMP"),
        "palette.bmp": _pillow(palette, "BMP"),
        "still.gif": _pillow(palette, "GIF", transparency=2),
        "moving.gif": _pillow(colour, "GIF", **moving),
        "grey.pgm": _pillow(grey, "PPM"),
        "grey16.pgm": b"P5 %d %d 65535\n" % SIZE[::-1] + deep[..., 0].astype(">u2").tobytes(),
        "rgb.ppm": _pillow(colour, "PPM"),
        "deep.ppm": b"P6 %d %d 65535\n" % SIZE[::-1] + deep.astype(">u2").tobytes(),
        "plain.ppm": b"P3 %d %d 255\n" % SIZE[::-1] + b" ".join(b"%d" % v for v in rgb.ravel()),
        "bilevel.pbm": _pillow(grey.convert("1"), "PPM"),
        "rgb.tga": _pillow(colour, "TGA"),
        "packed.tga": _pillow(clear, "TGA", compression="tga_rle"),
        "palette.tga": _pillow(palette, "TGA"),
        "rgb.jp2": _pillow(colour, "JPEG2000"),
        "grey16.jp2": _pillow(Image.fromarray(deep[..., 0]), "JPEG2000"),
        "rgba.jp2": _pillow(clear, "JPEG2000", irreversible=True),
    }
    if ".avif" in Image.registered_extensions():
        made["rgb.avif"] = _pillow(colour, "AVIF", exif=exif)
        made["rgba.avif"] = _pillow(clear, "AVIF")
    if find_spec("pi_heif"):  # which decodes alone
        made["turned.heic"] = HEIC.read_bytes()
    return made


def depths() -> dict[str, bytes]:
    """Name with suffix -> whole depth file: every ending and sample type that is read."""
    metres = _metres()
    deep = np.rint(metres * 1000).astype(np.uint16)
    holes = metres.copy()
    holes[:4], holes[4:8] = np.nan, np.inf
    made = {
        "float32.npy": _npy(holes),
        "float64.npy": _npy(metres.astype(np.float64)),
        "fortran.npy": _npy(np.asfortranarray(metres)),
        "big-endian.npy": _npy(metres.astype(">f4")),
        "millimetres.npy": _npy(deep),
        "channel.npy": _npy(metres[None]),
        "float.tif": _written("a.tif", holes),
        "millimetres.tif": _pillow(Image.fromarray(deep), "TIFF"),
        "packed.tif": _pillow(Image.fromarray(deep), "TIFF", compression="tiff_lzw"),
        "tiles.tif": _tiled(deep[..., None]),
        "millimetres.png": _written("a.png", metres),
        "holes.png": _written("a.png", holes),
        "integers.tif": _pillow(Image.fromarray(deep.astype(np.int32)), "TIFF"),
    }
    with suppress(CleanplateError):  # no library for it is here
        made["float.exr"] = _written("a.exr", holes)
    with suppress(ImportError):
        made |= _exr(metres)
    return made


def _exr(depth: np.ndarray) -> dict[str, bytes]:
    """Depth as other programs write it: halves, tiles, more channels, each packed otherwise."""
    import OpenEXR

    forms = {
        "half.exr": ({"Z": depth.astype(np.float16)}, OpenEXR.PIZ_COMPRESSION),
        "layers.exr": ({"ViewLayer.Depth.Z": depth, "A": depth * 0 + 1}, OpenEXR.RLE_COMPRESSION),
        "lossy.exr": ({"Z": depth}, OpenEXR.PXR24_COMPRESSION),
        "wavelets.exr": ({"Z": depth.astype(np.float16)}, OpenEXR.DWAA_COMPRESSION),
    }
    made = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (channels, packing) in forms.items():
            header = {"compression": packing, "type": OpenEXR.scanlineimage}
            OpenEXR.File(header, channels).write(str(Path(folder, name)))
            made[name] = Path(folder, name).read_bytes()
    return made


def _scene(kind: type[np.unsignedinteger]) -> np.ndarray:
    """(H, W, 3): a gradient with grain, so that no coder has it easy."""
    height, width = SIZE
    rows, columns = np.mgrid[:height, :width]
    grain = np.random.default_rng(0).normal(0, 0.05, (height, width, 3))
    levels = np.dstack([rows / height, columns / width, (rows + columns) / (height + width)])
    return np.rint(np.clip(levels + grain, 0, 1) * np.iinfo(kind).max).astype(kind)


def _metres() -> np.ndarray:
    """(H, W) float32: a floor that comes nearer."""
    rows = np.linspace(6, 1.5, SIZE[0], dtype=np.float32)
    return np.repeat(rows[:, None], SIZE[1], axis=1)


def _pillow(image: Image.Image, form: str, **options: object) -> bytes:
    # A copy: a picture remembers the settings of the coder that saved it last.
    return saved(image.copy(), form, **options).getvalue()


def _opencv(suffix: str, rgb: np.ndarray, *options: int) -> bytes:
    return bytes(cv2.imencode(suffix, rgb[..., ::-1], list(options))[1])


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _written(name: str, depth: np.ndarray) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        write_depth(path, depth)
        return path.read_bytes()


def _tiled(samples: np.ndarray, side: int = 32) -> bytes:
    """A little-endian TIFF of (H, W, C) in uncompressed square tiles: no library here writes it."""
    height, width, channels = samples.shape
    down, across = -(-height // side), -(-width // side)
    room = np.zeros((down * side, across * side, channels), samples.dtype)
    room[:height, :width] = samples
    tiles = room.reshape(down, side, across, side, channels).swapaxes(1, 2)
    data = tiles.astype(samples.dtype.newbyteorder("<")).tobytes()
    count, length = down * across, len(data) // (down * across)
    tags: list[tuple[int, str, list[int]]] = [
        (256, "H", [width]),
        (257, "H", [height]),
        (258, "H", [samples.itemsize * 8] * channels),
        (259, "H", [1]),
        (262, "H", [2 if channels == 3 else 1]),
        (277, "H", [channels]),
        (322, "H", [side]),
        (323, "H", [side]),
        (324, "I", []),
        (325, "I", [length] * count),
    ]
    heap_start = 8 + 2 + 12 * len(tags) + 4
    heap_size = 2 * channels * (channels > 2) + 4 * count * 2
    first = heap_start + heap_size
    tags[8] = (324, "I", [first + length * i for i in range(count)])
    entries, heap = b"", b""
    for tag, form, values in tags:
        packed = struct.pack(f"<{len(values)}{form}", *values)
        if len(packed) > 4:
            place = struct.pack("<I", heap_start + len(heap))
            heap += packed
        else:
            place = packed.ljust(4, b"\0")
        entries += struct.pack("<HHI", tag, 3 if form == "H" else 4, len(values)) + place
    assert len(heap) == heap_size
    start = b"II*\0" + struct.pack("<IH", 8, len(tags))
    return start + entries + b"\0\0\0\0" + heap + data
