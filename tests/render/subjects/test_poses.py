"""Poses: directions of limbs, worked out by hand, and joint limits."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate.render.subjects import poses
from cleanplate.render.subjects.skeleton import (
    LIMITS,
    Arm,
    Leg,
    Pose,
    bone_rotations,
    mirrored_pose,
    within_limits,
)

FRONT, BACK = (0, -1, 0), (0, 1, 0)
UP, DOWN = (0, 0, 1), (0, 0, -1)
LEFT, RIGHT = (1, 0, 0), (-1, 0, 0)


def towards(pose: Pose, bones: tuple[str, ...], rest: tuple[int, int, int]) -> np.ndarray:
    """Where the last bone points, from where it points at rest, by its chain of turns."""
    found = bone_rotations(pose)
    way = np.array(rest, float)
    for bone in reversed(bones):
        way = found[bone] @ way
    return way


@pytest.mark.parametrize(
    ("arm", "upper", "lower"),
    [
        (Arm(out=0, elbow=0), DOWN, DOWN),
        (Arm(out=90, elbow=0), LEFT, LEFT),
        (Arm(out=0, forward=90, elbow=0), FRONT, FRONT),
        (Arm(out=0, elbow=90), DOWN, FRONT),
        (Arm(out=0, forward=90, elbow=90), FRONT, UP),
        (Arm(out=0, elbow=90, twist=90), DOWN, RIGHT),
        (Arm(out=0, forward=90, across=90, elbow=0), RIGHT, RIGHT),
    ],
)
def test_a_left_arm_points_where_its_angles_say(arm, upper, lower):
    pose = Pose("test", left=arm, bend=0)
    # The shoulder blade goes along with a raised arm, and the arm gives that back.
    chain = ("LeftShoulder", "LeftArm")
    npt.assert_allclose(towards(pose, chain, LEFT), upper, atol=1e-9)
    npt.assert_allclose(towards(pose, (*chain, "LeftForeArm"), LEFT), lower, atol=1e-9)


@pytest.mark.parametrize(
    ("leg", "thigh", "shin"),
    [
        (Leg(out=0, turn=0, knee=0), DOWN, DOWN),
        (Leg(forward=90, out=0, turn=0, knee=90), FRONT, DOWN),
        (Leg(out=0, turn=0, knee=90), DOWN, BACK),
        (Leg(out=90, turn=0, knee=0), LEFT, LEFT),
    ],
)
def test_a_left_leg_points_where_its_angles_say(leg, thigh, shin):
    pose = Pose("test", left_leg=leg)
    npt.assert_allclose(towards(pose, ("LeftUpLeg",), DOWN), thigh, atol=1e-9)
    npt.assert_allclose(towards(pose, ("LeftUpLeg", "LeftLeg"), DOWN), shin, atol=1e-9)


def test_head_and_spine_turn_as_they_say():
    pose = Pose("test", bend=0, twist=90, nod=0, look=-90)
    spine = ("Spine", "Spine1", "Spine2")
    npt.assert_allclose(towards(pose, spine, FRONT), LEFT, atol=1e-9)
    npt.assert_allclose(towards(pose, (*spine, "Neck", "Head"), FRONT), FRONT, atol=1e-9)
    bowed = Pose("test", bend=0, lean=90)
    npt.assert_allclose(towards(bowed, ("Hips",), UP), FRONT, atol=1e-9)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(poses.POSE_NAMES))
def test_every_drawn_pose_is_one_a_body_can_take(seed, name):
    pose = poses.sample_pose(np.random.default_rng(seed), name)
    assert pose.name == name
    assert pose == within_limits(pose)
    for part, limbs in (
        ("arm", (pose.left, pose.right)),
        ("leg", (pose.left_leg, pose.right_leg)),
    ):
        for limb in limbs:
            for key, value in vars(limb).items():
                low, high = LIMITS[f"{part}.{key}"]
                assert low <= value <= high
    for turn in bone_rotations(pose).values():
        npt.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
        assert np.linalg.det(turn) == pytest.approx(1)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_mirrored_pose_is_seen_in_a_mirror(seed):
    pose = poses.sample_pose(np.random.default_rng(seed))
    flip = np.diag([-1, 1, 1])
    here, there = bone_rotations(pose), bone_rotations(mirrored_pose(pose))
    for bone, turn in here.items():
        swapped = bone.replace("Left", "?").replace("Right", "Left").replace("?", "Right")
        npt.assert_allclose(flip @ turn @ flip, there[swapped], atol=1e-9)
    assert mirrored_pose(mirrored_pose(pose)) == pose


def test_no_arm_is_left_in_the_t_it_was_made_in():
    for seed in range(150):
        pose = poses.sample_pose(np.random.default_rng(seed))
        for side, rest in (("Left", LEFT), ("Right", RIGHT)):
            way = towards(pose, (side + "Shoulder", side + "Arm"), rest)
            hand = towards(pose, (side + "Shoulder", side + "Arm", side + "ForeArm"), rest)
            # Level to the side and straight, both at once, is the T.
            assert min(way @ np.array(rest), hand @ np.array(rest)) < 0.96, (pose.name, seed)


def test_who_sits_or_crouches_has_flat_feet():
    for name in ("sit", "crouch"):
        for seed in range(30):
            pose = poses.sample_pose(np.random.default_rng(seed), name)
            for leg in (pose.left_leg, pose.right_leg):
                sole = leg.knee + leg.foot - leg.forward + pose.lean
                # A deep crouch lifts the heels: the ankle bends no further.
                assert abs(sole) < 12 or leg.foot == LIMITS["leg.foot"][0]


def test_what_holds_a_thing_has_the_hand_for_it():
    for seed in range(20):
        pose = poses.sample_pose(np.random.default_rng(seed), "hold")
        arm = pose.left if pose.holding == "left" else pose.right
        assert pose.holding in {"left", "right"}
        assert arm.elbow > 40
        assert arm.curl > 30
