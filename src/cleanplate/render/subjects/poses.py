"""Poses of people, drawn from the seed: base poses with gestures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from cleanplate.render.subjects.base_poses import (
    bow,
    crouch,
    hand_before_chest,
    hanging_arm,
    kneel,
    run,
    sit,
    sit_floor,
    stand,
    walk,
    with_flat_foot,
)
from cleanplate.render.subjects.skeleton import Arm, Leg, Pose, mirrored_pose, within_limits

PoseSampler = Callable[[np.random.Generator], Pose]


def sample_pose(rng: np.random.Generator, name: str | None = None) -> Pose:
    """Draw a pose, by its name or any.

    Args:
        rng: drawn from.
        name: one of `POSE_NAMES`.
    """
    if name is None:
        name = str(rng.choice(POSE_NAMES, p=_WEIGHTS))
    pose = _POSES[name][0](rng)
    if rng.random() < 0.5:
        pose = mirrored_pose(pose)
    varied = replace(
        pose,
        name=name,
        side=pose.side + float(rng.normal(0, 2)),
        twist=pose.twist + float(rng.normal(0, 4)),
        nod=pose.nod + float(rng.normal(3, 6)),
        look=float(np.clip(pose.look + rng.normal(0, 16), -55, 55)),
        tilt=pose.tilt + float(rng.normal(0, 4)),
    )
    return within_limits(varied)


def _gesture(rng: np.random.Generator) -> Pose:
    both = rng.random() < 0.6
    return replace(
        stand(rng),
        left=hand_before_chest(rng),
        right=hand_before_chest(rng) if both else hanging_arm(rng),
        bend=rng.normal(3, 4),
    )


def _wave(rng: np.random.Generator) -> Pose:
    arm = Arm(
        out=rng.uniform(60, 95),
        forward=rng.uniform(0, 15),
        twist=rng.uniform(-90, -60),
        elbow=rng.uniform(70, 120),
        turn=rng.uniform(-10, 20),
        curl=rng.uniform(0, 12),
    )
    return replace(stand(rng), left=arm, right=hanging_arm(rng))


def _point(rng: np.random.Generator) -> Pose:
    arm = Arm(
        out=rng.uniform(0, 60),
        forward=rng.uniform(55, 100),
        across=rng.uniform(-20, 20),
        elbow=rng.uniform(2, 30),
        turn=rng.uniform(20, 80),
        curl=rng.uniform(10, 50),
    )
    return replace(stand(rng), left=arm, look=rng.uniform(0, 25))


def _reach(rng: np.random.Generator) -> Pose:
    up = rng.random() < 0.5
    forward = rng.uniform(120, 165) if up else rng.uniform(65, 100)
    arm = Arm(
        out=rng.uniform(5, 20),
        forward=forward,
        elbow=rng.uniform(5, 30),
        turn=rng.uniform(20, 80),
        curl=rng.uniform(10, 45),
    )
    return replace(
        stand(rng),
        left=arm,
        right=replace(hanging_arm(rng), forward=rng.uniform(-15, 40), elbow=rng.uniform(10, 70)),
        lean=0 if up else rng.uniform(5, 14),
        bend=rng.uniform(-6, 2) if up else rng.uniform(5, 20),
        nod=-18 if up else 5,
        left_leg=with_flat_foot(Leg(12, 4, 8, 14)) if not up else Leg(),
    )


def _phone(rng: np.random.Generator) -> Pose:
    if rng.random() < 0.4:  # at the ear
        arm = Arm(rng.uniform(20, 38), rng.uniform(35, 55), 0, rng.uniform(5, 20), 138, -10, 5, 50)
        return replace(stand(rng), left=arm, tilt=5)
    arm = Arm(
        out=rng.uniform(4, 12),
        forward=rng.uniform(10, 32),
        twist=rng.uniform(15, 40),
        elbow=rng.uniform(85, 112),
        turn=rng.uniform(-80, -50),
        curl=rng.uniform(35, 55),
    )
    return replace(stand(rng), left=arm, nod=rng.uniform(14, 28))


def _hips(rng: np.random.Generator) -> Pose:
    def akimbo() -> Arm:
        return Arm(
            out=rng.uniform(36, 46),
            forward=rng.uniform(-16, -4),
            twist=rng.uniform(52, 68),
            elbow=rng.uniform(82, 98),
            turn=rng.uniform(10, 30),
            wrist=rng.uniform(-30, -10),
            curl=30,
        )

    return replace(
        stand(rng), left=akimbo(), right=akimbo() if rng.random() < 0.6 else hanging_arm(rng)
    )


def _folded(rng: np.random.Generator) -> Pose:
    left = Arm(14, rng.uniform(20, 27), 0, 55, rng.uniform(92, 100), 30, 0, 25)
    right = Arm(14, rng.uniform(27, 34), 0, 58, rng.uniform(98, 106), 40, 0, 25)
    return replace(stand(rng), left=left, right=right, bend=rng.normal(0, 3))


def _behind(rng: np.random.Generator) -> Pose:
    arm = Arm(6, rng.uniform(-32, -22), 0, 50, rng.uniform(30, 45), 60, 0, 25)
    return replace(stand(rng), left=arm, right=arm, bend=0)


def _hold(rng: np.random.Generator) -> Pose:
    arm = Arm(
        out=rng.uniform(6, 22),
        forward=rng.uniform(5, 45),
        twist=rng.uniform(0, 25),
        elbow=rng.uniform(55, 105),
        turn=rng.uniform(-15, 15),
        curl=rng.uniform(38, 52),
    )
    return replace(stand(rng), left=arm, holding="left", nod=rng.uniform(0, 15))


def _carry(rng: np.random.Generator) -> Pose:
    arm = Arm(
        out=rng.uniform(3, 9),
        forward=rng.uniform(8, 30),
        twist=rng.uniform(6, 14),
        elbow=rng.uniform(62, 88),
        turn=rng.uniform(-12, 8),
        curl=rng.uniform(8, 22),
    )
    return replace(stand(rng), left=arm, right=arm, holding="both", twist=0, side=0)


def _offer(rng: np.random.Generator) -> Pose:
    arm = Arm(
        out=rng.uniform(4, 18),
        forward=rng.uniform(45, 80),
        elbow=rng.uniform(8, 40),
        turn=rng.uniform(-20, 20),
        curl=rng.uniform(35, 50),
    )
    return replace(stand(rng), left=arm, holding="left", bend=rng.uniform(0, 12))


_POSES: Mapping[str, tuple[PoseSampler, float]] = {
    "stand": (stand, 3),
    "walk": (walk, 3),
    "sit": (sit, 2.5),
    "sit-floor": (sit_floor, 0.6),
    "gesture": (_gesture, 3),
    "wave": (_wave, 0.8),
    "point": (_point, 1.2),
    "reach": (_reach, 1.4),
    "crouch": (crouch, 1.2),
    "kneel": (kneel, 0.7),
    "bow": (bow, 0.9),
    "phone": (_phone, 1.4),
    "hips": (_hips, 0.9),
    "folded": (_folded, 1),
    "behind": (_behind, 0.6),
    "run": (run, 0.7),
    "hold": (_hold, 1.2),
    "carry": (_carry, 0.8),
    "offer": (_offer, 0.6),
}

POSE_NAMES: tuple[str, ...] = tuple(_POSES)
"""Names of poses for `sample_pose`."""

_WEIGHTS = np.array([weight for _, weight in _POSES.values()])
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
