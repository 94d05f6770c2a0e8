"""The assignment's samples: a cutout pasted on a plate, anywhere, with a hard edge.

Plate, cutout and flip follow from the sample's index; the placement is drawn from (seed, index).
No light, shadow or camera: outside of the mask the frame is the plate, code by code, and inside
it the cutout.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Bytes, Plane
from cleanplate.errors import CleanplateError
from cleanplate.formats.encoding import encode_jpeg
from cleanplate.synthesis.building.plan import Plan
from cleanplate.synthesis.building.quantisation import disparity_levels
from cleanplate.synthesis.compositor.layer import Layer, draw_layer
from cleanplate.synthesis.compositor.placement import Placement, uniform
from cleanplate.synthesis.compositor.subject_sampling import Cutouts, Plates
from cleanplate.synthesis.compositor.view import View, view_of

_QUALITY = 90
_MASK_QUALITY = 95
"""High enough that a threshold in the middle gives the mask back exactly."""
_TRIES = 8
_SMALLEST = 0.0012
"""Least share of the picture that a subject covers, if one of the tries finds such a place."""


@dataclass(frozen=True)
class Pasted:
    """A sample of the assignment, (H, W).

    `plate`, `frame` (H, W, 3) uint8 sRGB; `mask` uint8, 0 or 255; `disparity` in 1/m of the frame,
    0 where nothing is hit and where it is not known.
    """

    plate: Bytes
    frame: Bytes
    mask: Bytes
    disparity: Plane


class Assignment:
    """Makes the samples of an assignment's plan.

    Args:
        plan: counts plates, cutouts, flips and placements.
        plates: as many as it counts; each has a depth.
        cutouts: as many as it counts.
    """

    def __init__(self, plan: Plan, plates: Plates, cutouts: Cutouts):
        self.plan, self.plates, self.cutouts = plan, plates, cutouts
        # Neighbours share a plate.
        self._view = lru_cache(4)(self._drawn)

    def sample(self, index: int) -> tuple[dict[str, bytes], dict[str, Any]]:
        """Give the files of sample `index` by folder, and the facts of its record."""
        number, _, flip, repeat = self.plan.counted(index)
        view, background, unknown = self._view(number)
        layer = self._layer(index, view)
        pasted = paste(view, layer)
        depth, low, high = disparity_levels(pasted.disparity)
        files = {
            "bg": background,
            "fg_bg": encode_jpeg(pasted.frame, _QUALITY),
            "mask": encode_jpeg(pasted.mask, _MASK_QUALITY),
            "depth": encode_jpeg(depth, _MASK_QUALITY),
        }
        put = layer.placement
        facts = {
            "plate": self.plates[number].name,
            "cutout": put.cutout.name,
            "flip": flip,
            "placement": repeat,
            "x": round(put.x, 3),
            "y": round(put.y, 3),
            "scale": round(put.scale, 5),
            "z": None if put.z is None else round(put.z, 4),
            "disparity_low": low,
            "disparity_high": high,
        }
        return files, {**facts, "depth_unknown": unknown} if unknown else facts

    def _drawn(self, number: int) -> tuple[View, bytes, int]:
        """Give a plate's view, its coded picture, and how many pixels have no known depth."""
        plate = self.plates[number]
        if plate.disparity is None:
            raise CleanplateError(f"the plate {plate.name} has no depth")
        height, width = self.plan.size
        full_h, full_w = plate.picture.shape[:2]
        largest = min(full_w / width, full_h / height)
        w, h = min(full_w, round(width * largest)), min(full_h, round(height * largest))
        view = view_of(plate, ((full_w - w) // 2, (full_h - h) // 2, w, h), self.plan.size)
        assert view.disparity is not None
        unknown = int(np.isnan(view.disparity).sum())
        return view, encode_jpeg(view.picture, _QUALITY), unknown

    def _layer(self, index: int, view: View) -> Layer:
        """Draw the subject's place until enough of it is seen; the best of all tries otherwise."""
        _, number, flip, _ = self.plan.counted(index)
        cutout = self.cutouts[number]
        rng = np.random.default_rng([self.plan.seed, index])
        best, covered = None, 0
        for _ in range(_TRIES):
            put = uniform(rng, cutout, view, mirrored=bool(flip))
            layer = draw_layer(_shallow(put), view.size)
            seen = 0 if layer is None else int(np.count_nonzero(layer.alpha >= 0.5))
            if best is None or seen > covered:
                best, covered = layer, seen
            if covered > _SMALLEST * view.size[0] * view.size[1]:
                break
        if best is None:
            raise CleanplateError(f"the cutout {cutout.name} is seen in no placement")
        return best


def _shallow(put: Placement) -> Placement:
    """Flatten a subject that would reach further than halfway to the camera.

    Drawn anywhere, a truck may come to float a metre away: its own depth would leave nothing of
    the 8 bits to the rest of the scene.
    """
    cutout = put.cutout
    solid = cutout.alpha > 127
    reach = -float(cutout.depth[solid].min()) if solid.any() else 0.0
    if put.z is None or reach * put.metres <= put.z / 2:
        return put
    return replace(put, metres=put.z / 2 / reach)


def paste(view: View, layer: Layer) -> Pasted:
    """Put a layer on a view with a hard edge: where it covers half of a pixel or more.

    The subject is nowhere farther away than the plate, because it is seen.
    """
    assert view.disparity is not None
    solid: npt.NDArray[np.bool_] = layer.alpha >= 0.5
    frame, disparity = view.picture.copy(), np.nan_to_num(view.disparity, nan=0.0)
    mask = np.zeros(view.size, np.uint8)
    mask[layer.box][solid] = 255
    np.copyto(frame[layer.box], layer.colour, where=solid[..., None])
    if layer.disparity is not None:
        behind = disparity[layer.box]
        np.copyto(behind, np.maximum(layer.disparity, behind), where=solid)
    return Pasted(view.picture, frame, mask, disparity)
