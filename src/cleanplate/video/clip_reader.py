"""Whatever can be read as a clip, by what it is: a file, a folder, a pattern, a pipe."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from cleanplate.errors import CleanplateError
from cleanplate.video.clip import Clip
from cleanplate.video.clip_file import ClipFile
from cleanplate.video.image_sequence import ImageSequence
from cleanplate.video.sequence_names import is_pattern

PIPE_FORMATS = ("rgb24", "y4m")
"""What can be read from a pipe: bytes of R, G, B row by row; YUV4MPEG2."""


def open_clip(
    source: str | Path | BinaryIO,
    *,
    tone_map: str | None = None,
    frame_rate: Fraction | None = None,
    pipe_format: str | None = None,
    size: tuple[int, int] | None = None,
    threads: int = 0,
) -> Clip:
    """Open a clip.

    Args:
        source: a video file; a folder of pictures or a pattern like `shot.%04d.png`; "-" for
            stdin, or an open binary file.
        tone_map: how HDR is brought to sRGB ("hable"); None refuses HDR.
        frame_rate: of pictures and of raw frames, in frames per second.
        pipe_format: of a pipe, one of `PIPE_FORMATS`; by default rgb24 if a size is given.
        size: (width, height) of raw frames in pixels.
        threads: of the decoder; 0 = as many as it likes.

    Raises:
        CleanplateError: there is no such file, it is damaged, it is HDR and no tone map is asked
            for, or a pipe is not described.
    """
    if source == "-":
        return _pipe(sys.stdin.buffer, pipe_format, size, frame_rate, tone_map)
    if not isinstance(source, str | Path):
        return _pipe(source, pipe_format, size, frame_rate, tone_map)
    if Path(source).is_dir() or (is_pattern(source) and not Path(source).exists()):
        return ImageSequence(source, frame_rate)
    return ClipFile(source, tone_map=tone_map, threads=threads)


def _pipe(
    stream: BinaryIO,
    pipe_format: str | None,
    size: tuple[int, int] | None,
    frame_rate: Fraction | None,
    tone_map: str | None,
) -> ClipFile:
    kind = pipe_format or ("y4m" if size is None else "rgb24")
    if kind not in PIPE_FORMATS:
        raise CleanplateError(
            f"cannot read {kind!r} from a pipe", cure=f"Choose of: {', '.join(PIPE_FORMATS)}."
        )
    if kind == "y4m":
        return ClipFile(stream, tone_map=tone_map, container_format="yuv4mpegpipe")
    if size is None or min(size) < 1:
        raise CleanplateError(
            "the size of raw frames is not given", cure="Give width and height in pixels."
        )
    options = {
        "pixel_format": "rgb24",
        "video_size": f"{size[0]}x{size[1]}",
        "framerate": str(frame_rate or 25),
    }
    return ClipFile(stream, container_format="rawvideo", options=options)
