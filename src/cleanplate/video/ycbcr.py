"""YCbCr to R'G'B' and back, on arrays: matrix, range and chroma position are always given.

With `kr`, `kb` of the matrix and `kg = 1 - kr - kb` (ITU-T H.273, 8.3):

    Y' = kr R' + kg G' + kb B',  Cb = (B' - Y') / (2 - 2 kb),  Cr = (R' - Y') / (2 - 2 kr)

coded with n bits, s = 2^(n - 8), as `(16 + 219 Y') s`, `(128 + 224 Cb) s` in the limited range, and
as `(2^n - 1) Y'`, `(2^n - 1) Cb + 2^(n - 1)` in the full range.

FFmpeg's own scaler is not used for this: between 10 bits and 16 it is off by one to four codes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Coded, Picture

Samples: TypeAlias = npt.NDArray[Any]
"""(H, W) uint8, or uint16 of 9 to 16 bits in the low bits."""

MATRICES = {
    "bt709": (0.2126, 0.0722),
    "bt470bg": (0.299, 0.114),
    "smpte170m": (0.299, 0.114),
    "fcc": (0.30, 0.11),
    "smpte240m": (0.212, 0.087),
    "bt2020nc": (0.2627, 0.0593),
}
"""kr and kb by the name of the matrix (ITU-T H.273, table 4)."""

_BAND = 1 << 16
"""Pixels that are converted at once: what they need stays in the processor's cache."""


@dataclass(frozen=True)
class YCbCr:
    """How samples are coded.

    matrix: a name of `MATRICES`.
    full_range: whether black and white are the ends of the integer range.
    bits: per sample.
    co_sited: whether halved chroma lies on every other column (MPEG-2, H.264), else between two
        columns (JPEG). Between rows it lies halfway in both.
    """

    matrix: str
    full_range: bool
    bits: int = 8
    co_sited: bool = True

    def ends(self) -> tuple[float, float, float, float]:
        """Give code of black, codes from black to white, code of no colour, codes per unit of it.

        The unit of Cb and Cr is 1, they lie in [-0.5, 0.5].
        """
        if self.full_range:
            top = float(2**self.bits - 1)
            return 0.0, top, float(2 ** (self.bits - 1)), top
        scale = float(2 ** (self.bits - 8))
        return 16 * scale, 219 * scale, 128 * scale, 224 * scale

    def encoding(self) -> npt.NDArray[np.float64]:
        """(3, 4): from R'G'B' in [0, 1] and 1 to the codes."""
        kr, kb = MATRICES[self.matrix]
        luma = np.array([kr, 1 - kr - kb, kb])
        blue = (np.array([0, 0, 1]) - luma) / (2 - 2 * kb)
        red = (np.array([1, 0, 0]) - luma) / (2 - 2 * kr)
        black, white, grey, chroma = self.ends()
        rows = np.stack([luma * white, blue * chroma, red * chroma])
        return np.column_stack([rows, [black, grey, grey]])

    def decoding(self) -> npt.NDArray[np.float64]:
        """(3, 4): from codes and 1 to R'G'B' in [0, 1]."""
        forward = self.encoding()
        inverse = np.linalg.inv(forward[:, :3])
        return np.column_stack([inverse, -inverse @ forward[:, 3]])


BT709 = YCbCr("bt709", full_range=False)
"""8 bits as composites are coded: ITU-R BT.709, limited range, chroma on every other column."""


def to_rgb(luma: Samples, blue: Samples, red: Samples, coding: YCbCr) -> Coded:
    """Decode planes to (H, W, 3) R'G'B', uint8 of 8 bits, else uint16 over its full range.

    Args:
        luma: (H, W).
        blue, red: Cb and Cr, of the same size or smaller by 2 or 4 along an axis.
        coding: how they are coded.
    """
    height, width = luma.shape
    shift = 16 - coding.bits
    # For 8 bits the result has 7 more than it keeps, so that it is rounded once.
    top = 255 * 128 if coding.bits == 8 else 65535
    matrix = coding.decoding() * top
    matrix[:, :3] /= 2**shift
    factors = matrix.astype(np.float32)
    out: Samples = np.empty((height, width, 3), np.uint8 if coding.bits == 8 else np.uint16)
    for band in _bands(height, width):
        planes = [
            _enlarged_rows(chroma, band, (height, width), shift, coding.co_sited)
            for chroma in (blue, red)
        ]
        codes = cv2.merge([_in_16_bits(luma[band], shift), *planes])
        if coding.bits == 8:
            cv2.convertScaleAbs(cv2.transform(codes, factors), dst=out[band], alpha=1 / 128)
        else:
            cv2.transform(codes, factors, dst=out[band])
    return out


