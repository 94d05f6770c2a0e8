"""Time stamps of a video file's frames, read from its packets without decoding."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

from cleanplate.video.packet_decoding import video_stream
from cleanplate.video.pyav import av

PACKETS = 600
"""Packets that are looked at to tell a variable frame rate."""
BYTES = 1 << 26
"""And so many bytes at most."""
REORDERED = 64
"""Packets within which the order of decoding is that of presentation again (H.264: 16 frames)."""


def first_times(container: Any) -> tuple[list[int], bool]:
    """Give the first time stamps, sorted, in ticks of the stream, and whether they are all."""
    times: list[int] = []
    read = 0
    for packet in _shown(container):
        if len(times) >= PACKETS or read > BYTES:
            times.sort()
            return times[: -REORDERED or None], False
        if packet.pts is not None:
            times.append(packet.pts)
        read += packet.size
    return sorted(times), True


def is_variable(times: list[int], time_base: Fraction) -> bool:
    """Whether steps differ by more than rounding to ticks or milliseconds explains."""
    steps = [after - before for before, after in pairwise(times)]
    if len(steps) < 2:
        return False
    spread = (max(steps) - min(steps)) * time_base
    return spread > max(2 * time_base, Fraction(1, 500))


def nth_time(container: Any, index: int) -> tuple[int | None, int | None]:
    """Give the time stamp of frame `index` in the order of presentation.

    Returns:
        the stamp, or None if there is no such frame or stamps are missing; and the number of
        frames where the end was reached, None if it was not or stamps are missing.
    """
    times: list[int] = []
    for packet in _shown(container):
        if packet.pts is None:
            return None, None
        times.append(packet.pts)
        if len(times) > index + REORDERED:
            return sorted(times)[index], None
    if index < len(times):
        return sorted(times)[index], len(times)
    return None, len(times)


def _shown(container: Any) -> Any:
    """Packets of frames that are shown; an edit list can leave some out."""
    stream = video_stream(container)
    try:
        for packet in container.demux(stream):
            if packet.size and not packet.is_discard:
                yield packet
    except av.FFmpegError:
        return
