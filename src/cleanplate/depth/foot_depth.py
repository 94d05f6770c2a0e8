"""16-bit codec of a cutout's relative depth: metres behind the subject's foot point.

Unlike scene depth in millimetres (`depth_codec`), values may be negative: the range is -5 m to
+1.55 m in steps of 0.1 mm. Code 0 means no subject.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Mask, Plane

_OFFSET = 5
"""Metres in front of the foot point that correspond to code 0."""
_STEPS = 10000
"""Codes per metre."""


def encode_foot_depth(depth: npt.NDArray[Any], known: Mask) -> npt.NDArray[np.uint16]:
    """Encode metres behind the foot point as codes 1 to 65535; 0 where `known` is False.

    Args:
        depth: (H, W) float, metres, finite where `known`; clipped to the range. The dtype is the
            precision of the computation.
        known: (H, W) bool, True where there is a subject.
    """
    coded = np.rint((np.where(known, depth, 0) + _OFFSET) * _STEPS).clip(1, 65535)
    return np.where(known, coded, 0).astype(np.uint16)


def decode_foot_depth(read: Plane) -> Plane:
    """Decode codes that were read as millimetres (`depth_codec.EXCHANGE`) to metres.

    Args:
        read: (H, W) from `read_depth`: code / 1000, NaN where the code is 0.

    Returns:
        (H, W) float32, metres behind the foot point; NaN where there is no subject.
    """
    return np.asarray(read / np.float32(_STEPS / 1000) - np.float32(_OFFSET), np.float32)
