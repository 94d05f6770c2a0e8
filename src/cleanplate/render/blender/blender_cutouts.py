"""Renders cutouts: one subject in an empty scene, view by view."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from cleanplate.render import cutout_trimming
from cleanplate.render.blender import blender_subjects, cycles
from cleanplate.render.blender.stage import BlenderScene
from cleanplate.render.cameras.framing import FramedCamera, frame_subject
from cleanplate.render.cutout_trimming import TrimmedCutout
from cleanplate.render.lighting.auto_exposure import TONE_CURVES, ToneMapping, tone_map
from cleanplate.render.rendered_items import Rejected, RenderedItem
from cleanplate.render.scenes.asset_library import Asset, AssetLibrary
from cleanplate.render.scenes.scene_description import SceneDescription
from cleanplate.render.subjects.cutout_views import CutoutView, CutoutViewSampler, credit_of_view

SAMPLES, COVERAGE = 16, 48
"""Samples per pixel of the colour, which is denoised, and of alpha, which is not."""
_ATTEMPTS = 4
_STUMP = 0.07
"""Share of a hand's length, at the wrist, that is open and must stay hidden."""


class CutoutRenderer:
    """Renders cutouts; consecutive ones show the same subject, loaded once.

    Args:
        library: the asset folder.
        seed: of all items.
        size: (height, width) in pixels; the larger is the largest side of a cutout.
    """

    def __init__(self, library: AssetLibrary, seed: int, size: tuple[int, int]):
        self.views = CutoutViewSampler(library, seed, max(size))
        self._stage: BlenderScene | None = None
        self._subject: tuple[Asset, blender_subjects.BlenderSubject] | None = None

    def render(self, index: int) -> RenderedItem:
        """Render cutout `index`.

        Raises:
            Rejected: if no attempt passes.
        """
        tried = Counter[str]()
        cutout: tuple[TrimmedCutout, dict[str, Any]] | str = "nothing"
        for attempt in range(_ATTEMPTS):
            cutout = self.render_view(self.views.view(index, attempt), seed=index)
            if not isinstance(cutout, str):
                picture, metadata = cutout
                return RenderedItem(
                    metadata | {"tried": dict(tried)}, cutout_trimming.encode_files(picture)
                )
            tried[cutout] += 1
        raise Rejected(str(cutout), tried)

    def render_view(
        self, view: CutoutView, *, seed: int
    ) -> tuple[TrimmedCutout, dict[str, Any]] | str:
        """Render one view: the cutout and its metadata, or the reason to reject it."""
        subject = self._load(view.asset)
        if view.pose is not None:
            subject.pose(view.pose)
        if view.asset.kind == "hand":
            blender_subjects.apply_skin(subject, view.skin)
            size, stump = subject.lay(view.turn, view.roll, view.scale, _STUMP)
        else:
            size, stump = subject.stand((0, 0, 0), view.turn, view.scale), None
        points, held = subject.points(), None
        if view.held is not None and view.pose is not None:
            held = blender_subjects.load_subject(
                self.views.library.folder / view.held.path, "object"
            )
            blender_subjects.put_in_hand(subject, held, view.pose.holding, turn=view.held_turn)
            points = np.concatenate([points, held.points()])
        try:
            frame = frame_subject(points, view, stump)
            if frame is None:
                return "too near"
            solid = subject.solid and (held is None or held.solid)
            return self._render_passes(view, frame, size, seed, solid=solid)
        finally:
            if held is not None:
                held.remove()

    def _render_passes(
        self,
        view: CutoutView,
        frame: FramedCamera,
        size: tuple[float, float, float],
        seed: int,
        *,
        solid: bool,
    ) -> tuple[TrimmedCutout, dict[str, Any]] | str:
        assert self._stage is not None
        self._stage.light(view.light)
        cycles.set_camera(frame.size, frame.focal, frame.position, frame.heading, frame.pitch)
        passes = cycles.render(SAMPLES, seed=seed, bounces=3, transparent=True)
        top, bottom, left, right = frame.window
        kept = np.s_[top:bottom, left:right]
        colour, own = passes.colour[kept], passes.alpha[kept]
        depth = cycles.render_depth()[kept] - np.float32(frame.foot_depth)
        alpha = cycles.render_coverage(COVERAGE, seed=seed, solid=solid)[kept]
        if (alpha > 0.5).sum() < 200:
            return "too small"
        light = cutout_trimming.unpremultiply(colour, own, alpha)
        lamps = 1.3 if view.light.lamps or view.light.sun else 1.0
        gain = cutout_trimming.exposure_gain(
            light, alpha, view.light.sky_strength * lamps, view.stops
        )
        red, green, blue = (gain * w for w in view.white)
        tone = ToneMapping((red, green, blue), TONE_CURVES[seed % len(TONE_CURVES)])
        cutout = cutout_trimming.trim(tone_map(light, tone), alpha, depth)
        reason = cutout_trimming.rejection_reason(cutout, view.framing)
        return reason or (cutout, _cutout_metadata(view, frame, size, cutout))

    def _load(self, asset: Asset) -> blender_subjects.BlenderSubject:
        if self._subject is None or self._subject[0] is not asset:
            self._stage = BlenderScene(
                self.views.library.folder, SceneDescription("nothing", "outdoor")
            )
            height = asset.height if asset.kind == "animal" else None
            path = self.views.library.folder / asset.path
            self._subject = asset, blender_subjects.load_subject(path, asset.kind, height)
        return self._subject[1]


def _cutout_metadata(
    view: CutoutView, frame: FramedCamera, size: tuple[float, float, float], cutout: TrimmedCutout
) -> dict[str, Any]:
    x, y, _ = frame.project(np.array([frame.foot]))
    height, width = cutout.rgba.shape[:2]
    return {
        "asset": view.asset.path,
        **({"held": view.held.path} if view.held else {}),
        **credit_of_view(view),
        "name": view.asset.name,
        "kind": view.asset.kind,
        "pose": view.pose.name if view.pose else None,
        "size_m": [round(s, 4) for s in size],
        "focal_px": frame.focal,
        "distance_m": frame.foot_depth,
        "foot_xy": [
            float(x[0]) - frame.window[2] - cutout.corner[1],
            float(y[0]) - frame.window[0] - cutout.corner[0],
        ],
        "camera_height_m": view.camera_height,
        "pitch": frame.pitch,
        "framing": "half" if view.framing == "half" else "full",
        "cut": {side: bool(there) for side, there in cutout.sides.items()},
        "turn": round(math.degrees(view.turn) % 360, 1),
        "light": view.light.sky,
        "width": width,
        "height": height,
    }
