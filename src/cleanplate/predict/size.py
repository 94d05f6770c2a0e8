"""The network's working size, and the check that plate and frame have one size."""

from __future__ import annotations

from cleanplate.errors import CleanplateError

WORKING_SIZE = 512
"""Default long side, in pixels, of the pictures that the network takes."""

SMALL_PICTURE = 640
"""Pictures with a long side up to this are not reduced by default, and enlarged towards it."""

ENLARGEMENT = 4 / 3
"""The network sees small pictures enlarged by at most this, since it places outlines on a grid of
two pixels. Three fifths gain little more and take 1.4 times as long (docs/prediction.md)."""

SMALLEST_SIDE = 32
"""The network needs so many pixels a side; smaller pictures are padded, not stretched."""

SAME_ASPECT = 0.02
"""With `fit`, width over height of plate and frame may differ by this share."""

Size = tuple[int, int]
"""(height, width) in pixels."""


def working_size(size: Size, long_side: int = WORKING_SIZE) -> Size:
    """Give the (height, width) to which a picture of `size` is reduced: never enlarged."""
    return _scaled(size, min(1.0, long_side / max(size)))


def network_size(size: Size, long_side: int = WORKING_SIZE) -> Size:
    """Give the (height, width) at which the network takes a picture of `size`.

    It is `working_size` but for pictures smaller than `long_side`: these are enlarged, by
    `ENLARGEMENT` at most.
    """
    return _scaled(size, min(ENLARGEMENT, long_side / max(size)))


def default_long_side(size: Size, of_model: int | None) -> int:
    """Give the long side that the network takes of a picture of `size`, where none is chosen.

    Args:
        size: (height, width) of the picture.
        of_model: what the model asks for of pictures that are not small.
    """
    return SMALL_PICTURE if max(size) <= SMALL_PICTURE else of_model or WORKING_SIZE


def _scaled(size: Size, scale: float) -> Size:
    height, width = size
    return max(1, round(height * scale)), max(1, round(width * scale))


def check_working_size(long_side: int) -> None:
    """Check a working size.

    Raises:
        CleanplateError: it is below `SMALLEST_SIDE` or above 4096 pixels.
    """
    if not SMALLEST_SIDE <= long_side <= 4096:
        raise CleanplateError(
            f"a working size of {long_side} px is not possible",
            cure=f"choose {SMALLEST_SIDE} to 4096, or leave it out",
        )


def check_fit(plate: Size, frame: Size, fit: bool) -> bool:
    """Whether the plate must be resampled to the frame's size.

    Args:
        plate: (height, width) of the plate.
        frame: (height, width) of the frame.
        fit: whether resampling is allowed.

    Raises:
        CleanplateError: sizes differ and `fit` is off; or the shapes differ by more than
            `SAME_ASPECT`, so that resampling would distort or the scene was framed otherwise.
    """
    if plate == frame:
        return False
    sizes = f"the plate is {plate[1]} x {plate[0]} and the frame {frame[1]} x {frame[0]}"
    if plate == frame[::-1]:
        raise CleanplateError(
            f"{sizes}: one of them lies on its side",
            cure="turn one of them, so that both show the scene the same way up",
        )
    ratio = (plate[1] * frame[0]) / (plate[0] * frame[1])
    if max(ratio, 1 / ratio) > 1 + SAME_ASPECT:
        raise CleanplateError(
            f"{sizes}: the shapes differ, so they do not show the same part of the scene",
            cure="crop one of them to the other's view (resampling would distort it)",
        )
    if not fit:
        raise CleanplateError(
            f"{sizes}",
            cure="--fit (in Python, fit=True) resamples the plate to the frame's size",
        )
    return True