def grey_to_rgb(luma: Samples, coding: YCbCr) -> Coded:
    """Decode luma alone, (H, W), to three equal channels; see `to_rgb`."""
    black, white, _, _ = coding.ends()
    top, kind = (255, np.uint8) if coding.bits == 8 else (65535, np.uint16)
    codes = np.arange(2**coding.bits, dtype=np.float64)
    table = np.rint(((codes - black) / white).clip(0, 1) * top).astype(kind)
    grey: Samples = table[np.minimum(luma, len(codes) - 1)]
    rgb: Samples = np.repeat(grey[..., None], 3, axis=2)
    return rgb


def from_rgb(rgb: Coded | Picture, coding: YCbCr) -> tuple[Samples, Samples, Samples]:
    """Code R'G'B' as Y', Cb and Cr of full size, each (H, W).

    Args:
        rgb: (H, W, 3) uint8, uint16 or float32 in [0, 1].
        coding: its position of chroma is of no account here.

    Returns:
        uint8 of 8 bits, else uint16.
    """
    if rgb.dtype == np.uint8 and coding.bits == 8:  # five times as fast, at most .12 of a code off
        matrix = coding.encoding()
        matrix[:, :3] /= 255
        return _split(np.asarray(cv2.transform(rgb, matrix.astype(np.float32))))
    values = rgb if rgb.dtype.kind == "f" else rgb.astype(np.float32)
    top = 1.0 if rgb.dtype.kind == "f" else float(np.iinfo(rgb.dtype).max)  # type: ignore[type-var,unused-ignore]
    matrix = coding.encoding()
    matrix[:, :3] /= top
    codes = np.asarray(cv2.transform(values, matrix.astype(np.float32)), dtype=np.float32)
    largest = float(2**coding.bits - 1)
    kind = np.uint8 if coding.bits == 8 else np.uint16
    codes += np.float32(0.5)
    np.clip(codes, 0, largest, out=codes)
    return _split(codes.astype(kind))


