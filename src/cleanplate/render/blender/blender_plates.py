"""Plates: empty scenes with exact depth."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from cleanplate.depth.depth_codec import DATASET, RECORD, encode
from cleanplate.render import quality_filter
from cleanplate.render.blender import cycles
from cleanplate.render.blender.camera_views import Cameraman, Seen
from cleanplate.render.lighting import auto_exposure
from cleanplate.render.lighting.auto_exposure import Tone
from cleanplate.render.rendered_items import Item, Rejected, jpeg, png
from cleanplate.render.scenes.asset_library import Library

SAMPLES = {"tabletop": 12, "outdoor": 10, "world": 12, "room": 14}
"""Rays per pixel by kind of setting; the denoiser does the rest."""
_PICTURES = 3
"""Pictures that are rendered at most for one plate."""


class Plates:
    """Renders plate after plate; consecutive ones share a scene.

    Args:
        library: the asset folder.
        seed: of the rendering.
        size: (height, width) in pixels.
    """

    def __init__(self, library: Library, seed: int, size: tuple[int, int]):
        self.cameraman = Cameraman(library, seed, size)
        self.seed = seed

    def make(self, index: int) -> Item:
        """Render plate `index`.

        Raises:
            Rejected: if no view of its scene is worth having.
        """
        cameraman = self.cameraman
        stage = cameraman.scene(index)
        rng = np.random.default_rng([self.seed, 2, index])
        tried = Counter[str]()
        for _ in range(_PICTURES):
            seen = cameraman.find(rng, tried)
            files = cameraman.light(seen, rng)
            cameraman.aim(seen.shot, seen.focus)
            colour = cycles.render(SAMPLES[stage.setting.kind], seed=index).colour
            tone = auto_exposure.meter(colour, rng)
            picture = auto_exposure.develop(colour, tone)
            reason = quality_filter.of_picture(picture)
            if reason is None:
                facts = record(cameraman, seen, tone) | cameraman.credits(files)
                depth = png(encode(seen.depth, DATASET))
                return Item(
                    facts | {"tried": dict(tried)}, {".jpg": jpeg(picture), "_depth.png": depth}
                )
            tried[reason] += 1
        raise Rejected("no picture", tried)


def record(cameraman: Cameraman, seen: Seen, tone: Tone) -> dict[str, Any]:
    """Give what is known of a picture, as plates and pairs record it."""
    height, width = cameraman.size
    focal = seen.shot.focal * width
    return {
        "world": cameraman.stage.setting.name,
        RECORD: DATASET.name,
        "mode": seen.shot.mode,
        "width": width,
        "height": height,
        "fx": focal,
        "fy": focal,
        "cx": width / 2,
        "cy": height / 2,
        "camera_height": seen.camera_height,
        "pitch": seen.shot.pitch,
        "f_number": seen.shot.f_number,
        "focus": seen.focus,
        "ground_share": seen.share,
        "exposure": tone.exposure,
        "tone": tone.curve,
    }
