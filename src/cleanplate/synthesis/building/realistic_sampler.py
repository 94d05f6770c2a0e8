"""The realistic preset's samples, as the parts of a WebDataset sample."""

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

_QUALITY = 95


class Realistic:
    """Makes the samples of a realistic plan.

    Args:
        plan: gives seed and size.
        composer: over the plan's assets, with its settings.
    """

    def __init__(self, plan: Plan, composer: Composer):
        self.plan, self.composer = plan, composer

    def sample(self, index: int) -> tuple[dict[str, bytes], dict[str, Any]]:
        """Give the parts of sample `index` by ending, and nothing for its record."""
        sample, made = self.composer.made(index, self.plan.size)
        parts = {
            "plate.jpg": encode_jpeg(sample["plate"], _QUALITY, full_colour=True),
            "frame.jpg": encode_jpeg(sample["frame"], _QUALITY, full_colour=True),
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
        facts = {
            "index": index,
            "seed": self.plan.seed,
            "plate": made.name,
            "camera": None if made.view.camera is None else _camera(made.view.camera),
            "subjects": [_subject(placement) for placement in made.placements],
        }
        parts["json"] = json.dumps(facts, ensure_ascii=False).encode()
        return parts, {}


def _camera(camera: Camera) -> dict[str, float]:
    """Facts of the frame's camera: intrinsics in pixels, height in metres, pitch in radians."""
    values = {**camera.intrinsics._asdict(), "height": camera.height, "pitch": camera.pitch}
    return {name: round(float(value), 5) for name, value in values.items()}


def _subject(put: Placement) -> dict[str, Any]:
    """Facts of one subject, the farthest first: foot point in pixels, depth in metres."""
    return {
        "cutout": put.cutout.name,
        "kind": put.cutout.kind,
        "how": put.how,
        "mirrored": put.mirrored,
        "scale": round(put.scale, 5),
        "x": round(put.x, 3),
        "y": round(put.y, 3),
        "z": None if put.z is None else round(put.z, 4),
        "support": None if put.support is None else round(put.support, 4),
        "metres": round(put.metres, 5),
    }
