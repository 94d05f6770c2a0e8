"""Audio of a clip copied into another file, packet by packet, without decoding."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from cleanplate.video.clip import AudioFacts
from cleanplate.video.pyav import av

CODECS: dict[str, tuple[str, ...]] = {
    ".mp4": ("aac", "mp3", "mp3float", "ac3", "eac3", "alac", "opus", "flac"),
    ".mov": ("aac", "mp3", "mp3float", "ac3", "eac3", "alac", "pcm_*"),
    ".webm": ("opus", "vorbis"),
    ".mkv": ("*",),
}
"""Names in FFmpeg of what a container takes, by its suffix; "*" stands for anything."""


def takes(suffix: str, codec: str) -> bool:
    """Whether a container takes audio of a codec."""
    return any(
        codec.startswith(one[:-1]) if one.endswith("*") else codec == one
        for one in CODECS.get(suffix, ())
    )


def left_out(suffix: str, audio: tuple[AudioFacts, ...]) -> list[str]:
    """Say which audio streams a container does not take, a sentence each."""
    return [
        f"audio ({one.codec}) is left out: {suffix} takes {', '.join(CODECS.get(suffix, ()))}"
        for one in audio
        if not takes(suffix, one.codec)
    ]


class AudioCopy:
    """Copies audio packets of `source` into an open container, in step with its video.

    Args:
        source: the clip.
        container: opened for writing, before its first packet.
        suffix: of the file that is written.
        origin: seconds on the clip's time line that become 0.
        cut: whether what lies before the origin is left out.
    """

    def __init__(self, source: Path, container: Any, suffix: str, origin: Fraction, *, cut: bool):
        self._source = av.open(str(source.absolute()))
        self._container = container
        self._origin, self._cut = origin, cut
        self._outputs: dict[int, Any] = {}
        for stream in self._source.streams.audio:
            if stream.codec_context and takes(suffix, stream.codec_context.name):
                copied = container.add_stream_from_template(stream)
                copied.metadata.update(stream.metadata)
                self._outputs[stream.index] = copied
        chosen = [self._source.streams[index] for index in self._outputs]
        self._packets = self._source.demux(*chosen) if chosen else iter(())
        self._waiting: Any = None

    def advance(self, until: Fraction | None) -> None:
        """Copy packets that begin before `until` on the clip's time line; None = all.

        Raises:
            OSError: the file cannot be written.
        """
        while self._waiting is not None or self._fetch():
            packet = self._waiting
            base = Fraction(packet.time_base)
            begin = packet.pts * base
            if until is not None and begin >= until:
                return
            self._waiting = None
            end = begin + (packet.duration or 0) * base
            if self._cut and end <= self._origin:
                continue
            ticks = round(self._origin / base)
            packet.pts -= ticks
            packet.dts = packet.pts if packet.dts is None else packet.dts - ticks
            packet.stream = self._outputs[packet.stream.index]
            self._container.mux_one(packet)

    def _fetch(self) -> bool:
        try:
            for packet in self._packets:
                if packet.size and packet.pts is not None:
                    self._waiting = packet
                    return True
        except (av.InvalidDataError, av.EOFError):  # the clip is cut short
            pass
        return False

    def close(self) -> None:
        """Let go of the clip."""
        self._source.close()
