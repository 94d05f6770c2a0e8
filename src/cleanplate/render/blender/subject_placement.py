"""Subjects put into a scene: where they have room, are seen, and stand on something."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from cleanplate.render.blender import blender_subjects, glb_models
from cleanplate.render.blender.blender_subjects import Figure
from cleanplate.render.blender.camera_views import Seen
from cleanplate.render.cameras import standing_points
from cleanplate.render.scenes.asset_library import Library
from cleanplate.render.scenes.scene_description import Point
from cleanplate.render.subjects.pair_subjects import Role

_TRIES = 40
_FAR_AWAY = (0.0, 0.0, -400.0)
_FINE = 0.035
"""Metres by which the floor under a subject may be uneven."""


@dataclass
class Player:
    """A subject that has its place."""

    role: Role
    figure: Figure
    held: Figure | None
    spot: Point
    size: tuple[float, float, float]
    visible: float

    @property
    def objects(self) -> list[bpy.types.Object]:
        """Everything of it that is drawn."""
        held = self.held.objects if self.held else ()
        return [o for o in (*self.figure.objects, *held) if o.type in ("MESH", "CURVES", "CURVE")]

    @property
    def solid(self) -> bool:
        """Whether no part of it can be seen through."""
        return self.figure.solid and (self.held is None or self.held.solid)

    def remove(self) -> None:
        """Take it out of the file."""
        if self.held:
            self.held.remove()
        self.figure.remove()

    def facts(self) -> dict[str, Any]:
        """Give what is recorded of it."""
        role = self.role
        return {
            "name": role.asset.name,
            "kind": role.asset.kind,
            "pose": role.pose.name if role.pose else None,
            **({"held": role.held.name} if role.held else {}),
            "size": [round(s, 4) for s in self.size],
            "scale": round(role.scale, 4),
            "spot": [round(s, 4) for s in self.spot],
            "visible": round(self.visible, 3),
        }


def place(library: Library, role: Role, seen: Seen, rng: np.random.Generator) -> Player | None:
    """Load a subject and find a place for it; None where there is none."""
    asset = role.asset
    figure = blender_subjects.load(library.folder / asset.path, asset.kind, role.height)
    if asset.kind == "hand":
        blender_subjects.give_skin(figure, role.skin)
        found = _reach(figure, role, seen, rng)
    else:
        if role.pose is not None:
            figure.pose(role.pose)
        found = _stand(figure, role, seen, rng)
    if found is None:
        figure.remove()
        return None
    spot, size, visible = found
    held = None
    if role.held is not None and role.pose is not None:
        held = blender_subjects.load(library.folder / role.held.path, "object")
        blender_subjects.put_in_hand(
            figure, held, role.pose.holding, turn=float(rng.uniform(0, 6.3))
        )
    return Player(role, figure, held, spot, size, visible)


def _stand(
    figure: Figure, role: Role, seen: Seen, rng: np.random.Generator
) -> tuple[Point, tuple[float, float, float], float] | None:
    # Out of the way, so that rays meet the scene alone.
    size = figure.stand(_FAR_AWAY, 0.0, role.scale)
    shot, depth = seen.shot, seen.depth
    rows, width = depth.shape
    near = max(0.25, shot.focal * width * size[2] / (1.5 * rows))
    far = min(shot.focal * width * max(size) / (0.11 * rows), 30.0)
    floor = standing_points.on_ground(depth, shot, seen.ground)
    raised = standing_points.on_surfaces(depth, shot, seen.ground) if role.small else None
    for _ in range(_TRIES):
        draw = rng.random()
        if raised is not None and draw < 0.5:
            spot = standing_points.seen(rng, depth, shot, raised, (near, far))
        elif draw < 0.75:
            spot = standing_points.seen(rng, depth, shot, floor, (near, far))
        else:  # behind something, perhaps
            spot = standing_points.anywhere(rng, shot, depth.shape, seen.ground, (near, far))
        if spot is None:
            continue
        spot = _settled(spot, size)
        if spot is None:
            continue
        # At turn 0 a figure faces the camera.
        away = math.atan2(spot[1] - shot.position[1], spot[0] - shot.position[0])
        figure.stand(spot, away - math.pi / 2 + role.turn, role.scale)
        points = figure.points()
        inside, visible, box = standing_points.shares(depth, shot, points)
        high, wide = box[3] - box[1], box[2] - box[0]
        large = max(high, wide) > 0.12 * rows
        if inside > 0.35 and visible > 0.25 and large and points[:, 2].min() > spot[2] - 0.05:
            return spot, size, visible
        figure.stand(_FAR_AWAY, 0.0, role.scale)
    return None


def _settled(spot: Point, size: tuple[float, float, float]) -> Point | None:
    """Let a spot down on what is under it, if there is room for a subject; else None."""
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
    up = glb_models.cast((x, y, level + 0.05), (0, 0, 1), 50.0)
    return (x, y, level) if up is None or up > height else None


def _reach(
    figure: Figure, role: Role, seen: Seen, rng: np.random.Generator
) -> tuple[Point, tuple[float, float, float], float] | None:
    """Let a hand reach in from beyond the picture's border, its wrist unseen."""
    shot, depth = seen.shot, seen.depth
    rows, columns = depth.shape
    for _ in range(_TRIES):
        size, stump = figure.lay(0.0, 0.0, role.scale, 0.07)
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
        x, y, up = standing_points.point(
            shot, depth.shape, row, column, z * rng.uniform(0.75, 0.95)
        )
        inwards = {"bottom": 0.0, "left": -math.pi / 2, "right": math.pi / 2}[side]
        turn = shot.heading - math.pi / 2 + inwards + rng.normal(0, 0.35)
        size, stump = figure.lay(turn, float(rng.normal(0, 0.4)), role.scale, 0.07)
        bottom = max(up, seen.ground + 0.01 + abs(rng.normal(0, 0.05)))
        # Its length lies from the border inwards: the wrist stays about where the border is.
        step = rng.uniform(0.15, 0.45) * 0.2
        move = Matrix.Translation((x - step * math.sin(turn), y + step * math.cos(turn), bottom))
        figure.root.matrix_world = move @ figure.root.matrix_world
        points = figure.points()
        stump = stump + np.array(move.translation)
        u, v, w = standing_points.project(shot, depth.shape, stump)
        shown = (w > 0) & (u > 0) & (u < columns) & (v > 0) & (v < rows)
        inside, visible, _ = standing_points.shares(depth, shot, points)
        if not shown.any() and inside > 0.45 and visible > 0.4:
            return (x, y, bottom), size, visible
    return None
