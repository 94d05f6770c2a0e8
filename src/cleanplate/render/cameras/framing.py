"""Framing: a camera aimed at a subject so that it fills the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cleanplate.render.subjects.cutout_views import CutoutView

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FramedCamera:
    """A camera aimed at a subject.

    Args:
        size: height, width in pixels; the optical axis meets the middle.
        focal: pixels.
        position: metres.
        heading: radians counter-clockwise from +X.
        pitch: radians, up is positive.
        foot: metres, the point on the ground from which depth is measured.
        window: top, bottom, left, right of the part of the picture that is kept.
    """

    size: tuple[int, int]
    focal: float
    position: tuple[float, float, float]
    heading: float
    pitch: float
    foot: tuple[float, float, float]
    window: tuple[int, int, int, int]

    def project(self, points: Points) -> tuple[Points, Points, Points]:
        """Project points (n, 3) to columns and rows (centres at + 0.5) and planar depth."""
        u, v, z = _project_normalised(points, self.position, self.heading, self.pitch)
        return self.focal * u + self.size[1] / 2, self.focal * v + self.size[0] / 2, z

    @property
    def foot_depth(self) -> float:
        """Planar depth of the foot point in metres."""
        return float(self.project(np.array([self.foot]))[2][0])


_MARGIN = 4
"""Transparent pixels around a whole subject."""
_MAX_DEPTH_BEHIND = 1.5
"""Metres behind the foot point that a cutout's depth file can hold, nearly."""


def frame_subject(
    points: Points, view: CutoutView, stump: Points | None = None
) -> FramedCamera | None:
    """Aim the camera so that the subject fills its picture; None if that is not possible.

    Args:
        points: the subject's vertices, (n, 3) metres, standing on z = 0 at the origin.
        view: camera height, distance, framing and size.
        stump: of a hand, the vertices of its open end, which must stay outside.
    """
    position = (0.0, -view.distance, view.camera_height)
    near = points
    if view.framing == "half":
        near = points[points[:, 2] > view.waist * points[:, 2].max()]
    heading, pitch = math.pi / 2, 0.0
    for _ in range(6):
        u, v, z = _project_normalised(near, position, heading, pitch)
        if z.min() < 0.12:
            return None
        heading -= math.atan((u.min() + u.max()) / 2)
        pitch -= math.atan((v.min() + v.max()) / 2)
    u, v, z = _project_normalised(near, position, heading, pitch)
    half_u, half_v = float(np.abs(u).max()), float(np.abs(v).max())
    focal = view.pixels / (2 * max(half_u, half_v))
    height = round(2 * half_v * focal) + 2 * _MARGIN
    width = round(2 * half_u * focal) + 2 * _MARGIN
    spare = _foot_offset(points, position, heading, pitch)
    foot = (0.0, max(0.0, spare), 0.0)
    window = (0, height, 0, width)
    frame = FramedCamera((height, width), focal, position, heading, pitch, foot, window)
    return frame if stump is None else _crop_wrist(frame, stump)


def _foot_offset(
    points: Points, position: tuple[float, float, float], heading: float, pitch: float
) -> float:
    """Metres along the ground by which the foot point must move back for the depth file."""
    _, _, z = _project_normalised(np.vstack([points, np.zeros((1, 3))]), position, heading, pitch)
    over = float(z[:-1].max() - z[-1]) - _MAX_DEPTH_BEHIND
    return over / max(math.cos(pitch), 0.2)


def _crop_wrist(frame: FramedCamera, stump: Points) -> FramedCamera | None:
    """Choose the border that loses least so that the open end of a wrist is outside."""
    height, width = frame.size
    x, y, _ = frame.project(stump)
    # left, right and bottom border in turn, each with the share of the picture that remains
    left, right, bottom = math.ceil(x.max()) + 1, math.floor(x.min()) - 1, math.floor(y.min()) - 1
    choices = [
        (1 - left / width, (0, height, left, width)),
        (right / width, (0, height, 0, right)),
        (bottom / height, (0, bottom, 0, width)),
    ]
    share, window = max(choices)
    return replace(frame, window=window) if share > 0.5 else None


def _project_normalised(
    points: Points, position: tuple[float, float, float], heading: float, pitch: float
) -> tuple[Points, Points, Points]:
    """Give x/z, y/z (y down) and planar depth z."""
    ahead = np.array([math.cos(heading), math.sin(heading), 0.0])
    forward = ahead * math.cos(pitch) + np.array([0, 0, math.sin(pitch)])
    right = np.array([math.sin(heading), -math.cos(heading), 0.0])
    down = np.cross(forward, right)
    way = points - np.array(position)
    z = way @ forward
    return (way @ right) / z, (way @ down) / z, z
