"""How a depth map was drawn in the report, and how it should have been."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Map = npt.NDArray[np.float32]

_MEAN = np.array([0.485, 0.456, 0.406], np.float32) * 255
_STD = np.array([0.229, 0.224, 0.225], np.float32) * 255


def reported(logits: Map) -> Map:
    """Draw logits the report's way: as if they were a normalised picture, then clipped.

    Args:
        logits: (H, W).

    Returns:
        (H, W, 3) in [0, 1]. White for every logit above -1.79, that is for every depth above
        .143; the plotting library clipped what lay outside.
    """
    picture = np.clip(logits[..., None] * _STD + _MEAN, 0, 1)
    return np.asarray(picture, np.float32)


def right(depth: Map) -> Map:
    """Draw a map in [0, 1] as it is: (H, W, 3)."""
    return np.repeat(np.clip(depth, 0, 1)[..., None], 3, -1)


def stretched(depth: Map) -> Map:
    """Draw a map between its own darkest and brightest 1 %: (H, W, 3)."""
    low, high = np.percentile(depth, (1, 99))
    return right(((depth - low) / max(high - low, 1e-6)).astype(np.float32))


def logit(depth: Map) -> Map:
    """Give the logits that mean this map exactly."""
    inside = np.clip(depth.astype(np.float64), 1e-6, 1 - 1e-6)
    return np.log(inside / (1 - inside)).astype(np.float32)


def white_share(logits: Map) -> float:
    """Share of pixels that the report's drawing shows purely white, of (..., H, W)."""
    return float((reported(logits) >= 1).all(-1).mean())
