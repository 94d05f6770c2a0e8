"""What is shown behind the subject of a clip: a colour, a picture, or another clip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from cleanplate.arrays import Bytes
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import as_uint8
from cleanplate.predict.output.rendered_image import background_picture, colour
from cleanplate.predict.size import Size
from cleanplate.video.clip import ClipFrame
from cleanplate.video.clip_reader import open_clip
from cleanplate.video.pipeline import prefetched

MOVIES = frozenset((".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mts", ".y4m"))
"""Endings by which a background is taken for a clip."""


class Background(Protocol):
    """What a frame is laid over."""

    def behind(self, frame: ClipFrame) -> Bytes:
        """Give (H, W, 3) uint8 of the frame's size."""

    def close(self) -> None:
        """Let go of files."""


class StillBackground:
    """A colour or a picture: the same for all frames."""

    def __init__(self, source: str | Path, size: Size):
        self._pixels = np.ascontiguousarray(as_uint8(background_picture(source, size)))

    def behind(self, frame: ClipFrame) -> Bytes:
        """Give the same picture for each."""
        return self._pixels

    def close(self) -> None:
        """Nothing is open."""


class ClipBackground:
    """A clip, in step with the frames' times; over its end it begins again.

    Raises:
        CleanplateError: it cannot be read, or holds no frame.
    """

    def __init__(self, source: str | Path, size: Size):
        self._source, self._size = source, size
        self._clip = open_clip(source)
        self._frames = self._begin()
        self._shift = 0.0
        first = next(self._frames, None)
        if first is None:
            raise CleanplateError("has no frames", file=source)
        self._now, self._next = first, next(self._frames, None)
        self._pixels = self._covering(first)
        self._start: float | None = None

    def behind(self, frame: ClipFrame) -> Bytes:
        """Give the background's frame that is shown at the frame's time."""
        if self._start is None:
            self._start = float(frame.time)
        time = float(frame.time) - self._start
        changed = False
        while True:
            if self._next is None:
                last = float(self._now.time - self._clip.facts.start)
                step = float(self._now.duration or 1 / (self._clip.facts.frame_rate or 25))
                if time < self._shift + last + step:
                    break
                self._shift += last + step
                self._frames = self._begin()
                self._now = next(self._frames)
                self._next = next(self._frames, None)
            elif self._shift + float(self._next.time - self._clip.facts.start) <= time:
                self._now, self._next = self._next, next(self._frames, None)
            else:
                break
            changed = True
        if changed:
            self._pixels = self._covering(self._now)
        return self._pixels

    def close(self) -> None:
        """Close the clip."""
        close = getattr(self._frames, "close", None)
        if close is not None:
            close()
        self._clip.close()

    def _begin(self) -> Iterator[ClipFrame]:
        return prefetched(self._clip.frames())

    def _covering(self, frame: ClipFrame) -> Bytes:
        return np.ascontiguousarray(as_uint8(background_picture(frame.rgb, self._size)))


def background_of(source: str | Path, size: Size) -> Background:
    """Open a background: a colour ("#rrggbb", a CSS name), a picture or a clip.

    Args:
        source: files are told apart by their ending, see `MOVIES`.
        size: (height, width) of the frames; pictures are scaled to cover it and cropped.

    Raises:
        CleanplateError: it cannot be read.
    """
    if Path(source).suffix.lower() in MOVIES and colour(str(source)) is None:
        return ClipBackground(source, size)
    return StillBackground(source, size)
