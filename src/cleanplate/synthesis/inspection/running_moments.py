"""Running mean and standard deviation of pictures, per pixel and per channel, in one pass.

Pictures hold integers, so their sums and sums of squares are integers too and are kept exactly.
The result is the same to the last bit for any number of processes and any order; rounding
happens once, in the final division.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Sums = npt.NDArray[np.uint64]
Values = npt.NDArray[np.float64]

_FLUSH = 1 << 20
"""Pictures after which doubles could no longer hold 16-bit squares exactly (2^53 / 2^32 / 2)."""


class RunningMoments:
    """Sums over pictures of one shape and one integer type.

    Args:
        shape: (H, W) or (H, W, C), at most four channels.
        dtype: uint8 or uint16.
        zero_unknown: whether 0 marks an unknown pixel, as in depth; such pixels are left out.
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any, *, zero_unknown: bool = False):
        self.shape = (*shape, 1) if len(shape) == 2 else tuple(shape)
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.uint8, np.uint16):
            raise TypeError(f"expected uint8 or uint16, got {dtype}")
        self.zero_unknown = zero_unknown
        self.pictures = 0
        channels = self.shape[2]
        self._sum: Sums = np.zeros(self.shape, np.uint64)
        self._square: Sums = np.zeros(self.shape, np.uint64)
        self._known: Sums = np.zeros(self.shape if zero_unknown else (1, 1, 1), np.uint64)
        # Of each picture's sum per channel. Python's integers: the squares outgrow 64 bits.
        self._totals = [0] * channels
        self._total_squares = [0] * channels
        self._fresh: tuple[Values, Values] | None = None  # not yet in the integer sums
        self._waiting = 0

    def add(self, picture: npt.NDArray[Any], times: int = 1) -> None:
        """Count a picture, (H, W) or (H, W, C), `times` times.

        Raises:
            ValueError: if its shape or type differs.
        """
        shape = (*picture.shape, 1) if picture.ndim == 2 else picture.shape
        if shape != self.shape or picture.dtype != self.dtype:
            raise ValueError(
                f"expected {self.shape} {self.dtype}, got {picture.shape} {picture.dtype}"
            )
        self.pictures += times
        for channel, summed in enumerate(cv2.sumElems(picture)[: self.shape[2]]):
            total = int(summed)
            self._totals[channel] += times * total
            self._total_squares[channel] += times * total * total
        whole = picture.reshape(self.shape)
        if self.zero_unknown:
            self._known += (whole > 0) * np.uint64(times)
        if times == 1:
            self._accumulate(whole)
        else:
            wide = whole.astype(np.uint64)
            self._sum += wide * np.uint64(times)
            self._square += wide * wide * np.uint64(times)

    def _accumulate(self, picture: npt.NDArray[Any]) -> None:
        # OpenCV adds to doubles several times faster than numpy to integers. Doubles hold
        # integers up to 2^53 exactly, so nothing is lost.
        if self._fresh is None:
            self._fresh = np.zeros(self.shape), np.zeros(self.shape)
        total, square = (_flat(one) for one in self._fresh)
        cv2.accumulate(_flat(picture), total)
        cv2.accumulateSquare(_flat(picture), square)
        self._waiting += 1
        if self._waiting >= _FLUSH:
            self._flush()

    def _flush(self) -> None:
        if self._fresh is not None:
            self._sum += self._fresh[0].astype(np.uint64)
            self._square += self._fresh[1].astype(np.uint64)
        self._fresh, self._waiting = None, 0

    def merge(self, other: RunningMoments) -> None:
        """Add everything that `other` has counted.

        Raises:
            ValueError: if its shape or type differs.
        """
        mine = (self.shape, self.dtype, self.zero_unknown)
        if mine != (other.shape, other.dtype, other.zero_unknown):
            raise ValueError(f"cannot merge {other.shape} {other.dtype} into {mine}")
        self._flush()
        other._flush()
        self.pictures += other.pictures
        self._sum += other._sum
        self._square += other._square
        self._known += other._known
        for channel in range(self.shape[2]):
            self._totals[channel] += other._totals[channel]
            self._total_squares[channel] += other._total_squares[channel]

    def __getstate__(self) -> dict[str, Any]:
        self._flush()
        return self.__dict__

    @property
    def known(self) -> Sums:
        """Number of pictures in which each pixel is known, (H, W, C)."""
        if not self.zero_unknown:
            return np.full(self.shape, self.pictures, np.uint64)
        return self._known

    def mean(self) -> Values:
        """Give the mean of each pixel, (H, W, C) in the pictures' units; NaN where never known."""
        self._flush()
        return _ratio(self._sum, self.known)

    def std(self) -> Values:
        """Give the standard deviation of each pixel over the pictures, (H, W, C), divisor n."""
        self._flush()
        n, total = self.known, self._sum
        # Around a whole number next to the mean: exact in 64 bits (the wraps cancel), and
        # without the loss of digits of E[x^2] - E[x]^2.
        near = total // np.maximum(n, 1)
        rest = total - near * n
        square = self._square - 2 * near * total + near * near * n
        variance = _ratio(square, n) - _ratio(rest, n) ** 2
        return np.asarray(np.sqrt(np.maximum(variance, 0)))

    def channel_mean(self) -> Values:
        """Give the mean over all pixels of all pictures, (C,); NaN if none is known."""
        count, total, _ = self._whole()
        return np.array([t / n if n else np.nan for n, t in zip(count, total, strict=True)])

    def channel_std(self) -> Values:
        """Give the standard deviation over all pixels of all pictures, (C,), divisor n."""
        return np.array(
            [_deviation(n, t, q) if n else np.nan for n, t, q in zip(*self._whole(), strict=True)]
        )

    def std_of_means(self) -> Values:
        """Give the standard deviation of the pictures' means, (C,), divisor n.

        Some reports call this "std". NaN if pixels may be unknown, because the means are then over
        different pixels.
        """
        if self.zero_unknown or not self.pictures:
            return np.full(self.shape[2], np.nan)
        pixels = self.shape[0] * self.shape[1]
        sums = zip(self._totals, self._total_squares, strict=True)
        return np.array([_deviation(self.pictures, t, q) / pixels for t, q in sums])

    def _whole(self) -> tuple[list[int], list[int], list[int]]:
        """Known pixels, their sum and sum of squares, by channel."""
        self._flush()
        return _totals(self.known), _totals(self._sum), _totals(self._square)


def _totals(sums: Sums) -> list[int]:
    """Sum over the pixels, by channel: in halves, since the whole may outgrow 64 bits."""
    parts = (sums >> np.uint64(32), sums & np.uint64(0xFFFFFFFF))
    high, low = (part.reshape(-1, sums.shape[2]).sum(0, dtype=np.uint64) for part in parts)
    return [(int(h) << 32) + int(rest) for h, rest in zip(high, low, strict=True)]


def _ratio(above: Sums, below: Sums) -> Values:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(above / below, np.float64)


def _deviation(n: int, total: int, square: int) -> float:
    """Take the standard deviation from exact sums: n * square - total^2 is an exact integer."""
    return float(np.sqrt(max(n * square - total * total, 0) / (n * n)))


def _flat(picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """View (H, W, C) as (H, W * C): OpenCV's arrays have at most four channels."""
    return picture.reshape(picture.shape[0], -1)
