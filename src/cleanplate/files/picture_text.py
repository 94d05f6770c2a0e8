"""Short texts inside PNG and JPEG files: a comment for people, and the seal of what wrote them.

By hand, because Pillow adds a text only by encoding the pixels again.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER = len(_PNG) + 25
"""Bytes of the signature and of the header chunk, which must come first."""

_JPEG = b"\xff\xd8"
_SEAL = rb"Cleanplate sha256:([0-9a-f]{64})"
_SEALED_PNG = re.compile(rb"....tEXtSoftware\x00" + _SEAL + rb"....", re.DOTALL)
_SEALED_JPEG = re.compile(rb"\xff\xfe.." + _SEAL, re.DOTALL)
HEAD = 4096
"""The seal stands within so many bytes of the file's begin."""


def with_text(data: bytes, text: str, *, key: str = "Comment") -> bytes:
    """Put a text into a PNG or JPEG file, before its pixels.

    Args:
        data: the whole file.
        text: of Latin-1 characters.
        key: a keyword of the PNG standard ("Comment", "Software", ...); JPEG has none.

    Returns:
        the file with the text; `data` itself if it is neither PNG nor JPEG.

    PNG specification (third edition), section 11.3.3.2 tEXt; JPEG: ITU-T T.81, B.2.4.5 comment.
    """
    content = text.encode("latin-1", "replace")
    if data.startswith(_PNG):
        body = b"tEXt" + key.encode("latin-1") + b"\0" + content
        chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        return data[:_PNG_HEADER] + chunk + data[_PNG_HEADER:]
    if data.startswith(_JPEG):
        segment = b"\xff\xfe" + struct.pack(">H", len(content) + 2) + content
        place = len(_JPEG)
        if data[place : place + 2] == b"\xff\xe0":  # JFIF wants its own segment first
            place += 2 + struct.unpack(">H", data[place + 2 : place + 4])[0]
        return data[:place] + segment + data[place:]
    return data


def with_seal(data: bytes) -> bytes:
    """Put into a PNG or JPEG file that this package wrote it, and the SHA-256 of the rest.

    `is_sealed` knows the file by it for as long as nobody changes a byte. Files of other formats
    are given back as they are.
    """
    digest = hashlib.sha256(data).hexdigest()
    return with_text(data, f"Cleanplate sha256:{digest}", key="Software")


def is_sealed(data: bytes) -> bool:
    """Whether a PNG or JPEG file was written by `with_seal` and not changed since."""
    pattern = _SEALED_PNG if data.startswith(_PNG) else _SEALED_JPEG
    found = pattern.search(data, 0, HEAD)
    if found is None:
        return False
    rest = data[: found.start()] + data[found.end() :]
    return hashlib.sha256(rest).hexdigest() == found[1].decode()


def bears_seal(head: bytes) -> bool:
    """Whether the first bytes of a PNG or JPEG file have a seal, fitting or not."""
    return re.search(_SEAL, head[:HEAD]) is not None
