"""Placement of subjects in a Blender scene: with free space, visible, and on a surface."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from cleanplate.render.blender import blender_subjects, glb_models
from cleanplate.render.blender.blender_subjects import BlenderSubject
from cleanplate.render.blender.camera_views import ChosenCamera
from cleanplate.render.cameras import standing_points
from cleanplate.render.scenes.asset_library import AssetLibrary
from cleanplate.render.scenes.scene_description import Point
from cleanplate.render.subjects.pair_subjects import SubjectSpec

_ATTEMPTS = 40
_FAR_AWAY = (0.0, 0.0, -400.0)
_FINE = 0.035
"""Metres by which the floor under a subject may be uneven."""


@dataclass
class PlacedSubject:
    """A subject with its place in the scene."""

    spec: SubjectSpec
    subject: BlenderSubject
    held: BlenderSubject | None
    spot: Point
    size: tuple[float, float, float]
    visible: float

    @property
    def objects(self) -> list[bpy.types.Object]:
        """All Blender objects of it that are rendered."""
        held = self.held.objects if self.held else ()
        return [o for o in (*self.subject.objects, *held) if o.type in ("MESH", "CURVES", "CURVE")]

    @property
    def solid(self) -> bool:
        """Whether no part of it is transparent."""
        return self.subject.solid and (self.held is None or self.held.solid)

    def remove(self) -> None:
        """Remove it from the file."""
        if self.held:
            self.held.remove()
        self.subject.remove()

    def metadata(self) -> dict[str, Any]:
        """Give the metadata of the pair's JSON."""
        spec = self.spec
        return {
            "name": spec.asset.name,
            "kind": spec.asset.kind,
            "pose": spec.pose.name if spec.pose else None,
            **({"held": spec.held.name} if spec.held else {}),
            "size": [round(s, 4) for s in self.size],
            "scale": round(spec.scale, 4),
            "spot": [round(s, 4) for s in self.spot],
            "visible": round(self.visible, 3),
        }


def place_subject(
    library: AssetLibrary, spec: SubjectSpec, chosen: ChosenCamera, rng: np.random.Generator
) -> PlacedSubject | None:
    """Load a subject and find a place for it; None if there is none."""
    asset = spec.asset
    subject = blender_subjects.load_subject(library.folder / asset.path, asset.kind, spec.height)
    if asset.kind == "hand":
        blender_subjects.apply_skin(subject, spec.skin)
        found = _place_reaching_hand(subject, spec, chosen, rng)
    else:
        if spec.pose is not None:
            subject.pose(spec.pose)
        found = _place_standing(subject, spec, chosen, rng)
    if found is None:
        subject.remove()
        return None
    spot, size, visible = found
    held = None
    if spec.held is not None and spec.pose is not None:
        held = blender_subjects.load_subject(library.folder / spec.held.path, "object")
        blender_subjects.put_in_hand(
            subject, held, spec.pose.holding, turn=float(rng.uniform(0, 6.3))
        )
    return PlacedSubject(spec, subject, held, spot, size, visible)


def _place_standing(
    subject: BlenderSubject, spec: SubjectSpec, chosen: ChosenCamera, rng: np.random.Generator
) -> tuple[Point, tuple[float, float, float], float] | None:
    # Far away, so that rays hit the scene alone.
    size = subject.stand(_FAR_AWAY, 0.0, spec.scale)
    camera, depth = chosen.pose, chosen.depth
    rows, width = depth.shape
    near = max(0.25, camera.focal * width * size[2] / (1.5 * rows))
    far = min(camera.focal * width * max(size) / (0.11 * rows), 30.0)
    floor = standing_points.ground_mask(depth, camera, chosen.ground)
    raised = (
        standing_points.raised_surface_mask(depth, camera, chosen.ground) if spec.small else None
    )
    for _ in range(_ATTEMPTS):
        draw = rng.random()
        if raised is not None and draw < 0.5:
            spot = standing_points.sample_visible_point(rng, depth, camera, raised, (near, far))
        elif draw < 0.75:
            spot = standing_points.sample_visible_point(rng, depth, camera, floor, (near, far))
        else:  # possibly behind something
            spot = standing_points.sample_any_point(
                rng, camera, depth.shape, chosen.ground, (near, far)
            )
        if spot is None:
            continue
        spot = _drop_to_surface(spot, size)
        if spot is None:
            continue
        # At turn 0 a figure faces the camera.
        away = math.atan2(spot[1] - camera.position[1], spot[0] - camera.position[0])
        subject.stand(spot, away - math.pi / 2 + spec.turn, spec.scale)
        points = subject.points()
        inside, visible, box = standing_points.visible_shares(depth, camera, points)
        high, wide = box[3] - box[1], box[2] - box[0]
        large = max(high, wide) > 0.12 * rows
        if inside > 0.35 and visible > 0.25 and large and points[:, 2].min() > spot[2] - 0.05:
            return spot, size, visible
        subject.stand(_FAR_AWAY, 0.0, spec.scale)
    return None


