"""One video file while it is encoded."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from math import gcd
from pathlib import Path

from cleanplate.video.audio_copy import AudioCopy
from cleanplate.video.clip import ClipFacts
from cleanplate.video.frame_coding import coding_of
from cleanplate.video.frame_layers import FrameLayers
from cleanplate.video.output_presets import Output
from cleanplate.video.output_record import sentence
from cleanplate.video.pyav import av

_TICKS = 1 << 30
"""Ticks per second at most; a finer time base is replaced by one of this order."""


class MovieEncoder:
    """Encodes layers into a container.

    Args:
        path: to write to; its suffix is the container's.
        output: what to write.
        facts: of the clip that the frames come from.
        size: (width, height) of the layers.
        origin: seconds on the clip's time line that become 0.
        timecode: of the first frame; None = none.
        audio: the clip whose audio is copied; None = none.
        cut: whether the frames are a part of the clip.
        threads: of the encoder; 0 = as many as it likes.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        output: Output,
        facts: ClipFacts,
        size: tuple[int, int],
        origin: Fraction,
        *,
        timecode: str | None = None,
        audio: Path | None = None,
        cut: bool = False,
        threads: int = 0,
    ):
        self._output, self._coding = output, coding_of(output)
        self._origin, self._base = origin, time_base(facts)
        self._cut, self._facts = cut, facts
        self._end = origin
        # The index first, so that a browser can begin before it has the whole file.
        options = {"movflags": "+faststart"} if output.suffix == ".mp4" else {}
        self._container = av.open(str(path.absolute()), mode="w", options=options)
        coding = self._coding
        width, height = (side + side % 2 if coding.even else side for side in size)
        stream = self._container.add_stream(
            coding.codec, rate=facts.frame_rate, options=dict(coding.options)
        )
        assert isinstance(stream, av.VideoStream)
        self._stream = stream
        stream.width, stream.height, stream.pix_fmt = width, height, coding.pixel_format
        stream.time_base = self._base
        context = stream.codec_context
        context.time_base = self._base
        context.bit_rate = 0
        context.thread_count = threads
        context.sample_aspect_ratio = facts.pixel_aspect
        context.color_range = 2 if coding.full_range else 1
        context.color_primaries = context.color_trc = context.colorspace = 1
        if coding.pixel_format.startswith("yuva"):
            stream.metadata["alpha_mode"] = "1"
        if timecode is not None:
            self._container.metadata["timecode"] = timecode
        self._container.metadata["comment"] = sentence(output)
        self._audio = (
            None
            if audio is None
            else AudioCopy(audio, self._container, output.suffix, origin, cut=cut)
        )

    def write(self, layers: FrameLayers) -> None:
        """Encode one frame, and copy the audio up to it.

        Raises:
            OSError: the file cannot be written.
        """
        frame = self._coding.frame(layers, self._output)
        frame.time_base = self._base
        frame.pts = round((layers.time - self._origin) / self._base)
        duration = layers.duration or 1 / self._facts.frame_rate
        frame.duration = round(duration / self._base)
        frame.color_range = 2 if self._coding.full_range else 1
        frame.color_primaries = frame.color_trc = frame.colorspace = 1
        self._container.mux(self._stream.encode(frame))
        self._end = layers.time + duration
        if self._audio is not None:
            self._audio.advance(layers.time)

    def finish(self, *, complete: bool) -> None:
        """Write what is left and close the file; of audio what belongs to the frames.

        Raises:
            OSError: the file cannot be written.
        """
        self._container.mux(self._stream.encode(None))
        if self._audio is not None:
            self._audio.advance(None if complete and not self._cut else self._end)
        self._container.close()
        self._let_go()

    def discard(self) -> None:
        """Close the file, whatever comes of it."""
        with suppress(OSError, ValueError):
            self._container.close()
        self._let_go()

    def _let_go(self) -> None:
        if self._audio is not None:
            self._audio.close()
            self._audio = None


def time_base(facts: ClipFacts) -> Fraction:
    """Give ticks in which the clip's time stamps and its frame rate are whole numbers.

    Containers have their own: MP4 and MOV take these, Matroska and WebM round to milliseconds.
    """
    clip, frame = facts.time_base, 1 / facts.frame_rate
    # The largest fraction of which both are multiples.
    denominator = clip.denominator * frame.denominator // gcd(clip.denominator, frame.denominator)
    numerator = gcd(
        clip.numerator * (denominator // clip.denominator),
        frame.numerator * (denominator // frame.denominator),
    )
    both = Fraction(numerator, denominator)
    if both.numerator == 1 and both.denominator < _TICKS:
        return both
    return clip if clip.numerator == 1 else Fraction(1, 90000)
