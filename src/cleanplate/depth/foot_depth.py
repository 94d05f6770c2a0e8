"""Depth within a cutout: metres behind its foot point, as 16-bit codes.

Another quantity than a scene's depth in millimetres (`depth_codec`): it may be negative, from -5 to
+1.55 m in steps of 0.1 mm, and 0 is a pixel of no subject.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Mask, Plane

_OFFSET = 5
"""Metres before the foot point that code 0 would stand for."""
_STEPS = 10000
"""Codes in a metre."""


def encode_foot_depth(depth: npt.NDArray[Any], known: Mask) -> npt.NDArray[np.uint16]:
    """Turn metres behind the foot point into codes 1 to 65535; 0 where not `known`.

    Args:
        depth: (H, W) floats, in whose precision it is computed; beyond the range they are clipped.
        known: (H, W), where there is a subject. What is not finite there is an error of the caller.
    """
    coded = np.rint((np.where(known, depth, 0) + _OFFSET) * _STEPS).clip(1, 65535)
    return np.where(known, coded, 0).astype(np.uint16)


def decode_foot_depth(read: Plane) -> Plane:
    """Turn codes that were read as millimetres (`depth_codec.EXCHANGE`) into metres.

    Args:
        read: (H, W) as `read_depth` gives it: code / 1000, NaN where the code is 0.

    Returns:
        (H, W) float32, metres behind the foot point; NaN where there is no subject.
    """
    return np.asarray(read / np.float32(_STEPS / 1000) - np.float32(_OFFSET), np.float32)
