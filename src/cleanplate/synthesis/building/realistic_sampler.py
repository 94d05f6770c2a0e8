"""Samples of the `realistic` preset, as the parts of a WebDataset sample."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from cleanplate.depth.depth_codec import DATASET, encode_disparity
from cleanplate.formats.encoding import encode_jpeg, encode_png
from cleanplate.synthesis.assets.plate import Camera
from cleanplate.synthesis.building.plan import Plan
from cleanplate.synthesis.building.quantisation import alpha_levels
from cleanplate.synthesis.compositor.composer import Composer
from cleanplate.synthesis.compositor.placement import Placement

_JPEG_QUALITY = 95


class RealisticSampler:
    """Makes the samples of a realistic plan.

    Args:
        plan: with seed and size.
        composer: over the plan's assets, with its settings.
    """

    def __init__(self, plan: Plan, composer: Composer):
        self.plan, self.composer = plan, composer

    def sample(self, index: int) -> tuple[dict[str, bytes], dict[str, Any]]:
        """Give the parts of sample `index` by ending; its manifest entry is empty."""
        sample, composition = self.composer.sample_with_truth(index, self.plan.size)
        parts = {
            "plate.jpg": encode_jpeg(sample["plate"], _JPEG_QUALITY, full_colour=True),
            "frame.jpg": encode_jpeg(sample["frame"], _JPEG_QUALITY, full_colour=True),
            "foreground.png": encode_png(sample["foreground"], "fastest"),
            "alpha.png": encode_png(alpha_levels(sample["alpha"]), "fastest"),
            "shadow.png": encode_png(alpha_levels(sample["shadow"]), "fastest"),
        }
        for part, disparity in (
            ("plate_depth.png", sample["plate_disparity"]),
            ("depth.png", sample["disparity"]),
        ):
            if not np.isnan(disparity).all():
                parts[part] = encode_png(encode_disparity(disparity, DATASET), "fastest")
        metadata = {
            "index": index,
            "seed": self.plan.seed,
            "plate": composition.name,
            "camera": None
            if composition.view.camera is None
            else _camera_metadata(composition.view.camera),
            "subjects": [_subject_metadata(placement) for placement in composition.placements],
        }
        parts["json"] = json.dumps(metadata, ensure_ascii=False).encode()
        return parts, {}


def _camera_metadata(camera: Camera) -> dict[str, float]:
    """Intrinsics of the frame's camera in pixels, height in metres, pitch in radians."""
    values = {**camera.intrinsics._asdict(), "height": camera.height, "pitch": camera.pitch}
    return {name: round(float(value), 5) for name, value in values.items()}


def _subject_metadata(placement: Placement) -> dict[str, Any]:
    """Cutout and placement of one subject: foot point in pixels, depth in metres."""
    return {
        "cutout": placement.cutout.name,
        "kind": placement.cutout.kind,
        "how": placement.how,
        "mirrored": placement.mirrored,
        "scale": round(placement.scale, 5),
        "x": round(placement.x, 3),
        "y": round(placement.y, 3),
        "z": None if placement.z is None else round(placement.z, 4),
        "support": None if placement.support is None else round(placement.support, 4),
        "metres": round(placement.metres, 5),
    }
