"""Arrays to the bytes of picture files, quickly: a set's samples are coded a million times over.

The colours' order, sizes and settings are fixed here, because a set is the same to the byte
wherever it is made. `pictures.write_image` is for everything else, `depth_codec` turns depth into
the numbers that are coded.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Bytes, Plane

_FULL_COLOUR = 0x111111
"""Of JPEG's sampling factors: no channel is halved."""
# The quickest deflation, and what serves it best. Runs are found in a fraction of the time that
# matches take, and lose nothing: pictures are noise or even, and a row like the one above becomes
# a run of zeros. Depth in millimetres repeats whole stretches, which no difference would.
_SMOOTH = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
_STEPPED = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT]
_FILTER = getattr(cv2, "IMWRITE_PNG_FILTER", None)
if _FILTER is not None:
    _SMOOTH += [_FILTER, getattr(cv2, "IMWRITE_PNG_FILTER_UP")]  # noqa: B009
    _STEPPED += [cv2.IMWRITE_PNG_COMPRESSION, 1]
    _STEPPED += [_FILTER, getattr(cv2, "IMWRITE_PNG_FILTER_NONE")]  # noqa: B009
# Before 4.12 OpenCV knows no filter but differences along the row, and none of these names.


def jpeg(picture: Bytes, quality: int, *, full_colour: bool = False) -> bytes:
    """Code (H, W, 3) RGB or (H, W) grey; colour is halved (4:2:0) unless `full_colour`."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    if picture.ndim == 3:
        picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), np.uint8)
        if full_colour:
            options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _FULL_COLOUR]
    return _coded(".jpg", picture, options)


def png(picture: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> bytes:
    """Code (H, W, 3) RGB or (H, W) grey of 8 or 16 bits without loss."""
    turned = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    return _coded(".png", turned, _STEPPED if picture.dtype == np.uint16 else _SMOOTH)


def levels(plane: Plane) -> Bytes:
    """Round [0, 1] to 8 bits."""
    return np.asarray(cv2.convertScaleAbs(plane, alpha=255), np.uint8)


def relative(disparity: Plane) -> tuple[Bytes, float, float]:
    """Spread disparity (no NaN) over 8 bits: near is bright.

    Returns the codes and the disparity of code 0 and code 255, in 1/m: a code c means
    `low + c / 255 * (high - low)`.
    """
    low, high, _, _ = cv2.minMaxLoc(disparity)
    span = high - low
    if span <= 0:
        return np.zeros(disparity.shape, np.uint8), low, high
    codes = cv2.convertScaleAbs(disparity, alpha=255 / span, beta=-255 * low / span)
    return np.asarray(codes, np.uint8), low, high


def _coded(ending: str, picture: npt.ArrayLike, options: object) -> bytes:
    done, data = cv2.imencode(ending, picture, options)  # type: ignore[call-overload]
    assert done
    return bytes(data)
