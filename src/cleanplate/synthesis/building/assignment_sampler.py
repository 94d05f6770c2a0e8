"""Samples of the `assignment` preset: a cutout pasted on a plate, anywhere, with a hard edge.

Plate, cutout and flip follow from the sample's index; the placement is drawn from (seed, index).
There is no light, shadow or camera: outside of the mask the frame equals the plate, inside it the
cutout.
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
from cleanplate.synthesis.compositor.layer import Layer, render_layer
from cleanplate.synthesis.compositor.placement import Placement, place_uniform
from cleanplate.synthesis.compositor.subject_sampling import CutoutCollection, PlateCollection
from cleanplate.synthesis.compositor.view import SceneView, crop_view

_JPEG_QUALITY = 90
_MASK_QUALITY = 95
"""High enough that a threshold in the middle restores the mask exactly."""
_ATTEMPTS = 8
_MIN_COVERAGE = 0.0012
"""Least share of the picture that a subject covers, if one of the attempts finds such a place."""


@dataclass(frozen=True)
class PastedSample:
    """A sample of the assignment, (H, W).

    `plate`, `frame` (H, W, 3) uint8 sRGB; `mask` uint8, 0 or 255; `disparity` of the frame in 1/m,
    0 where there is no surface and where it is unknown.
    """

    plate: Bytes
    frame: Bytes
    mask: Bytes
    disparity: Plane


class AssignmentSampler:
    """Makes the samples of an assignment's plan.

    Args:
        plan: with the numbers of plates, cutouts, flips and placements.
        plates: as many as in the plan; each has depth.
        cutouts: as many as in the plan.
    """

    def __init__(self, plan: Plan, plates: PlateCollection, cutouts: CutoutCollection):
        self.plan, self.plates, self.cutouts = plan, plates, cutouts
        # Consecutive samples share a plate.
        self._view = lru_cache(4)(self._plate_view)

    def sample(self, index: int) -> tuple[dict[str, bytes], dict[str, Any]]:
        """Give the files of sample `index` by folder, and its metadata for the shard's manifest."""
        number, _, flip, repeat = self.plan.assignment_indices(index)
        view, background, unknown = self._view(number)
        layer = self._layer(index, view)
        pasted = paste(view, layer)
        depth, low, high = disparity_levels(pasted.disparity)
        files = {
            "bg": background,
            "fg_bg": encode_jpeg(pasted.frame, _JPEG_QUALITY),
            "mask": encode_jpeg(pasted.mask, _MASK_QUALITY),
            "depth": encode_jpeg(depth, _MASK_QUALITY),
        }
        placement = layer.placement
        metadata = {
            "plate": self.plates[number].name,
            "cutout": placement.cutout.name,
            "flip": flip,
            "placement": repeat,
            "x": round(placement.x, 3),
            "y": round(placement.y, 3),
            "scale": round(placement.scale, 5),
            "z": None if placement.z is None else round(placement.z, 4),
            "disparity_low": low,
            "disparity_high": high,
        }
        return files, {**metadata, "depth_unknown": unknown} if unknown else metadata

    def _plate_view(self, number: int) -> tuple[SceneView, bytes, int]:
        """Give a plate's view, its encoded picture, and its number of pixels without depth."""
        plate = self.plates[number]
        if plate.disparity is None:
            raise CleanplateError(f"the plate {plate.name} has no depth")
        height, width = self.plan.size
        full_h, full_w = plate.picture.shape[:2]
        largest = min(full_w / width, full_h / height)
        w, h = min(full_w, round(width * largest)), min(full_h, round(height * largest))
        view = crop_view(plate, ((full_w - w) // 2, (full_h - h) // 2, w, h), self.plan.size)
        assert view.disparity is not None
        unknown = int(np.isnan(view.disparity).sum())
        return view, encode_jpeg(view.picture, _JPEG_QUALITY), unknown

    def _layer(self, index: int, view: SceneView) -> Layer:
        """Draw placements until enough of the subject is visible; else take the best attempt."""
        _, number, flip, _ = self.plan.assignment_indices(index)
        cutout = self.cutouts[number]
        rng = np.random.default_rng([self.plan.seed, index])
        best, covered = None, 0
        for _ in range(_ATTEMPTS):
            placement = place_uniform(rng, cutout, view, mirrored=bool(flip))
            layer = render_layer(_flattened(placement), view.size)
            seen = 0 if layer is None else int(np.count_nonzero(layer.alpha >= 0.5))
            if best is None or seen > covered:
                best, covered = layer, seen
            if covered > _MIN_COVERAGE * view.size[0] * view.size[1]:
                break
        if best is None:
            raise CleanplateError(f"the cutout {cutout.name} is seen in no placement")
        return best


def _flattened(placement: Placement) -> Placement:
    """Reduce the depth extent of a subject that would reach further than halfway to the camera.

    Placed anywhere, a truck may float a metre in front of the camera: its own depth would use up
    the 8 bits of the depth file.
    """
    cutout = placement.cutout
    solid = cutout.alpha > 127
    reach = -float(cutout.depth[solid].min()) if solid.any() else 0.0
    if placement.z is None or reach * placement.metres <= placement.z / 2:
        return placement
    return replace(placement, metres=placement.z / 2 / reach)


def paste(view: SceneView, layer: Layer) -> PastedSample:
    """Paste a layer on a view with a hard edge, where its alpha is at least 0.5.

    The subject is nowhere farther away than the plate, because it is visible.
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
    return PastedSample(view.picture, frame, mask, disparity)
