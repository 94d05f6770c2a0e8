"""Video files, and streams of them through a pipe, as clips."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np

from cleanplate.arrays import Coded
from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import opened
from cleanplate.formats.pictures import pixel_limit, to_float, to_uint8, to_uint16
from cleanplate.video import tone_map as tone_maps
from cleanplate.video import video_planes
from cleanplate.video.clip import ClipFacts, ClipFrame
from cleanplate.video.clip_facts import examine
from cleanplate.video.clip_index import first_times, is_variable, nth_time
from cleanplate.video.packet_decoding import decoding, decoding_from, video_stream
from cleanplate.video.pyav import av
from cleanplate.video.ycbcr_picture import YCbCrPicture

_BROKEN = "Copy or record it again; `ffmpeg -i CLIP -c copy OUT` can mend a damaged index."


class ClipFile:
    """A clip in a container that FFmpeg reads; see `Clip`.

    Args:
        source: a path; or an open binary file, such as stdin, which is read once.
        tone_map: a name of `tone_map.CURVES`: how HDR is brought to sRGB; None refuses HDR.
        threads: of the decoder; 0 = as many as it likes.
        container_format, options: of FFmpeg, where a stream does not tell itself.

    Raises:
        CleanplateError: no such file, damaged, no video in it, too large, or not display-coded.
    """

    def __init__(
        self,
        source: str | Path | BinaryIO,
        *,
        tone_map: str | None = None,
        threads: int = 0,
        container_format: str | None = None,
        options: dict[str, str] | None = None,
    ):
        self.path = Path(source) if isinstance(source, str | os.PathLike) else None
        self.name = str(source) if self.path else str(getattr(source, "name", "stream"))
        self.warnings: list[str] = []
        self._source, self._threads = source, threads
        self._format, self._options = container_format, options
        self._curve = tone_map
        if self.path is not None:
            opened(self.path).close()  # says in a person's words what is wrong with the path
        container = self._open()
        try:
            frames = decoding(container, self.warn)
            first = next(frames, None)
            if first is None:
                raise self._damaged("has no frame that can be decoded")
            self.facts, self._coding = examine(container, first, self.name, self._curve)
        except av.FFmpegError as error:
            container.close()
            raise self._damaged("is damaged or cut short") from error
        except BaseException:
            container.close()
            raise
        if self.path is not None:
            container.close()
            self.facts = self._with_times(self.facts)
            self._pending = None
        else:
            self._pending = (container, first, frames)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[ClipFrame]:
        """Give frames start <= index < stop; see `Clip.frames`."""
        if start < 0 or (stop is not None and stop < start):
            raise CleanplateError(
                f"there are no frames {start}:{stop}", file=self.name, cure="Use A:B, A < B."
            )
        if self._pending is not None:
            return self._from_stream(start, stop)
        if self.path is None:
            raise CleanplateError(
                "was read already; a stream can be read once", file=self.name, cure="Use a file."
            )
        return self._from_file(start, stop)

    def close(self) -> None:
        """Let go of a stream; files are open only while frames are read."""
        if self._pending is not None:
            self._pending[0].close()
            self._pending = None

    def __enter__(self) -> Self:
        """Give the clip itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _open(self) -> Any:
        try:
            # Absolute, because FFmpeg takes what stands before a colon for a protocol.
            source = os.path.abspath(self.path) if self.path else self._source
            container = av.open(source, mode="r", format=self._format, options=self._options)
        except av.FFmpegError as error:
            raise self._damaged("is damaged, cut short, or no video") from error
        stream = video_stream(container)
        if stream is None:
            container.close()
            raise CleanplateError("has no video in it", file=self.name, cure="Give a video file.")
        stream.thread_type = "AUTO"
        stream.thread_count = self._threads
        context = stream.codec_context
        if context.width * context.height > (limit := pixel_limit()):
            container.close()
            raise CleanplateError(
                f"is {context.width} x {context.height}, more than the limit of {limit} pixels",
                file=self.name,
                cure="Save it smaller.",
            )
        return container

    def _damaged(self, what: str) -> CleanplateError:
        return CleanplateError(what, file=self.name, cure=_BROKEN)

    def _with_times(self, facts: ClipFacts) -> ClipFacts:
        """Look at the times of the first packets: whether they vary, how many there are."""
        with self._open() as container:
            times, whole = first_times(container)
        variable = is_variable(times, facts.time_base)
        if not whole:
            return replace(facts, variable=variable)
        frames = len(times) or facts.frames
        return replace(facts, variable=variable, frames=frames)

    def _from_stream(self, start: int, stop: int | None) -> Iterator[ClipFrame]:
        assert self._pending is not None
        container, first, rest = self._pending
        self._pending = None
        with container:
            yield from self._numbered(chain((first,), rest), 0, start, stop)

    def _from_file(self, start: int, stop: int | None) -> Iterator[ClipFrame]:
        if start > 0:
            with self._open() as container:
                time, count = nth_time(container, start)
            if count is not None and count <= start:
                raise self._no_frame(start, count)
            with self._open() as container:
                found = None if time is None else decoding_from(container, time, self.warn)
                if found is not None:
                    yield from self._numbered(found, start, start, stop)
                    return
        with self._open() as container:
            yield from self._numbered(decoding(container, self.warn), 0, start, stop)

    def _no_frame(self, index: int, count: int) -> CleanplateError:
        return CleanplateError(
            f"has no frame {index}", file=self.name, cure=f"It has {count} frames, from 0 on."
        )

    def _numbered(
        self, frames: Iterator[av.VideoFrame], number: int, start: int, stop: int | None
    ) -> Iterator[ClipFrame]:
        """Count decoded frames from `number` on and convert those from `start` to `stop`."""
        last: Fraction | None = None
        index = number
        for frame in frames:
            if stop is not None and index >= stop:
                return
            base = frame.time_base or self.facts.time_base
            time = None if frame.pts is None else frame.pts * Fraction(base)
            if time is None or (last is not None and time <= last):
                if last is None:
                    time = self.facts.start + index / self.facts.frame_rate
                else:
                    time = last + 1 / self.facts.frame_rate
                self.warn("some frames have no time of their own; the frame rate gives it")
            last = time
            if index >= start:
                duration = frame.duration * Fraction(base) if frame.duration else None
                yield ClipFrame(self._picture(frame, index), index, time, duration)
            index += 1
        if index <= start:
            raise self._no_frame(start, index)
        self._check_end(index, last)

    def _check_end(self, count: int, last: Fraction | None) -> None:
        """Say so if the frames end before the file says they do."""
        facts = self.facts
        if facts.duration is None or last is None or self.path is None:
            return
        missing = facts.start + facts.duration - last - 3 / facts.frame_rate
        if missing > max(Fraction(1, 2), facts.duration / 50):
            self.warn(
                f"it ends early, after {count} frames: the file is cut short, or its length wrong"
            )

    def _picture(self, frame: av.VideoFrame, index: int) -> Coded | YCbCrPicture:
        facts = self.facts
        size = (facts.height, facts.width) if facts.rotation % 180 else (facts.width, facts.height)
        if (frame.width, frame.height) != size or frame.format.name != facts.pixel_format:
            raise CleanplateError(
                f"changes to {frame.width} x {frame.height} {frame.format.name} at frame {index}",
                file=self.name,
                cure="Cut it there into several clips.",
            )
        as_it_is = facts.tone_map is None and facts.primaries not in tone_maps.WIDE
        if self._coding is not None and as_it_is and not (facts.rotation or facts.mirrored):
            planes = video_planes.undecoded(frame, self._coding)
            if planes is not None:
                return planes
        rgb = video_planes.decoded(frame, self._coding)
        if facts.tone_map is not None:
            deep = np.asarray(rgb if facts.bits > 8 else to_uint16(to_float(rgb)), dtype=np.uint16)
            mapped = tone_maps.to_display(deep, facts.transfer, facts.primaries)
            rgb = to_uint16(mapped) if facts.bits > 8 else to_uint8(mapped)
        elif facts.primaries in tone_maps.WIDE:
            narrow = tone_maps.from_wide(to_float(rgb), facts.primaries)
            rgb = to_uint16(narrow) if facts.bits > 8 else to_uint8(narrow)
        return video_planes.upright(rgb, facts.rotation, facts.mirrored)

    def warn(self, text: str) -> None:
        """Add to `warnings`, once."""
        if text not in self.warnings:
            self.warnings.append(text)
