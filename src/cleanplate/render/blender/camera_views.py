"""A setting's cameras: drawn, probed by rays, looked through for depth, and chosen."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cleanplate.arrays import Plane
from cleanplate.render import quality_filter
from cleanplate.render.blender import cycles, glb_models
from cleanplate.render.blender.stage import Stage
from cleanplate.render.cameras import camera_sampling, ground_view
from cleanplate.render.lighting import light_sampling
from cleanplate.render.rendered_items import Rejected
from cleanplate.render.scenes.asset_library import Library
from cleanplate.render.scenes.scene_choice import VIEWS, scene_of
from cleanplate.render.scenes.scene_description import Setting, Shot

_DRAWS = 200
"""Shots that are drawn at most for one picture; most fall at the first ray."""
_LOOKS = 12
"""Of which as many are looked through."""
_MARGIN = 0.4


@dataclass
class Seen:
    """A camera that was chosen.

    Args:
        shot: where it is.
        depth: (H, W) of the empty scene, metres.
        ground: metres, height of the surface subjects stand on.
        share: of the picture that sees that surface.
        focus: metres.
    """

    shot: Shot
    depth: Plane
    ground: float
    share: float
    focus: float

    @property
    def camera_height(self) -> float:
        """Metres over the ground."""
        return self.shot.position[2] - self.ground


class Cameraman:
    """Keeps a scene open while consecutive items share it.

    Args:
        library: the asset folder.
        seed: of the rendering.
        size: (height, width) in pixels.
    """

    def __init__(self, library: Library, seed: int, size: tuple[int, int]):
        self.library, self.seed, self.size = library, seed, size
        self._group: int | None = None
        self.stage: Stage

    def scene(self, index: int) -> Stage:
        """Give the scene of an item, built anew only when it is another."""
        if self._group != index // VIEWS:
            setting = scene_of(self.library, self.seed, index)
            self.stage = Stage(Path(self.library.folder), setting)
            self._group = index // VIEWS
        return self.stage

    def extent(self) -> tuple[float, float, float, float]:
        """Where cameras may be: x0, y0, x1, y1 in metres."""
        if self.stage.setting.area is not None:
            return self.stage.setting.area
        low, high = self.stage.extent()
        return low[0] + _MARGIN, low[1] + _MARGIN, high[0] - _MARGIN, high[1] - _MARGIN

    def find(self, rng: np.random.Generator, tried: Counter[str]) -> Seen:
        """Choose a camera of the open scene and aim at it; light it.

        Raises:
            Rejected: if none of those drawn sees anything worth having.
        """
        setting, extent = self.stage.setting, self.extent()
        looks = 0
        for _ in range(_DRAWS):
            shot = camera_sampling.draw(setting, extent, rng)
            if not _is_free(shot, setting):
                tried["no room"] += 1
                continue
            self.aim(shot)
            depth = cycles.depth()
            reason = quality_filter.of_depth(depth, setting.kind)
            level, share = ground_view.ground(depth, shot, setting.ground)
            if reason is None and share < (0.01 if shot.mode == "desk" else 0.05):
                reason = "no ground"
            if reason is None:
                known = depth[np.isfinite(depth)]
                middle = depth[depth.shape[0] // 3 :, depth.shape[1] // 4 : -depth.shape[1] // 4]
                middle = middle[np.isfinite(middle)]
                focus = float(np.median(middle if middle.size else known))
                return Seen(shot, depth, level, share, focus)
            tried[reason] += 1
            looks += 1
            if looks == _LOOKS:
                break
        raise Rejected("no view", tried)

    def aim(self, shot: Shot, focus: float = 1.0) -> None:
        """Set the camera up."""
        cycles.camera(
            self.size,
            shot.focal * self.size[1],
            shot.position,
            shot.heading,
            shot.pitch,
            f_number=shot.f_number,
            focus=focus,
        )

    def light(self, seen: Seen, rng: np.random.Generator) -> tuple[str, ...]:
        """Light the scene for a camera; gives the files that were used for it."""
        setting, eye = self.stage.setting, seen.shot.position
        if setting.kind == "tabletop":
            way = seen.focus * math.cos(seen.shot.pitch)
            eye = (
                eye[0] + way * math.cos(seen.shot.heading),
                eye[1] + way * math.sin(seen.shot.heading),
                seen.ground,
            )
        light = light_sampling.draw(self.library, setting, self.extent(), eye, rng)
        self.stage.light(light)
        return () if light.sky is None else (light.sky,)

    def credits(self, files: tuple[str, ...]) -> dict[str, list[str]]:
        """Give sources, licences and attributions of the open scene and of some more files."""
        setting = self.stage.setting
        used = {m.path for m in setting.models} | set(setting.files) | set(files)
        for slab in setting.slabs:
            if slab.texture is not None:
                used.add(slab.texture)
        return self.library.credits(used)


def _is_free(shot: Shot, setting: Setting) -> bool:
    """Tell whether a camera has air about it, sees some way, and stands over the setting."""
    close = setting.kind == "tabletop"
    room = 0.08 if close else 0.3
    if glb_models.clearance(shot.position) < room:
        return False
    if not close and glb_models.height_below(*shot.position) is None:
        return False
    free = 0
    for turn in (-0.35, 0.0, 0.35):
        heading = shot.heading + turn
        way = (
            math.cos(heading) * math.cos(shot.pitch),
            math.sin(heading) * math.cos(shot.pitch),
            math.sin(shot.pitch),
        )
        free += (glb_models.cast(shot.position, way) or 100.0) > (0.2 if close else 1.4)
    return free >= 2
