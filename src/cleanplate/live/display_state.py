"""What the live window shows: chosen by keys, with text over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cleanplate.arrays import Bytes
from cleanplate.depth import colour_map
from cleanplate.formats.pictures import as_uint8, to_uint8
from cleanplate.live.camera import CameraFrame
from cleanplate.live.live_keys import VIEWS, help_lines
from cleanplate.live.screen_text import ScreenText
from cleanplate.video.frame_layers import FrameLayers
from cleanplate.video.ycbcr_picture import YCbCrPicture

NOTICE = 4.0
"""Seconds for which a notice stays on the screen."""


class DisplayState:
    """The view, and the text over it.

    view: one of `VIEWS`.
    frozen: whether the last picture stays.
    warning: of the plate, or "".

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float]):
        self.view = VIEWS[0]
        self.frozen = False
        self.warning = ""
        self._clock = clock
        self._help, self._numbers = False, True
        self._notice, self._until = "", 0.0

    def obey(self, action: str) -> None:
        """Change what a key changes of it; other actions are ignored."""
        if action in VIEWS:
            self.view = action
        elif action == "freeze":
            self.frozen = not self.frozen
        elif action == "help":
            self._help = not self._help
        elif action == "numbers":
            self._numbers = not self._numbers

    def say(self, sentence: str) -> None:
        """Show a sentence for `NOTICE` seconds."""
        self._notice, self._until = sentence, self._clock() + NOTICE

    def needs(self) -> frozenset[str]:
        """Names of the fields of `FrameLayers` that the view shows."""
        layer = {"composite": "composite", "depth": "disparity"}.get(self.view, "alpha")
        return frozenset(("alpha", layer))

    def picture(self, layers: FrameLayers, frame: CameraFrame) -> Bytes:
        """Draw the view of a frame, (H, W, 3) uint8."""
        if self.view == "matte" and layers.alpha is not None:
            return np.repeat(to_uint8(layers.alpha)[..., None], 3, 2)
        if self.view == "depth" and layers.disparity is not None:
            return colour_map(layers.disparity)
        if self.view == "composite" and layers.composite is not None:
            return composite_bytes(layers)
        return frame.rgb

    def text(self, numbers: Sequence[str], *, recording: bool) -> ScreenText:
        """Give the text over a picture.

        Args:
            numbers: latency and stage times, one a line.
            recording: whether a recording goes on.
        """
        states = ["REC"] * recording + ["FROZEN"] * self.frozen
        return ScreenText(
            lines=self.lines(numbers),
            message=self._notice if self._clock() < self._until else "",
            warning=self.warning,
            state="  ".join(states),
        )

    def lines(self, numbers: Sequence[str]) -> list[str]:
        """Give the small lines: the keys, or the numbers, or nothing."""
        if self._help:
            return help_lines()
        return [*numbers, "H: keys"] if self._numbers else []


def composite_bytes(layers: FrameLayers) -> Bytes:
    """Give the composite of a frame as (H, W, 3) uint8."""
    picture = layers.composite
    assert picture is not None
    return as_uint8(picture.rgb if isinstance(picture, YCbCrPicture) else picture)
