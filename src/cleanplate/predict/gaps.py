"""Gaps in a matte: pixels near its edge that show the plate itself.

The network sees a reduced picture and closes what lies between strands of hair, stalks and fingers.
At full size a pixel that has the plate's colour, where the subject's colour nearby is plainly
another one, is a gap. Elsewhere alpha stays.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Coded, Picture, Plane
from cleanplate.bilinear import Indices
from cleanplate.formats.pictures import resize, to_float
from cleanplate.matte import push_pull
from cleanplate.predict.alignment.exposure import Exposure
from cleanplate.predict.size import Size

NOISE = 0.02
"""Standard deviation of frame minus plate that counts as noise, in sRGB."""

_CONTRAST = 72 * NOISE**2
"""Squared distance between the subject's colour and the plate's below which nothing is changed."""

_INSIDE = np.ones((9, 9), np.uint8)
"""So far from the matte's edge, in working pixels, colours are the subject's own."""

_CELL = 4
"""Working pixels a side over which the subject's colour is averaged."""

_UNLIKE = 6.0
"""Beyond so many noise variances a channel, a pixel does not show the plate (exp(-6 / 2) = .05)."""

_LEAST = 0.01
"""Alpha that is not lowered: it would hardly show."""

Values = npt.NDArray[np.float32]


def standing_out(power: Values) -> Values:
    """Rise from 0 where the subject's colour hardly differs from the plate's, slowly towards 1.

    Args:
        power: squared distance between the two, in sRGB; at three times the least, this is 0.5.
    """
    contrast = power / np.float32(_CONTRAST)
    return np.clip((contrast - 1) / (contrast + 1), 0, 1)


class Gaps(NamedTuple):
    """What gaps are found from, in a part of the picture.

    plate: (H, W, 3) the plate, registered.
    exposure: from the plate's to the frame's.
    subject: (h', w', 3) the subject's colour, spread from its inside, coarse.
    """

    plate: Coded | Picture
    exposure: Exposure
    subject: Picture

    @classmethod
    def of(
        cls, alpha: Plane, guide: Picture, plate: Coded | Picture, exposure: Exposure
    ) -> Gaps | None:
        """Prepare a part of the picture; None where the subject has no inside.

        Args:
            alpha: (h, w) at working size.
            guide: (h, w, 3) the frame at working size, sRGB in [0, 1].
            plate: (H, W, 3) the plate, registered.
            exposure: from the plate's to the frame's.
        """
        inside = (cv2.erode(alpha, _INSIDE) > 0.95).astype(np.uint8)
        if not inside.any():
            return None
        height, width = alpha.shape
        size: Size = (max(1, round(height / _CELL)), max(1, round(width / _CELL)))
        own = resize(cv2.copyTo(guide, inside), size)
        # A part of a larger array would be copied again for each look at its pixels.
        whole: Any = np.ascontiguousarray(plate)
        return cls(whole, exposure, push_pull(own, resize(inside.astype(np.float32), size)))

    def opened(self, alpha: Values, points: Indices, frame: Values) -> Values:
        """Lower alpha where the frame shows the plate.

        Alpha falls to the projection of I - B on F - B (frame I, plate B, subject F), by as much as
        I is B within the noise, and F is not.

        Args:
            alpha: (n) in [0, 1].
            points: (n) flat indices of the pixels.
            frame: (n, 3) sRGB in [0, 1].

        Returns:
            (n) float32, nowhere larger than `alpha`.
        """
        some = np.flatnonzero(alpha > _LEAST)
        shown: Any = np.take(self.plate.reshape(-1, 3), points[some], axis=0)
        plate = to_float(self.exposure.apply(shown[None])[0])
        difference = np.take(frame, some, axis=0) - plate
        unlike = np.einsum("ij,ij->i", difference, difference)
        like = np.flatnonzero(unlike < _UNLIKE * 3 * NOISE**2)
        near = some[like]
        plate, difference, before = plate[like], difference[like], alpha[near]
        across = self._subject_at(points[near]) - plate
        power = np.einsum("ij,ij->i", across, across)
        along = np.einsum("ij,ij->i", difference, across)
        projection = np.clip(along / np.maximum(power, np.float32(1e-6)), 0, 1)
        share = standing_out(power)
        share *= np.exp(unlike[like] / np.float32(-2 * 3 * NOISE**2))
        result = alpha.copy()
        result[near] += np.minimum(projection - before, 0) * share
        return result

    def _subject_at(self, points: Indices) -> Values:
        """Give the subject's colour at pixels, (n, 3), of the cell that holds each."""
        height, width = self.plate.shape[:2]
        rows, columns = self.subject.shape[:2]
        y = points // width
        cells = (y * rows // height) * columns + (points - y * width) * columns // width
        return np.asarray(np.take(self.subject.reshape(-1, 3), cells, axis=0), np.float32)
