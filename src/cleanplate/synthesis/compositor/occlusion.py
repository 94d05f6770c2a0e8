"""Occlusion: subjects merged into the scene by depth, in linear light."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.arrays import Picture, Plane
from cleanplate.synthesis.compositor.layer import Layer
from cleanplate.synthesis.compositor.view import SceneView

_DEPTH_TOLERANCE = 0.03
"""Relative depth by which a plate must be nearer than the subject to hide it: the plate's depth is
quantised, and feet touch the floor.
"""
_MIN_ALPHA = np.float32(1 / 512)
"""Alpha below this counts as no subject."""
_SUPPORT_MARGIN = 0.05
"""Metres over its support up to which the plate belongs to what the subject stands on."""


@dataclass
class MergedSubjects:
    """All subjects of a frame merged, (H, W) of the sample.

    `light` (H, W, 3) float32 linear, premultiplied by `alpha`; `disparity` in 1/m of the nearest
    subject where alpha > 0, NaN elsewhere and where unknown; None without depth.
    """

    light: Picture
    alpha: Plane
    disparity: Plane | None
    rows: slice | None = None
    columns: slice | None = None
    """The box outside of which alpha is 0; None while there is no subject."""

    @property
    def any(self) -> bool:
        """True once a subject has been added."""
        return self.rows is not None

    @property
    def box(self) -> tuple[slice, slice]:
        """Index of the box in a picture; empty without subjects."""
        return self.rows or slice(0, 0), self.columns or slice(0, 0)

    @classmethod
    def empty(cls, size: tuple[int, int], *, depth: bool) -> MergedSubjects:
        """Give the state without subjects, in a picture of `size` (H, W)."""
        return cls(
            np.zeros((*size, 3), np.float32),
            np.zeros(size, np.float32),
            np.full(size, np.nan, np.float32) if depth else None,
        )


def visible_alpha(layer: Layer, view: SceneView, subjects: MergedSubjects) -> Plane:
    """Give the layer's alpha where no nearer surface of the plate hides it, (h, w) of its box.

    Compared pixel by pixel in disparity; the occluding edge is softened over a pixel, like the
    plate's own edges. The surface that a subject stands on never hides it.
    """
    if layer.disparity is None or view.disparity is None:
        return layer.alpha
    plate = view.disparity[layer.box]
    limit = layer.disparity * np.float32(1 + _DEPTH_TOLERANCE)
    hidden = plate > limit
    if not hidden.any():
        return layer.alpha
    placement, camera = layer.placement, view.camera
    if placement.support is not None and camera is not None:
        # Height over the floor of the plate's pixels: see view.world_points.
        rows = np.arange(layer.rows.start, layer.rows.stop, dtype=np.float32) + np.float32(0.5)
        down = (rows - np.float32(camera.intrinsics.cy)) / np.float32(camera.intrinsics.fy)
        rise = np.float32(np.sin(camera.pitch)) - np.float32(np.cos(camera.pitch)) * down
        # camera.height + rise / plate > support + skin, without dividing.
        over = np.float32(placement.support + _SUPPORT_MARGIN - camera.height)
        hidden &= rise[:, None] > over * plate
    if not hidden.any():
        return layer.alpha
    seen = cv2.GaussianBlur((~hidden).astype(np.float32), (3, 3), 0.6)
    return np.asarray(layer.alpha * seen, np.float32)


def add_layer(subjects: MergedSubjects, layer: Layer, light: Picture, alpha: Plane) -> None:
    """Composite a layer over the merged subjects, or behind those that are nearer.

    Layers come from far to near; a nearer part of an earlier one stays in front.

    Args:
        subjects: changed in place.
        layer: the placed subject.
        light: (h, w, 3) its linear straight colour.
        alpha: (h, w) its visible coverage.
    """
    box = layer.box
    # Cut the tails of blurs that no 8-bit matte can show.
    alpha = np.minimum(alpha * (alpha >= _MIN_ALPHA), np.float32(1))
    if not subjects.any:
        subjects.light[box] = cv2.multiply(light, cv2.merge([alpha, alpha, alpha]))
        if subjects.disparity is not None and layer.disparity is not None:
            np.copyto(subjects.disparity[box], layer.disparity, where=alpha > 0)
        subjects.alpha[box] = alpha
        subjects.rows, subjects.columns = layer.rows, layer.columns
        return
    under = subjects.alpha[box]
    if layer.disparity is not None and subjects.disparity is not None:
        before = subjects.disparity[box]
        # NaN, where there is no subject yet, compares as False.
        behind = (before > layer.disparity * np.float32(1 + _DEPTH_TOLERANCE)) & (under >= 0.5)
        if behind.any():
            alpha = alpha * (1 - under * behind)
    keep = np.float32(1) - alpha
    weight = cv2.merge([alpha, alpha, alpha])
    mixed = np.multiply(light, weight, out=np.asarray(weight))
    mixed += subjects.light[box] * cv2.merge([keep, keep, keep])
    subjects.light[box] = mixed
    if subjects.disparity is not None and layer.disparity is not None:
        old = subjects.disparity[box]
        takes = (alpha > 0) & ((alpha >= 0.5) | (under * keep <= alpha))
        np.copyto(old, layer.disparity, where=takes)
    subjects.alpha[box] = 1 - (1 - under) * keep
    subjects.rows = _union(subjects.rows, layer.rows)
    subjects.columns = _union(subjects.columns, layer.columns)


def _union(a: slice | None, b: slice) -> slice:
    return b if a is None else slice(min(a.start, b.start), max(a.stop, b.stop))
