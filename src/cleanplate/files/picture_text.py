"""Text metadata in PNG and JPEG files: comments, and the checksum that marks own files (seal).

Written at the byte level, because Pillow adds text only by encoding the pixels again.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER = len(_PNG) + 25
"""Bytes of the signature and the IHDR chunk, which must come first."""

_JPEG = b"\xff\xd8"
_SEAL = rb"Cleanplate sha256:([0-9a-f]{64})"
_SEALED_PNG = re.compile(rb"....tEXtSoftware\x00" + _SEAL + rb"....", re.DOTALL)
_SEALED_JPEG = re.compile(rb"\xff\xfe.." + _SEAL, re.DOTALL)
HEAD = 4096
"""Bytes at the start of a file within which the seal is found."""


def with_text(data: bytes, text: str, *, key: str = "Comment") -> bytes:
    """Insert a text chunk (PNG) or comment segment (JPEG) before the pixels.

    PNG specification (third edition), section 11.3.3.2 tEXt; ITU-T T.81, section B.2.4.5 (COM).

    Args:
        data: the whole file.
        text: Latin-1; other characters become "?".
        key: keyword of the PNG chunk ("Comment", "Software", ...); not used for JPEG.

    Returns:
        the file with the text; `data` itself if it is neither PNG nor JPEG.
    """
    content = text.encode("latin-1", "replace")
    if data.startswith(_PNG):
        body = b"tEXt" + key.encode("latin-1") + b"\0" + content
        chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        return data[:_PNG_HEADER] + chunk + data[_PNG_HEADER:]
    if data.startswith(_JPEG):
        segment = b"\xff\xfe" + struct.pack(">H", len(content) + 2) + content
        place = len(_JPEG)
        if data[place : place + 2] == b"\xff\xe0":  # the JFIF segment must come first
            place += 2 + struct.unpack(">H", data[place + 2 : place + 4])[0]
        return data[:place] + segment + data[place:]
    return data


def with_seal(data: bytes) -> bytes:
    """Insert a seal into a PNG or JPEG file: the package's name and the SHA-256 of the file.

    `is_sealed` verifies it; any changed byte invalidates it. Other formats are returned unchanged.
    """
    digest = hashlib.sha256(data).hexdigest()
    return with_text(data, f"Cleanplate sha256:{digest}", key="Software")


def is_sealed(data: bytes) -> bool:
    """Return whether a PNG or JPEG file has a valid seal of `with_seal`, so is unchanged."""
    pattern = _SEALED_PNG if data.startswith(_PNG) else _SEALED_JPEG
    found = pattern.search(data, 0, HEAD)
    if found is None:
        return False
    rest = data[: found.start()] + data[found.end() :]
    return hashlib.sha256(rest).hexdigest() == found[1].decode()


def bears_seal(head: bytes) -> bool:
    """Return whether the first bytes of a PNG or JPEG file contain a seal, valid or not."""
    return re.search(_SEAL, head[:HEAD]) is not None
