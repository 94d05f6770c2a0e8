"""SMPTE timecode."""

from __future__ import annotations

import re
from fractions import Fraction

from cleanplate.errors import CleanplateError

_FORM = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)")


def advanced(timecode: str, frames: int, frame_rate: Fraction) -> str:
    """Give the timecode `frames` later; it goes round after 24 hours.

    Drop-frame timecode (";" or "." before the frames, of 29.97 and 59.94 frames per second) leaves
    out the first 2 or 4 numbers of each minute but every tenth (SMPTE ST 12-1).

    Args:
        timecode: "HH:MM:SS:FF" or "HH:MM:SS;FF".
        frames: how many, not negative.
        frame_rate: frames per second.

    Raises:
        CleanplateError: it is no timecode.
    """
    hours, minutes, seconds, count = fields(timecode)
    base = round(frame_rate)
    drop = round(base / 15) if is_drop(timecode) else 0
    per_ten = base * 600 - 9 * drop
    total_minutes = hours * 60 + minutes
    number = (total_minutes * 60 + seconds) * base + count
    number -= drop * (total_minutes - total_minutes // 10)
    number = (number + frames) % (per_ten * 144)
    tens, rest = divmod(number, per_ten)
    number += drop * 9 * tens
    if rest >= drop:
        number += drop * max(0, (rest - drop) // (base * 60 - drop))
    seconds, count = divmod(number, base)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    mark = timecode[8]
    return f"{hours % 24:02d}:{minutes:02d}:{seconds:02d}{mark}{count:02d}"


def fields(timecode: str) -> tuple[int, int, int, int]:
    """Give hours, minutes, seconds and frames.

    Raises:
        CleanplateError: it is no timecode.
    """
    found = _FORM.fullmatch(timecode)
    if found is None:
        raise CleanplateError(f"{timecode!r} is no timecode", cure="Write it as HH:MM:SS:FF.")
    return int(found[1]), int(found[2]), int(found[3]), int(found[5])


def is_drop(timecode: str) -> bool:
    """Whether it is drop-frame timecode."""
    return timecode[8] in ";."
