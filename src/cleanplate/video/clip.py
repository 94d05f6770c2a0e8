"""A clip: its facts, its frames, and what every reader of clips offers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Protocol, Self

from cleanplate.arrays import Coded
from cleanplate.predict.size import Size
from cleanplate.video.ycbcr_picture import YCbCrPicture


@dataclass(frozen=True)
class ClipFrame:
    """One decoded frame.

    picture: (H, W, 3) uint8 or uint16, display-coded sRGB, upright; or planes of it.
    index: of the frame in its clip, from 0.
    time: presentation time in seconds, exact, on the clip's own time line.
    duration: in seconds, as the file states it; None if it does not.
    """

    picture: Coded | YCbCrPicture
    index: int
    time: Fraction
    duration: Fraction | None = None

    @property
    def size(self) -> Size:
        """(height, width)."""
        if isinstance(self.picture, YCbCrPicture):
            return self.picture.size
        return self.picture.shape[0], self.picture.shape[1]

    @property
    def rgb(self) -> Coded:
        """(H, W, 3) uint8 or uint16; planes are decoded on first use."""
        return self.picture.rgb if isinstance(self.picture, YCbCrPicture) else self.picture


@dataclass(frozen=True)
class AudioFacts:
    """One audio stream: codec's name in FFmpeg, samples per second, channels, language."""

    codec: str
    sample_rate: int
    channels: int
    language: str | None = None


@dataclass(frozen=True)
class ClipFacts:
    """What a clip says of itself, and what was assumed where it says nothing.

    name: of the file, for people.
    width, height: of the upright frame in pixels.
    frame_rate: frames per second, the average of a variable one.
    variable: whether the time between frames varies, as far as the first frames show.
    frames: how many; None if the file does not say.
    duration: seconds; None if the file does not say.
    start: seconds at which the clip's own time line begins.
    time_base: seconds per tick of the time stamps.
    timecode: SMPTE timecode of the first frame, "HH:MM:SS:FF", drop-frame with ";".
    first_number: number of the first picture of an image sequence, else 0.
    rotation: degrees clockwise by which frames were turned to be upright.
    mirrored: whether they were mirrored left to right before that.
    pixel_aspect: width of a pixel divided by its height.
    codec, pixel_format: names in FFmpeg, of the file.
    bits: per sample, of the file. Frames of more than 8 bits are uint16.
    has_alpha: whether the file has an alpha channel, which is not read.
    interlaced: whether the first frame is made of two fields; they are not separated.
    primaries, transfer, matrix, colour_range: names as in ITU-T H.273, "full" or "limited".
    tagged: which of these four the file states; the others were assumed.
    tone_map: the curve by which HDR was brought to sRGB; None for SDR.
    audio: its audio streams.
    notes: sentences on what was assumed or converted.
    """

    name: str
    width: int
    height: int
    frame_rate: Fraction
    variable: bool = False
    frames: int | None = None
    duration: Fraction | None = None
    start: Fraction = Fraction(0)
    time_base: Fraction = Fraction(1, 1000)
    timecode: str | None = None
    first_number: int = 0
    rotation: int = 0
    mirrored: bool = False
    pixel_aspect: Fraction = Fraction(1)
    codec: str = ""
    pixel_format: str = ""
    bits: int = 8
    has_alpha: bool = False
    interlaced: bool = False
    primaries: str = "bt709"
    transfer: str = "iec61966-2-1"
    matrix: str = "rgb"
    colour_range: str = "full"
    tagged: frozenset[str] = frozenset()
    tone_map: str | None = None
    audio: tuple[AudioFacts, ...] = ()
    notes: tuple[str, ...] = ()


class Clip(Protocol):
    """What can be read as a clip: a video file, an image sequence, a pipe.

    facts: see `ClipFacts`.
    warnings: sentences on what was found while frames were read (damage, an early end).
    """

    facts: ClipFacts
    warnings: list[str]

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[ClipFrame]:
        """Give frames start <= index < stop, in the order of their presentation.

        Raises:
            CleanplateError: the clip is damaged, changes its size, has no frame `start`, or is a
                pipe that was read already.
        """

    def close(self) -> None:
        """Let go of the file."""

    def __enter__(self) -> Self:
        """Give the clip itself."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
