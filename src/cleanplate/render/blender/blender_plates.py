"""Renders plates: empty scenes with exact depth."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from cleanplate.depth.depth_codec import DATASET, RECORD, encode
from cleanplate.render import quality_filter
from cleanplate.render.blender import cycles
from cleanplate.render.blender.camera_views import CameraSampler, ChosenCamera
from cleanplate.render.lighting import auto_exposure
from cleanplate.render.lighting.auto_exposure import ToneMapping
from cleanplate.render.rendered_items import Rejected, RenderedItem, jpeg, png
from cleanplate.render.scenes.asset_library import AssetLibrary

SAMPLES = {"tabletop": 12, "outdoor": 10, "world": 12, "room": 14}
"""Samples per pixel by kind of scene, before denoising."""
_PICTURES = 3
"""Pictures rendered at most for one plate."""


class PlateRenderer:
    """Renders plates; consecutive ones share a scene.

    Args:
        library: the asset folder.
        seed: of all items.
        size: (height, width) in pixels.
    """

    def __init__(self, library: AssetLibrary, seed: int, size: tuple[int, int]):
        self.cameras = CameraSampler(library, seed, size)
        self.seed = seed

    def render(self, index: int) -> RenderedItem:
        """Render plate `index`.

        Raises:
            Rejected: if no view of its scene passes.
        """
        cameras = self.cameras
        stage = cameras.scene(index)
        rng = np.random.default_rng([self.seed, 2, index])
        tried = Counter[str]()
        for _ in range(_PICTURES):
            chosen = cameras.find(rng, tried)
            files = cameras.light(chosen, rng)
            cameras.aim(chosen.pose, chosen.focus)
            colour = cycles.render(SAMPLES[stage.description.kind], seed=index).colour
            tone = auto_exposure.auto_expose(colour, rng)
            picture = auto_exposure.tone_map(colour, tone)
            reason = quality_filter.picture_rejection_reason(picture)
            if reason is None:
                metadata = picture_metadata(cameras, chosen, tone) | cameras.credits(files)
                depth = png(encode(chosen.depth, DATASET))
                return RenderedItem(
                    metadata | {"tried": dict(tried)}, {".jpg": jpeg(picture), "_depth.png": depth}
                )
            tried[reason] += 1
        raise Rejected("no picture", tried)


def picture_metadata(
    cameras: CameraSampler, chosen: ChosenCamera, tone: ToneMapping
) -> dict[str, Any]:
    """Give the metadata that plates and pairs share: camera, exposure, depth convention."""
    height, width = cameras.size
    focal = chosen.pose.focal * width
    return {
        "world": cameras.stage.description.name,
        RECORD: DATASET.name,
        "mode": chosen.pose.mode,
        "width": width,
        "height": height,
        "fx": focal,
        "fy": focal,
        "cx": width / 2,
        "cy": height / 2,
        "camera_height": chosen.camera_height,
        "pitch": chosen.pose.pitch,
        "f_number": chosen.pose.f_number,
        "focus": chosen.focus,
        "ground_share": chosen.share,
        "exposure": tone.exposure,
        "tone": tone.curve,
    }
