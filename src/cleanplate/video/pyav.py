"""PyAV, the binding of FFmpeg's libraries, which the extra `video` brings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cleanplate.errors import require

__all__ = ["av"]

if TYPE_CHECKING:
    import av
else:
    av = require("av", "video")
