"""Cutouts rendered: one subject on an empty stage, one view after the other."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from cleanplate.render import cutout_trimming
from cleanplate.render.blender import blender_subjects, cycles
from cleanplate.render.blender.stage import Stage
from cleanplate.render.cameras.framing import Frame, aim
from cleanplate.render.cutout_trimming import Cut
from cleanplate.render.lighting.auto_exposure import TONES, Tone, develop
from cleanplate.render.rendered_items import Item, Rejected
from cleanplate.render.scenes.asset_library import Asset, Library
from cleanplate.render.scenes.scene_description import Setting
from cleanplate.render.subjects.cutout_views import Cast, View, credit

SAMPLES, COVERAGE = 16, 48
"""Rays per pixel for the colour, which is denoised, and for alpha, which is not."""
_TRIES = 4
_STUMP = 0.07
"""Share of a hand's length, at the wrist, that is open and must not be seen."""


class Cutouts:
    """Renders cutout after cutout; consecutive ones show the same subject, loaded once.

    Args:
        library: the asset folder.
        seed: of the rendering.
        size: (height, width) in pixels, whose longer one no cutout exceeds.
    """

    def __init__(self, library: Library, seed: int, size: tuple[int, int]):
        self.cast = Cast(library, seed, max(size))
        self._stage: Stage | None = None
        self._subject: tuple[Asset, blender_subjects.Figure] | None = None

    def make(self, index: int) -> Item:
        """Render cutout `index`.

        Raises:
            Rejected: if no try gives one worth having.
        """
        tried = Counter[str]()
        made: tuple[Cut, dict[str, Any]] | str = "nothing"
        for attempt in range(_TRIES):
            made = self.shoot(self.cast.view(index, attempt), seed=index)
            if not isinstance(made, str):
                picture, facts = made
                return Item(facts | {"tried": dict(tried)}, cutout_trimming.files(picture))
            tried[made] += 1
        raise Rejected(str(made), tried)

    def shoot(self, view: View, *, seed: int) -> tuple[Cut, dict[str, Any]] | str:
        """Render one view: the cutout and its facts, or why it is useless."""
        figure = self._load(view.asset)
        if view.pose is not None:
            figure.pose(view.pose)
        if view.asset.kind == "hand":
            blender_subjects.give_skin(figure, view.skin)
            size, stump = figure.lay(view.turn, view.roll, view.scale, _STUMP)
        else:
            size, stump = figure.stand((0, 0, 0), view.turn, view.scale), None
        points, held = figure.points(), None
        if view.held is not None and view.pose is not None:
            held = blender_subjects.load(self.cast.library.folder / view.held.path, "object")
            blender_subjects.put_in_hand(figure, held, view.pose.holding, turn=view.held_turn)
            points = np.concatenate([points, held.points()])
        try:
            frame = aim(points, view, stump)
            if frame is None:
                return "too near"
            solid = figure.solid and (held is None or held.solid)
            return self._shoot(view, frame, size, seed, solid=solid)
        finally:
            if held is not None:
                held.remove()

    def _shoot(
        self, view: View, frame: Frame, size: tuple[float, float, float], seed: int, *, solid: bool
    ) -> tuple[Cut, dict[str, Any]] | str:
        assert self._stage is not None
        self._stage.light(view.light)
        cycles.camera(frame.size, frame.focal, frame.position, frame.heading, frame.pitch)
        passes = cycles.render(SAMPLES, seed=seed, bounces=3, transparent=True)
        top, bottom, left, right = frame.window
        kept = np.s_[top:bottom, left:right]
        colour, own = passes.colour[kept], passes.alpha[kept]
        depth = cycles.depth()[kept] - np.float32(frame.foot_depth)
        alpha = cycles.coverage(COVERAGE, seed=seed, solid=solid)[kept]
        if (alpha > 0.5).sum() < 200:
            return "too small"
        light = cutout_trimming.straight(colour, own, alpha)
        lamps = 1.3 if view.light.lamps or view.light.sun else 1.0
        gain = cutout_trimming.meter(light, alpha, view.light.sky_strength * lamps, view.stops)
        red, green, blue = (gain * w for w in view.white)
        tone = Tone((red, green, blue), TONES[seed % len(TONES)])
        made = cutout_trimming.cut(develop(light, tone), alpha, depth)
        wrong = cutout_trimming.fault(made, view.framing)
        return wrong or (made, _facts(view, frame, size, made))

    def _load(self, asset: Asset) -> blender_subjects.Figure:
        if self._subject is None or self._subject[0] is not asset:
            self._stage = Stage(self.cast.library.folder, Setting("nothing", "outdoor"))
            height = asset.height if asset.kind == "animal" else None
            path = self.cast.library.folder / asset.path
            self._subject = asset, blender_subjects.load(path, asset.kind, height)
        return self._subject[1]


def _facts(view: View, frame: Frame, size: tuple[float, float, float], made: Cut) -> dict[str, Any]:
    x, y, _ = frame.project(np.array([frame.foot]))
    height, width = made.rgba.shape[:2]
    return {
        "asset": view.asset.path,
        **({"held": view.held.path} if view.held else {}),
        **credit(view),
        "name": view.asset.name,
        "kind": view.asset.kind,
        "pose": view.pose.name if view.pose else None,
        "size_m": [round(s, 4) for s in size],
        "focal_px": frame.focal,
        "distance_m": frame.foot_depth,
        "foot_xy": [
            float(x[0]) - frame.window[2] - made.corner[1],
            float(y[0]) - frame.window[0] - made.corner[0],
        ],
        "camera_height_m": view.camera_height,
        "pitch": frame.pitch,
        "framing": "half" if view.framing == "half" else "full",
        "cut": {side: bool(there) for side, there in made.sides.items()},
        "turn": round(math.degrees(view.turn) % 360, 1),
        "light": view.light.sky,
        "width": width,
        "height": height,
    }
