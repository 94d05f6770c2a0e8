"""Skeleton of people: joint angles of a pose, and the bone rotations they give.

The body faces -Y, its left is +X, up is +Z; its rest pose is a T: arms out to the sides, palms
down. Angles are degrees. Independent of Blender.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Rotation = npt.NDArray[np.float64]
"""(3, 3), applied to columns (x, y, z)."""


@dataclass(frozen=True)
class Arm:
    """One arm; zero everywhere hangs straight down with the palm to the thigh.

    Args:
        out: abduction to the side, 90 is level.
        forward: flexion in front, 90 is level.
        across: a raised arm swung inwards, about the vertical.
        twist: of the upper arm inwards: with a bent elbow the hand comes before the belly.
        elbow: bend, 0 is straight.
        turn: of the lower arm, palm from facing in (0) to facing back (90).
        wrist: bend towards the palm.
        curl: of the fingers, 0 flat, 90 a fist.
    """

    out: float = 8.0
    forward: float = 0.0
    across: float = 0.0
    twist: float = 0.0
    elbow: float = 8.0
    turn: float = 0.0
    wrist: float = 0.0
    curl: float = 18.0


@dataclass(frozen=True)
class Leg:
    """One leg; zero everywhere stands straight.

    Args:
        forward: of the thigh, 90 is level as on a chair.
        out: of the thigh to the side.
        turn: of the toes outwards.
        knee: bend, 0 is straight.
        foot: plantar flexion, 0 is a right angle to the shin.
    """

    forward: float = 0.0
    out: float = 3.0
    turn: float = 6.0
    knee: float = 2.0
    foot: float = 0.0


@dataclass(frozen=True)
class Pose:
    """A body pose as joint angles in degrees.

    Args:
        name: of the pose, such as `walk`.
        left, right: arms.
        left_leg, right_leg: legs.
        lean: of the whole body forwards, at the hips.
        bend, side, twist: of the spine forwards, to its left, about itself to its left.
        nod, look, tilt: of the head down, to its left, to its left shoulder.
        holding: the hands that hold an object: "", "left", "right" or "both".
    """

    name: str
    left: Arm = Arm()
    right: Arm = Arm()
    left_leg: Leg = Leg()
    right_leg: Leg = Leg()
    lean: float = 0.0
    bend: float = 2.0
    side: float = 0.0
    twist: float = 0.0
    nod: float = 0.0
    look: float = 0.0
    tilt: float = 0.0
    holding: str = ""


LIMITS: Mapping[str, tuple[float, float]] = {
    "arm.out": (-5, 150),
    "arm.forward": (-50, 170),
    "arm.across": (-40, 55),
    "arm.twist": (-60, 80),
    "arm.elbow": (0, 140),
    "arm.turn": (-80, 90),
    "arm.wrist": (-50, 60),
    "arm.curl": (0, 80),
    "leg.forward": (-35, 125),
    "leg.out": (-10, 45),
    "leg.turn": (-15, 45),
    "leg.knee": (0, 145),
    "leg.foot": (-30, 50),
}
"""Anatomical range of each joint angle in degrees."""

_FINGERS = ("Index", "Middle", "Ring", "Pinky")


def axis_rotation(axis: str, degrees: float) -> Rotation:
    """Give the rotation (3, 3) about a coordinate axis, counter-clockwise seen from its end."""
    angle = np.radians(degrees)
    c, s = float(np.cos(angle)), float(np.sin(angle))
    i, j = {"X": (1, 2), "Y": (2, 0), "Z": (0, 1)}[axis]
    turn = np.eye(3)
    turn[i, i] = turn[j, j] = c
    turn[i, j], turn[j, i] = -s, s
    return turn


def bone_rotations(pose: Pose) -> dict[str, Rotation]:
    """Give each bone's rotation (3, 3) against its parent, in the axes of the body at rest.

    A bone's rotation in the world is its parent's times its own times its rest rotation.
    """
    found = {"Hips": axis_rotation("X", pose.lean)}
    for bone in ("Spine", "Spine1", "Spine2"):
        found[bone] = (
            axis_rotation("Z", pose.twist / 3)
            @ axis_rotation("Y", pose.side / 3)
            @ axis_rotation("X", pose.bend / 3)
        )
    for bone, share in (("Neck", 0.4), ("Head", 0.6)):
        found[bone] = (
            axis_rotation("Z", pose.look * share)
            @ axis_rotation("Y", pose.tilt * share)
            @ axis_rotation("X", pose.nod * share)
        )
    for side, arm, leg in (
        ("Left", pose.left, pose.left_leg),
        ("Right", pose.right, pose.right_leg),
    ):
        limb = {**_arm(arm), **_leg(leg)}
        for bone, turn in limb.items():
            found[side + bone] = turn if side == "Left" else _mirrored_rotation(turn)
    return found


def mirrored_pose(pose: Pose) -> Pose:
    """Exchange left and right."""
    hand = {"left": "right", "right": "left"}.get(pose.holding, pose.holding)
    return replace(
        pose,
        left=pose.right,
        right=pose.left,
        left_leg=pose.right_leg,
        right_leg=pose.left_leg,
        side=-pose.side,
        twist=-pose.twist,
        look=-pose.look,
        tilt=-pose.tilt,
        holding=hand,
    )


def _arm(arm: Arm) -> dict[str, Rotation]:
    # The shoulder blade rises with an arm above the horizontal.
    rise = max(0.0, max(arm.out, arm.forward) - 80) * 0.25
    upper = (
        axis_rotation("Z", -arm.across)
        @ axis_rotation("X", -arm.forward)
        @ axis_rotation("Y", 90 - arm.out)
        @ axis_rotation("X", arm.twist)
    )
    bones = {
        "Shoulder": axis_rotation("Y", -rise),
        "Arm": axis_rotation("Y", rise) @ upper,
        "ForeArm": axis_rotation("Z", -arm.elbow) @ axis_rotation("X", arm.turn * 0.5),
        "Hand": axis_rotation("X", arm.turn * 0.5) @ axis_rotation("Y", arm.wrist),
    }
    for finger in _FINGERS:
        for joint, share in ((1, 0.8), (2, 1.0), (3, 0.7)):
            bones[f"Hand{finger}{joint}"] = axis_rotation("Y", arm.curl * share)
    bones["HandThumb2"] = axis_rotation("Z", -0.35 * arm.curl)
    bones["HandThumb3"] = axis_rotation("Z", -0.35 * arm.curl)
    return bones


def _leg(leg: Leg) -> dict[str, Rotation]:
    return {
        "UpLeg": axis_rotation("X", -leg.forward)
        @ axis_rotation("Y", -leg.out)
        @ axis_rotation("Z", leg.turn),
        "Leg": axis_rotation("X", leg.knee),
        "Foot": axis_rotation("X", leg.foot),
    }


def _mirrored_rotation(turn: Rotation) -> Rotation:
    flip = np.diag([-1.0, 1.0, 1.0])
    return flip @ turn @ flip


def within_limits(pose: Pose) -> Pose:
    """Clip each arm and leg to `LIMITS`."""
    return replace(
        pose,
        left=Arm(**_clipped("arm", pose.left)),
        right=Arm(**_clipped("arm", pose.right)),
        left_leg=Leg(**_clipped("leg", pose.left_leg)),
        right_leg=Leg(**_clipped("leg", pose.right_leg)),
    )


def _clipped(part: str, limb: Arm | Leg) -> dict[str, float]:
    return {
        key: float(np.clip(value, *LIMITS[f"{part}.{key}"])) for key, value in vars(limb).items()
    }
