"""Decoding of a container's video: from its start, or from a time stamp on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Any

from cleanplate.video.pyav import av

Warn = Callable[[str], None]
"""Takes a sentence on what was found."""


def video_stream(container: Any) -> Any:
    """Give the first video stream that is not a cover picture; None if there is none."""
    for stream in container.streams.video:
        if not stream.disposition & stream.disposition.attached_pic:
            return stream
    return None


def decoding(container: Any, warn: Warn) -> Iterator[av.VideoFrame]:
    """Give the frames of the first video stream that can be decoded, and note what cannot.

    Raises:
        av.FFmpegError: the container cannot be read from the start.
    """
    packets = container.demux(video_stream(container))
    begun = False
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError:
            if not begun:
                raise
            warn("it is damaged or cut short: what follows cannot be read")
            return
        try:
            frames = packet.decode()
        except av.EOFError:
            return
        except av.FFmpegError as error:
            if isinstance(error, av.MemoryError):
                raise
            warn("damaged packets were passed over")
            continue
        for frame in frames:
            begun = True
            if frame.is_corrupt:
                warn("some frames are damaged")
            yield frame


def decoding_from(container: Any, target: int, warn: Warn) -> Iterator[av.VideoFrame] | None:
    """Give the frames whose time stamps are `target` or later; `target` is one of a frame's.

    Returns:
        None if seeking does not lead to a frame before it: decode from the start instead.
    """
    stream = video_stream(container)
    second = max(1, round(1 / stream.time_base))
    # Some indices lead to a place after the one that is asked for, by a few frames.
    for earlier in (0, 1, 5, 20, 60):
        try:
            container.seek(target - earlier * second, stream=stream, backward=True)
        except av.FFmpegError:
            continue
        frames = decoding(container, warn)
        first = None
        with suppress(av.FFmpegError):
            first = next(frames, None)
        if first is not None and first.pts is not None and first.pts <= target:
            return _from(chain((first,), frames), target)
    return None


def _from(frames: Iterator[av.VideoFrame], target: int) -> Iterator[av.VideoFrame]:
    return (frame for frame in frames if frame.pts is None or frame.pts >= target)
