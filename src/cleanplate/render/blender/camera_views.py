"""Camera selection in a Blender scene: poses drawn, tested by rays, then by a depth rendering."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cleanplate.arrays import Plane
from cleanplate.render import quality_filter
from cleanplate.render.blender import cycles, glb_models
from cleanplate.render.blender.stage import BlenderScene
from cleanplate.render.cameras import camera_sampling, ground_view
from cleanplate.render.lighting import light_sampling
from cleanplate.render.rendered_items import Rejected
from cleanplate.render.scenes.asset_library import AssetLibrary
from cleanplate.render.scenes.scene_choice import ITEMS_PER_SCENE, scene_for_item
from cleanplate.render.scenes.scene_description import CameraPose, SceneDescription

_MAX_CAMERAS = 200
"""Camera poses drawn at most for one picture; most fail at the first ray."""
_MAX_DEPTH_RENDERS = 12
"""Of which so many are rendered for depth."""
_MARGIN = 0.4


@dataclass
class ChosenCamera:
    """A selected camera.

    Args:
        pose: of the camera.
        depth: (H, W) of the empty scene, metres.
        ground: metres, height of the surface that subjects stand on.
        share: of the picture that sees that surface.
        focus: focus distance in metres.
    """

    pose: CameraPose
    depth: Plane
    ground: float
    share: float
    focus: float

    @property
    def camera_height(self) -> float:
        """Metres over the ground."""
        return self.pose.position[2] - self.ground


class CameraSampler:
    """Selects cameras; keeps a scene open while consecutive items share it.

    Args:
        library: the asset folder.
        seed: of all items.
        size: (height, width) in pixels.
    """

    def __init__(self, library: AssetLibrary, seed: int, size: tuple[int, int]):
        self.library, self.seed, self.size = library, seed, size
        self._group: int | None = None
        self.stage: BlenderScene

    def scene(self, index: int) -> BlenderScene:
        """Give the scene of an item, rebuilt only if it differs from the last."""
        if self._group != index // ITEMS_PER_SCENE:
            scene = scene_for_item(self.library, self.seed, index)
            self.stage = BlenderScene(Path(self.library.folder), scene)
            self._group = index // ITEMS_PER_SCENE
        return self.stage

    def extent(self) -> tuple[float, float, float, float]:
        """Give the area where cameras may be: x0, y0, x1, y1 in metres."""
        if self.stage.description.area is not None:
            return self.stage.description.area
        low, high = self.stage.extent()
        return low[0] + _MARGIN, low[1] + _MARGIN, high[0] - _MARGIN, high[1] - _MARGIN

    def find(self, rng: np.random.Generator, tried: Counter[str]) -> ChosenCamera:
        """Select a camera of the open scene, and set it.

        Raises:
            Rejected: if no drawn camera passes the quality filter.
        """
        scene, extent = self.stage.description, self.extent()
        looks = 0
        for _ in range(_MAX_CAMERAS):
            camera = camera_sampling.sample_camera(scene, extent, rng)
            if not _is_free(camera, scene):
                tried["no room"] += 1
                continue
            self.aim(camera)
            depth = cycles.render_depth()
            reason = quality_filter.depth_rejection_reason(depth, scene.kind)
            level, share = ground_view.find_ground_level(depth, camera, scene.ground)
            if reason is None and share < (0.01 if camera.mode == "desk" else 0.05):
                reason = "no ground"
            if reason is None:
                known = depth[np.isfinite(depth)]
                middle = depth[depth.shape[0] // 3 :, depth.shape[1] // 4 : -depth.shape[1] // 4]
                middle = middle[np.isfinite(middle)]
                focus = float(np.median(middle if middle.size else known))
                return ChosenCamera(camera, depth, level, share, focus)
            tried[reason] += 1
            looks += 1
            if looks == _MAX_DEPTH_RENDERS:
                break
        raise Rejected("no view", tried)

    def aim(self, camera: CameraPose, focus: float = 1.0) -> None:
        """Set the camera."""
        cycles.set_camera(
            self.size,
            camera.focal * self.size[1],
            camera.position,
            camera.heading,
            camera.pitch,
            f_number=camera.f_number,
            focus=focus,
        )

    def light(self, chosen: ChosenCamera, rng: np.random.Generator) -> tuple[str, ...]:
        """Light the scene for a camera; gives the files used for it."""
        scene, eye = self.stage.description, chosen.pose.position
        if scene.kind == "tabletop":
            way = chosen.focus * math.cos(chosen.pose.pitch)
            eye = (
                eye[0] + way * math.cos(chosen.pose.heading),
                eye[1] + way * math.sin(chosen.pose.heading),
                chosen.ground,
            )
        light = light_sampling.sample_light(self.library, scene, self.extent(), eye, rng)
        self.stage.light(light)
        return () if light.sky is None else (light.sky,)

    def credits(self, files: tuple[str, ...]) -> dict[str, list[str]]:
        """Give sources, licences and attributions of the open scene and of further files."""
        scene = self.stage.description
        used = {m.path for m in scene.models} | set(scene.files) | set(files)
        for slab in scene.slabs:
            if slab.texture is not None:
                used.add(slab.texture)
        return self.library.credits(used)


def _is_free(camera: CameraPose, scene: SceneDescription) -> bool:
    """Tell whether a camera has free space around and before it, and ground below."""
    close = scene.kind == "tabletop"
    room = 0.08 if close else 0.3
    if glb_models.clearance(camera.position) < room:
        return False
    if not close and glb_models.height_below(*camera.position) is None:
        return False
    free = 0
    for turn in (-0.35, 0.0, 0.35):
        heading = camera.heading + turn
        way = (
            math.cos(heading) * math.cos(camera.pitch),
            math.sin(heading) * math.cos(camera.pitch),
            math.sin(camera.pitch),
        )
        free += (glb_models.cast_ray(camera.position, way) or 100.0) > (0.2 if close else 1.4)
    return free >= 2
