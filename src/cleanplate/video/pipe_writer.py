"""Raw RGBA on stdout."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cleanplate.errors import CleanplateError
from cleanplate.video.frame_layers import FrameLayers
from cleanplate.video.output_presets import Output
from cleanplate.video.picture_encoding import rgba


class PipeWriter:
    """Writes each frame as bytes of R, G, B, A, row by row; 16 bits in little-endian order.

    Args:
        output: straight or premultiplied, and how many bits.
        stream: stdout unless another is given.
    """

    def __init__(self, output: Output, stream: BinaryIO | None = None):
        self.output = output
        self.warnings: list[str] = []
        self._stream = stream or sys.stdout.buffer

    def write(self, layers: FrameLayers) -> None:
        """Write one frame.

        Raises:
            CleanplateError: whatever reads the pipe has closed it.
        """
        array = rgba(layers, self.output)
        if array.dtype.itemsize == 2:
            array = array.astype(np.dtype("<u2"), copy=False)
        try:
            self._stream.write(np.ascontiguousarray(array).data.cast("B"))
            self._stream.flush()
        except BrokenPipeError as error:
            raise CleanplateError(
                "what reads stdout has closed it", cure="See what that program says."
            ) from error

    def finish(self, *, complete: bool) -> list[Path]:
        """Do nothing more: every frame was written at once."""
        return []

    def discard(self) -> None:
        """Do nothing: what is in a pipe is gone."""
