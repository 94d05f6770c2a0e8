"""Nearest-neighbour extrapolation of values into unknown pixels."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt


def fill_outside(values: npt.NDArray, known: npt.NDArray[np.bool_]) -> npt.NDArray:  # type: ignore[type-arg]
    """Fill unknown pixels with the value of the nearest known pixel.

    Distance is Euclidean, approximated by OpenCV with a 5 x 5 mask.

    Args:
        values: (H, W) or (H, W, C), any dtype.
        known: (H, W) bool.

    Returns:
        an array of the shape and dtype of `values`; `values` itself if all or no pixels are known.

    Examples:
        >>> values = np.array([[7, 0, 0, 9]], np.float32)
        >>> fill_outside(values, values > 0).tolist()  # from the nearest known pixel
        [[7.0, 7.0, 9.0, 9.0]]
    """
    if known.all() or not known.any():
        return values
    _, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # Each known pixel has a label of its own; labels are converted to flat indices.
    flat = np.flatnonzero(known)
    position = np.zeros(flat.size + 1, np.intp)
    position[labels.ravel().take(flat)] = flat
    source = position.take(np.asarray(labels, np.int32))
    if values.dtype == np.uint8 and values.shape[2:] == (3,):
        # Gathering one uint32 per pixel is five times faster than three bytes.
        four = cv2.cvtColor(values, cv2.COLOR_RGB2RGBA).view(np.uint32)
        carried = four.ravel().take(source).view(np.uint8).reshape(*known.shape, 4)
        return np.asarray(cv2.cvtColor(carried, cv2.COLOR_RGBA2RGB))
    return values.reshape(-1, *values.shape[2:]).take(source, axis=0)
