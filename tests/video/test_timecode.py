"""Timecode against known values."""

from __future__ import annotations

from fractions import Fraction

import pytest

from cleanplate.errors import CleanplateError
from cleanplate.video.timecode import advanced

NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("start", "frames", "rate", "then"),
    [
        ("01:00:00:00", 25, Fraction(25), "01:00:01:00"),
        ("00:59:59:23", 1, Fraction(24), "01:00:00:00"),
        ("23:59:59:24", 1, Fraction(25), "00:00:00:00"),
        ("00:00:59:29", 1, NTSC, "00:01:00:00"),
        ("00:00:59;29", 1, NTSC, "00:01:00;02"),  # 0 and 1 are dropped
        ("00:09:59;29", 1, NTSC, "00:10:00;00"),  # but not in each tenth minute
        ("00:00:00;00", 17982, NTSC, "00:10:00;00"),
        ("00:00:00;00", 107892, NTSC, "01:00:00;00"),
        ("00:00:59;59", 1, Fraction(60000, 1001), "00:01:00;04"),
        ("00:01:00;02", 0, NTSC, "00:01:00;02"),
        ("10:11:12;13", 2589408, NTSC, "10:11:12;13"),  # frames of a day
    ],
)
def test_known_values(start: str, frames: int, rate: Fraction, then: str) -> None:
    assert advanced(start, frames, rate) == then


def test_steps_add_up_over_an_hour_of_drop_frames() -> None:
    stepped = "00:00:00;00"
    for done in range(1, 4000):
        stepped = advanced(stepped, 27, NTSC)
        assert stepped == advanced("00:00:00;00", 27 * done, NTSC)


def test_nonsense_is_refused() -> None:
    with pytest.raises(CleanplateError, match="no timecode"):
        advanced("1h", 1, NTSC)