def _drop_to_surface(spot: Point, size: tuple[float, float, float]) -> Point | None:
    """Drop a point to the surface below, if there is space for a subject; else None."""
    width, depth, height = size
    radius = min(max(0.42 * max(min(width, depth), 0.6 * max(width, depth)), 0.03), 3.0)
    x, y, z = spot
    from_height = z + min(height, 1.2) + 0.05
    level = glb_models.height_below(x, y, from_height)
    if level is None or abs(level - z) > 0.06:
        return None
    for k in range(6):
        angle = 2 * math.pi * k / 6
        edge = x + 0.7 * radius * math.cos(angle), y + 0.7 * radius * math.sin(angle)
        under = glb_models.height_below(*edge, from_height)
        if under is None or abs(under - level) > _FINE:
            return None
    for share in (0.12, 0.5, 0.9):
        if glb_models.clearance((x, y, level + share * height), 10) < radius:
            return None
    up = glb_models.cast_ray((x, y, level + 0.05), (0, 0, 1), 50.0)
    return (x, y, level) if up is None or up > height else None


def _place_reaching_hand(
    subject: BlenderSubject, spec: SubjectSpec, chosen: ChosenCamera, rng: np.random.Generator
) -> tuple[Point, tuple[float, float, float], float] | None:
    """Place a hand that reaches in from beyond the picture's border, its wrist hidden."""
    camera, depth = chosen.pose, chosen.depth
    rows, columns = depth.shape
    for _ in range(_ATTEMPTS):
        size, stump = subject.lay(0.0, 0.0, spec.scale, 0.07)
        side = str(rng.choice(("bottom", "left", "right"), p=(0.5, 0.25, 0.25)))
        along = rng.uniform(0.2, 0.8)
        row, column = {
            "bottom": (rows - 1.0, along * columns),
            "left": (along * rows, 1.0),
            "right": (along * rows, columns - 1.0),
        }[side]
        z = float(depth[int(row), int(min(column, columns - 1))])
        if not np.isfinite(z) or z > 0.9:
            continue
        x, y, up = standing_points.unproject(
            camera, depth.shape, row, column, z * rng.uniform(0.75, 0.95)
        )
        inwards = {"bottom": 0.0, "left": -math.pi / 2, "right": math.pi / 2}[side]
        turn = camera.heading - math.pi / 2 + inwards + rng.normal(0, 0.35)
        size, stump = subject.lay(turn, float(rng.normal(0, 0.4)), spec.scale, 0.07)
        bottom = max(up, chosen.ground + 0.01 + abs(rng.normal(0, 0.05)))
        # The hand reaches inwards: its wrist stays near the border.
        step = rng.uniform(0.15, 0.45) * 0.2
        move = Matrix.Translation((x - step * math.sin(turn), y + step * math.cos(turn), bottom))
        subject.root.matrix_world = move @ subject.root.matrix_world
        points = subject.points()
        stump = stump + np.array(move.translation)
        u, v, w = standing_points.project(camera, depth.shape, stump)
        shown = (w > 0) & (u > 0) & (u < columns) & (v > 0) & (v < rows)
        inside, visible, _ = standing_points.visible_shares(depth, camera, points)
        if not shown.any() and inside > 0.45 and visible > 0.4:
            return (x, y, bottom), size, visible
    return None
