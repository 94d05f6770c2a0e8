"""The pixels of a frame, decoded as far as they are asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod

from cleanplate.arrays import Coded, Picture
from cleanplate.formats.pictures import shrink
from cleanplate.predict.size import Size


class FramePixels(ABC):
    """A frame of sRGB-coded R'G'B': uint8, uint16, or float32 in [0, 1]."""

    @property
    @abstractmethod
    def size(self) -> Size:
        """(height, width)."""

    @property
    @abstractmethod
    def rgb(self) -> Coded | Picture:
        """(H, W, 3), all of it."""

    @abstractmethod
    def part(self, rows: slice, columns: slice) -> Coded | Picture:
        """Give `rgb[rows, columns]`, within a level; both slices have start and stop, inside."""

    @abstractmethod
    def shrunk(self, size: Size) -> Coded | Picture:
        """Give it with (height, width) `size`, as by `formats.pictures.shrink`."""


class DecodedPixels(FramePixels):
    """A frame that is there as an array.

    Args:
        rgb: (H, W, 3).
    """

    def __init__(self, rgb: Coded | Picture):
        self._rgb = rgb

    @property
    def size(self) -> Size:
        """(height, width)."""
        return self._rgb.shape[0], self._rgb.shape[1]

    @property
    def rgb(self) -> Coded | Picture:
        """(H, W, 3)."""
        return self._rgb

    def part(self, rows: slice, columns: slice) -> Coded | Picture:
        """Give a view."""
        return self._rgb[rows, columns]

    def shrunk(self, size: Size) -> Coded | Picture:
        """Shrink it."""
        small: Coded | Picture = shrink(self._rgb, size)
        return small
