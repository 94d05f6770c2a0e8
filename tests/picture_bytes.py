"""Picture files and colour profiles written byte by byte: what no library here will write."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

SRGB_COLORANTS = (
    (0.43607, 0.22249, 0.01392),
    (0.38515, 0.71687, 0.09708),
    (0.14307, 0.06061, 0.7141),
)
"""XYZ (D50) of sRGB's red, green and blue."""

P3_COLORANTS = (
    (0.51512, 0.2412, -0.00105),
    (0.29198, 0.69225, 0.04189),
    (0.1571, 0.06657, 0.78407),
)
"""XYZ (D50) of Display P3's red, green and blue."""


def saved(image: Image.Image, form: str, **options: object) -> io.BytesIO:
    """A file of `image`, as Pillow writes it."""
    stream = io.BytesIO()
    image.save(stream, form, **options)
    stream.seek(0)
    return stream


def png16(samples: np.ndarray, *, chunks: dict[bytes, bytes] | None = None) -> bytes:
    """A PNG of (H, W, 1 to 4) uint16: grey, grey + alpha, RGB, RGBA."""
    height, width, channels = samples.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)),
            *(chunk(name, data) for name, data in (chunks or {}).items()),
            chunk(b"IDAT", zlib.compress(rows)),
            chunk(b"IEND", b""),
        ]
    )


def iccp(profile: bytes) -> dict[bytes, bytes]:
    """The PNG chunk that embeds a profile."""
    return {b"iCCP": b"test\0\0" + zlib.compress(profile)}


def tiff(
    samples: np.ndarray,
    *,
    orientation: int = 1,
    extra: int | None = None,
    order: str = "<",
    planar: bool = False,
    white_is_zero: bool = False,
) -> bytes:
    """An uncompressed TIFF of (H, W, C); `extra` is the kind of the last channel.

    `planar` stores one channel after the other, each as a strip.
    """
    height, width, channels = samples.shape
    bits = samples.itemsize * 8
    stored = np.moveaxis(samples, 2, 0) if planar else samples
    data = stored.astype(samples.dtype.newbyteorder(order)).tobytes()
    strips = channels if planar else 1
    kind = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    short, long = 3, 4
    tags = {
        256: (long, [width]),
        257: (long, [height]),
        258: (short, [bits] * channels),
        259: (short, [1]),
        262: (short, [2 if channels >= 3 else 0 if white_is_zero else 1]),
        273: (long, [0] * strips),
        274: (short, [orientation]),
        277: (short, [channels]),
        278: (long, [height]),
        279: (long, [len(data) // strips] * strips),
        284: (short, [2 if planar else 1]),
        339: (short, [kind] * channels),
    }
    if extra is not None:
        tags[338] = (short, [extra])
    heap_start = 8 + 2 + 12 * len(tags) + 4
    sizes = {tag: len(v) * (2 if t == short else 4) for tag, (t, v) in tags.items()}
    heap_size = sum(size + size % 2 for size in sizes.values() if size > 4)
    first = heap_start + heap_size
    tags[273] = (long, [first + i * len(data) // strips for i in range(strips)])
    entries, heap = b"", b""
    for tag, (kind_of_tag, values) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(values)}{'H' if kind_of_tag == short else 'I'}", *values)
        if len(packed) > 4:
            place = struct.pack(f"{order}I", heap_start + len(heap))
            heap += packed + b"\0" * (len(packed) % 2)
        else:
            place = packed.ljust(4, b"\0")
        entries += struct.pack(f"{order}HHI", tag, kind_of_tag, len(values)) + place
    magic = b"II*\0" if order == "<" else b"MM\0*"
    start = magic + struct.pack(f"{order}I", 8) + struct.pack(f"{order}H", len(tags))
    return start + entries + struct.pack(f"{order}I", 0) + heap + data


def _profile(space: bytes, connection: bytes, tags: dict[bytes, bytes], kind: bytes) -> bytes:
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0".ljust(83, b"\0"),
        b"wtpt": _xyz(0.9642, 1.0, 0.8249),
        **tags,
    }
    table, body = struct.pack(">I", len(tags)), b""
    offset = 128 + 4 + 12 * len(tags)
    for sign, data in tags.items():
        table += struct.pack(">4sII", sign, offset + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    header = struct.pack(
        ">I4sI4s4s4s", 128 + len(table) + len(body), b"lcms", 0x02400000, kind, space, connection
    )
    header += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28
    header += struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + body


def _xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in values))


def gamma_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def table_curve(values: np.ndarray) -> bytes:
    levels = np.rint(values * 65535).astype(int)
    return b"curv\0\0\0\0" + struct.pack(f">I{len(levels)}H", len(levels), *levels)


def parametric_curve(kind: int, *values: float) -> bytes:
    fixed = [round(v * 65536) for v in values]
    return b"para\0\0\0\0" + struct.pack(f">HH{len(fixed)}i", kind, 0, *fixed)


SRGB_CURVE = parametric_curve(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def rgb_profile(curve: bytes, colorants: tuple = SRGB_COLORANTS) -> bytes:
    """A profile of one curve and a matrix."""
    tags = {s + b"TRC": curve for s in (b"r", b"g", b"b")}
    tags |= {s + b"XYZ": _xyz(*c) for s, c in zip((b"r", b"g", b"b"), colorants, strict=True)}
    return _profile(b"RGB ", b"XYZ ", tags, b"mntr")


def grey_profile(curve: bytes) -> bytes:
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": curve}, b"mntr")


def table_profile(space: bytes) -> bytes:
    """A profile of look-up tables, for b'CMYK' or b'RGB ': each corner has a plain Lab colour."""
    inputs = 4 if space == b"CMYK" else 3
    ramp = bytes(range(256))
    corners = b""
    for corner in range(2**inputs):
        ink = np.array([corner >> (inputs - 1 - i) & 1 for i in range(inputs)], float)
        light = (1 - ink[:3]) * (1 - ink[3]) if inputs == 4 else ink[:3]
        lightness = light @ (0.25, 0.6, 0.15)
        a, b = 60 * (light[0] - light[1]), 60 * (light[1] - light[2])
        corners += bytes([round(lightness * 255), round(a + 128), round(b + 128)])
    matrix = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    table = b"mft1\0\0\0\0" + bytes([inputs, 3, 2, 0]) + matrix + ramp * inputs + corners + ramp * 3
    kind = b"prtr" if space == b"CMYK" else b"scnr"
    return _profile(space, b"Lab ", {b"A2B0": table}, kind)
