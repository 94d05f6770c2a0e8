"""The facts of a video file, from its container and its first frame."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from typing import Any

from cleanplate.video import colour_tags, tone_map, video_planes
from cleanplate.video.clip import AudioFacts, ClipFacts
from cleanplate.video.packet_decoding import video_stream
from cleanplate.video.pyav import av
from cleanplate.video.ycbcr import YCbCr


def examine(
    container: Any, first: av.VideoFrame, name: str, curve: str | None
) -> tuple[ClipFacts, YCbCr | None]:
    """Gather the facts of a clip from its container and its first frame.

    Args:
        container: opened for reading; its first video stream is looked at.
        first: its first frame.
        name: of the file.
        curve: the tone map that is asked for; None refuses HDR.

    Returns:
        the facts, and how samples are coded; None of R'G'B'.

    Raises:
        CleanplateError: it is not display-coded, or of an unknown matrix.
    """
    stream = video_stream(container)
    context = stream.codec_context
    rgb, grey = video_planes.is_rgb(first), video_planes.is_grey(first)
    jpeg = first.format.name.startswith("yuvj") or context.name == "mjpeg"
    tags = colour_tags.settle(
        name,
        primaries=int(first.color_primaries),
        transfer=int(first.color_trc),
        matrix=int(first.colorspace),
        colour_range=int(first.color_range),
        rgb=rgb,
        grey=grey,
        jpeg=jpeg,
        size=(first.width, first.height),
    )
    notes = [*tags.notes, *colour_tags.check_display(name, tags, curve)]
    bits = video_planes.bits_of(first)
    coding = None
    if not rgb:
        full = tags.colour_range == "full"
        coding = YCbCr(tags.matrix, full, max(bits, 8), co_sited=not jpeg)
    if video_planes.has_alpha(first) or stream.metadata.get("alpha_mode") == "1":
        notes.append("its alpha channel is not read")
    if first.interlaced_frame:
        notes.append("it is interlaced; fields are not separated")
    rotation, mirrored = video_planes.orientation(first)
    size = (first.width, first.height)
    aspect = stream.sample_aspect_ratio or Fraction(1)
    if rotation % 180:
        size, aspect = size[::-1], 1 / aspect
    rate = stream.average_rate or stream.guessed_rate
    if not rate:
        rate = Fraction(25)
        notes.append("the frame rate is not stated; 25 is assumed")
    start = container.start_time
    facts = ClipFacts(
        name=name,
        width=size[0],
        height=size[1],
        frame_rate=Fraction(rate),
        frames=stream.frames or None,
        duration=_duration(container, stream),
        start=Fraction(0) if start is None else Fraction(start, av.time_base),
        time_base=Fraction(stream.time_base or Fraction(1, 1000)),
        timecode=_timecode(container),
        rotation=rotation,
        mirrored=mirrored,
        pixel_aspect=Fraction(aspect),
        codec=context.name,
        pixel_format=first.format.name,
        bits=bits,
        has_alpha="its alpha channel is not read" in notes,
        interlaced=bool(first.interlaced_frame),
        primaries=tags.primaries,
        transfer=tags.transfer,
        matrix=tags.matrix,
        colour_range=tags.colour_range,
        tagged=tags.tagged,
        tone_map=curve if tags.transfer in tone_map.HDR else None,
        audio=tuple(_audio(one) for one in container.streams.audio),
        notes=tuple(notes),
    )
    return facts, coding


def _duration(container: Any, stream: Any) -> Fraction | None:
    if stream.duration is not None and stream.time_base is not None:
        return Fraction(stream.duration * Fraction(stream.time_base))
    stated = stream.metadata.get("DURATION")  # Matroska
    if stated:
        with suppress(ValueError):
            hours, minutes, seconds = stated.strip("\0 ").split(":")
            return Fraction(hours) * 3600 + Fraction(minutes) * 60 + Fraction(seconds)
    if container.duration is not None and not container.streams.audio:
        return Fraction(container.duration, av.time_base)
    return None


def _timecode(container: Any) -> str | None:
    places = (video_stream(container).metadata, container.metadata)
    places += tuple(one.metadata for one in container.streams if one.type == "data")
    for metadata in places:
        for key, value in metadata.items():
            if key.lower() == "timecode":
                return str(value)
    return None


def _audio(stream: Any) -> AudioFacts:
    context = stream.codec_context
    language = stream.metadata.get("language")
    return AudioFacts(
        context.name if context else "unknown",
        int(context.sample_rate or 0) if context else 0,
        int(context.channels or 0) if context else 0,
        None if language in (None, "und") else language,
    )
