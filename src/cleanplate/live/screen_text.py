"""Text over a live picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ScreenText:
    """Text over the picture.

    lines: small, at the upper left.
    message: large, in the middle of the lower edge; what the person is asked to do.
    warning: above it, on red.
    state: at the upper right, on red, such as "REC".
    """

    lines: Sequence[str] = ()
    message: str = ""
    warning: str = ""
    state: str = ""
