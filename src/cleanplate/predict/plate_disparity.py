"""The plate's relative disparity from its picture alone: multi-scale, flip-averaged."""

from __future__ import annotations

import numpy as np

from cleanplate.arrays import Picture, Plane
from cleanplate.depth import Normalisation
from cleanplate.formats.pictures import resize
from cleanplate.predict.session import PairSession
from cleanplate.predict.size import Size, working_size

SCALES = (192, 256)
"""Long sides, in pixels, at which the network sees the plate, plain and mirrored.

How deep a room is shows in its whole, and the network has seen pictures of these sizes most. On
procedural rooms that no training saw, aligned delta < 1.25 is .85 at these sizes and .77 at 384
pixels (docs/prediction.md)."""


def estimate_disparity(session: PairSession, plate: Picture) -> Plane:
    """Estimate a plate's relative disparity: the mean over `SCALES` and the mirrored picture.

    Each estimate's median and spread are taken out first, as its scale is arbitrary.

    Args:
        session: a model that `estimates_plate`.
        plate: (H, W, 3) sRGB in [0, 1].

    Returns:
        (H, W) float32, larger = nearer, median 0 and mean absolute deviation 1.
    """
    size: Size = (plate.shape[0], plate.shape[1])
    total = np.zeros(size, np.float32)
    for side in SCALES:
        small = np.asarray(resize(plate, working_size(size, side)), np.float32)
        for mirrored in (False, True):
            step = -1 if mirrored else 1
            estimate = session.plate_disparity(np.ascontiguousarray(small[:, ::step]))
            disparity = np.ascontiguousarray(estimate[:, ::step])
            total += resize(_relative(disparity), size)
    return _relative(total)


def _relative(disparity: Plane) -> Plane:
    return np.asarray(Normalisation.of(disparity).apply(disparity), np.float32)