def to_420(
    rgb: Coded | Picture, coding: YCbCr, weight: npt.NDArray[np.float32] | None = None
) -> list[Samples]:
    """Code R'G'B' as Y', (H, W), and Cb and Cr of half the size: `from_rgb` and `halved` in bands.

    Args:
        rgb, coding: of `from_rgb`.
        weight: of `halved`.
    """
    height, width = rgb.shape[:2]
    kind = np.uint8 if coding.bits == 8 else np.uint16
    planes: list[Samples] = [np.empty((height, width), kind)]
    planes += [np.empty(((height + 1) // 2, (width + 1) // 2), kind) for _ in range(2)]
    for band in _bands(height, width):
        luma, *chroma = from_rgb(rgb[band], coding)
        planes[0][band] = luma
        half = slice(band.start // 2, (band.stop + 1) // 2)
        some = None if weight is None else weight[band]
        for plane, samples in zip(planes[1:], chroma, strict=True):
            plane[half] = halved(samples, coding, some)
    return planes


def _bands(height: int, width: int) -> Iterator[slice]:
    """Give bands of rows, each beginning at an even one."""
    rows = max(2, _BAND // max(width, 1) // 2 * 2)
    for start in range(0, height, rows):
        yield slice(start, min(start + rows, height))


def _split(codes: Samples) -> tuple[Samples, Samples, Samples]:
    luma, blue, red = (np.asarray(part) for part in cv2.split(codes))
    return luma, blue, red


def halved(
    chroma: Samples, coding: YCbCr, weight: npt.NDArray[np.float32] | None = None
) -> Samples:
    """Bring a chroma plane to half its size, 4:2:0, at the position that `coding` states.

    Across it is filtered with (1, 2, 1) / 4 around the column it lies on if it is co-sited, else it
    is the mean of two; down it is the mean of two rows. The last row or column of an odd size
    counts twice.

    Args:
        chroma: (H, W).
        coding: where the result lies.
        weight: (H, W), by how much each pixel counts; a cell without weight is the plain mean.

    Returns:
        (ceil(H / 2), ceil(W / 2)), of the type of `chroma`.
    """
    if weight is None:
        whole: Any = np.uint16 if chroma.dtype == np.uint8 else np.uint32
        sums, parts = _cell_sums(chroma, coding.co_sited, whole)
        return np.asarray((sums + whole(parts // 2)) // whole(parts)).astype(chroma.dtype)
    counted = weight + np.float32(1e-4)
    weighted, total = (
        _cell_sums(one, coding.co_sited, np.float32)[0] for one in (chroma * counted, counted)
    )
    return np.asarray(weighted / total + np.float32(0.5)).astype(chroma.dtype)


def _cell_sums(values: Samples, co_sited: bool, kind: type[Any]) -> tuple[Samples, int]:
    """Sum each cell's pixels by their weights, as numbers of `kind`; and the sum of the weights."""
    height, width = values.shape
    if height % 2 or width % 2:
        border = cv2.copyMakeBorder(values, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        values = np.asarray(border)
    rows = np.add(values[::2], values[1::2], dtype=kind)
    sums = rows[:, ::2] + rows[:, 1::2]
    if not co_sited:
        return sums, 4
    sums += rows[:, ::2]
    sums[:, 0] += rows[:, 0]
    sums[:, 1:] += rows[:, 1:-1:2]
    return sums, 8


def _in_16_bits(samples: Samples, shift: int) -> npt.NDArray[np.uint16]:
    if shift == 0:
        return samples
    return np.left_shift(samples, shift, dtype=np.uint16)


def _enlarged_rows(
    chroma: Samples, rows: slice, size: tuple[int, int], shift: int, co_sited: bool
) -> npt.NDArray[np.uint16]:
    """Give rows, the first an even one, of a chroma plane enlarged to the `size` of luma."""
    if chroma.shape[0] == size[0]:
        some = _in_16_bits(chroma[rows], shift)
        return _enlarged(some, rows.stop - rows.start, size[1], co_sited)
    # Rows are halved: between two of them, so that the neighbours outside are needed.
    first, last = max(0, rows.start // 2 - 1), min(chroma.shape[0], (rows.stop + 1) // 2 + 1)
    some = _in_16_bits(chroma[first:last], shift)
    whole = _enlarged(some, 2 * (last - first), size[1], co_sited)
    return whole[rows.start - 2 * first : rows.stop - 2 * first]


def _enlarged(
    chroma: npt.NDArray[np.uint16], height: int, width: int, co_sited: bool
) -> npt.NDArray[np.uint16]:
    """Interpolate chroma linearly to the size of luma."""
    rows, columns = chroma.shape
    if (rows, columns) == (height, width):
        return chroma
    half_rows, half_columns = rows < height, columns * 2 in (width, width + 1)
    if not (half_columns and co_sited):
        tall = height + height % 2 if half_rows else height
        wide = width + width % 2 if half_columns else width
        grown = cv2.resize(chroma, (wide, tall), interpolation=cv2.INTER_LINEAR)
        return np.ascontiguousarray(grown[:height, :width], dtype=np.uint16)
    if half_rows:
        chroma = _twice_as_tall(chroma)[:height]
    wide_plane = np.empty((height, columns * 2), np.uint16)
    wide_plane[:, ::2] = chroma
    if columns > 1:
        wide_plane[:, 1:-1:2] = cv2.addWeighted(chroma[:, :-1], 0.5, chroma[:, 1:], 0.5, 0)
    wide_plane[:, -1] = chroma[:, -1]
    return np.ascontiguousarray(wide_plane[:, :width])


def _twice_as_tall(chroma: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    """Put two rows in place of each, a quarter of a row above and below: a faster `cv2.resize`."""
    tall = np.empty((2 * len(chroma), chroma.shape[1]), np.uint16)
    tall[0], tall[-1] = chroma[0], chroma[-1]
    if len(chroma) > 1:
        cv2.addWeighted(chroma[1:], 0.75, chroma[:-1], 0.25, 0, dst=tall[2::2])
        cv2.addWeighted(chroma[:-1], 0.75, chroma[1:], 0.25, 0, dst=tall[1:-1:2])
    return tall
