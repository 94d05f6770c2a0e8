"""What a composite that is more than another background offers to the frame loop."""

from __future__ import annotations

from typing import Protocol

from cleanplate.arrays import Bytes
from cleanplate.predict.result import Result
from cleanplate.video.clip import ClipFrame


class FrameEffect(Protocol):
    """Makes the composite of each frame.

    outputs: of `Scene.predict`, which it needs.
    """

    outputs: frozenset[str]

    def composite(self, frame: ClipFrame, result: Result) -> Bytes:
        """Give (H, W, 3) uint8 of the frame, from what was found in it."""

    def without_plate(self, frame: ClipFrame) -> Bytes:
        """Give (H, W, 3) uint8 of a frame that does not show the plate's scene."""
