"""Base poses of people, drawn from the seed: standing, walking, seated, low on the ground."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cleanplate.render.subjects.skeleton import Arm, Leg, Pose


def hanging_arm(rng: np.random.Generator) -> Arm:
    """Draw a nearly hanging arm."""
    return Arm(
        out=rng.uniform(7, 18),
        forward=rng.normal(2, 7),
        twist=rng.uniform(0, 25),
        elbow=rng.uniform(5, 28),
        turn=rng.uniform(0, 50),
        curl=rng.uniform(12, 35),
    )


def standing_leg(rng: np.random.Generator) -> Leg:
    """Draw a straight standing leg."""
    return Leg(rng.normal(0, 3), rng.uniform(1, 8), rng.uniform(0, 18), rng.uniform(0, 5))


def stand(rng: np.random.Generator) -> Pose:
    """Draw a standing pose with the weight on one leg."""
    # The weight on one leg, the other knee a little bent.
    bent = rng.uniform(0, 18)
    free = Leg(bent * 0.7, rng.uniform(2, 9), rng.uniform(5, 25), bent, bent * 0.3)
    return Pose(
        "stand",
        hanging_arm(rng),
        hanging_arm(rng),
        standing_leg(rng),
        free,
        bend=rng.normal(2, 3),
    )


def walk(rng: np.random.Generator) -> Pose:
    """Draw a phase of a walk, from heel contact to the legs' passing."""
    stride, phase = rng.uniform(16, 30), rng.random()
    swing = stride * rng.uniform(0.7, 1.2)
    # From heel contact (phase 0) to the legs' passing (phase 1).
    front = Leg(stride * (1 - 0.9 * phase), 2, 5, 4 + 10 * phase, -8 * (1 - phase))
    knee = 18 + 48 * phase
    back = Leg(-stride * (1 - phase) + 30 * phase, 2, 5, knee, 20 * (1 - phase))
    return Pose(
        "walk",
        replace(
            hanging_arm(rng),
            forward=-swing * (1 - 0.8 * phase) * 0.8,
            elbow=rng.uniform(8, 25),
            twist=rng.uniform(0, 15),
        ),
        replace(
            hanging_arm(rng),
            forward=swing * (1 - 0.8 * phase),
            elbow=rng.uniform(18, 50),
            twist=rng.uniform(5, 25),
        ),
        front,
        back,
        lean=rng.uniform(0, 5),
        twist=rng.uniform(0, 8) * (1 - phase),
    )


def run(rng: np.random.Generator) -> Pose:
    """Draw a phase of a run."""
    knee = rng.uniform(70, 105)
    return Pose(
        "run",
        Arm(12, rng.uniform(-45, -25), 0, 10, rng.uniform(75, 100), 10, 0, 60),
        Arm(12, rng.uniform(20, 45), 0, 20, rng.uniform(80, 105), 10, 0, 60),
        Leg(rng.uniform(35, 62), 2, 2, rng.uniform(50, 85), -5),
        Leg(rng.uniform(-30, -12), 2, 2, knee * 0.5, 25),
        lean=rng.uniform(6, 16),
        twist=rng.uniform(4, 14),
    )


def sit(rng: np.random.Generator) -> Pose:
    """Draw a pose seated on a chair."""
    back = rng.uniform(-12, 14)
    hands = rng.random()

    def on_thigh() -> Arm:
        return Arm(
            out=rng.uniform(8, 18),
            forward=rng.uniform(12, 30) - 0.5 * back,
            twist=rng.uniform(12, 38),
            elbow=rng.uniform(45, 75),
            turn=rng.uniform(50, 85),
            curl=rng.uniform(5, 30),
        )

    def leg() -> Leg:
        knee = rng.uniform(72, 108)
        return Leg(rng.uniform(82, 92) + back, rng.uniform(2, 14), rng.uniform(0, 12), knee, 0)

    legs = [with_flat_foot(one, back) for one in (leg(), leg())]
    arms = [on_thigh(), on_thigh() if hands < 0.65 else hand_before_chest(rng)]
    return Pose("sit", arms[0], arms[1], legs[0], legs[1], lean=back, bend=rng.uniform(0, 15))


def with_flat_foot(leg: Leg, lean: float = 0.0) -> Leg:
    """Set the foot flat on the floor."""
    return replace(leg, foot=float(np.clip(leg.forward - leg.knee - lean, -30, 50)))


def sit_floor(rng: np.random.Generator) -> Pose:
    """Draw a pose seated on the floor, legs in front."""
    back = rng.uniform(-18, 6)

    def leg() -> Leg:
        up = rng.uniform(0, 38)
        return Leg(88 + back + up, rng.uniform(2, 14), 10, 5 + 2 * up, rng.uniform(5, 20))

    def propped() -> Arm:
        return Arm(rng.uniform(12, 22), -30 + 0.6 * back, 0, -20, 5, 20, -30, 5)

    def on_knee() -> Arm:
        return Arm(12, rng.uniform(45, 65), 5, 10, rng.uniform(10, 30), 70, 0, 15)

    arms = [propped() if rng.random() < 0.4 else on_knee() for _ in range(2)]
    return Pose(
        "sit-floor", arms[0], arms[1], leg(), leg(), lean=back, bend=rng.uniform(5, 20), nod=4
    )


def hand_before_chest(rng: np.random.Generator) -> Arm:
    """Draw an arm with the hand before the chest, as in talking."""
    return Arm(
        out=rng.uniform(8, 28),
        forward=rng.uniform(5, 45),
        twist=rng.uniform(-5, 45),
        elbow=rng.uniform(60, 115),
        turn=rng.uniform(-60, 50),
        wrist=rng.normal(0, 12),
        curl=rng.uniform(5, 45),
    )


def crouch(rng: np.random.Generator) -> Pose:
    """Draw a crouching pose."""
    deep, lean = rng.uniform(0, 1), rng.uniform(8, 24)
    thigh, knee = 70 + 45 * deep + 0.6 * lean, 85 + 48 * deep

    def leg() -> Leg:
        out = rng.uniform(6, 18)
        return with_flat_foot(
            Leg(thigh + rng.normal(0, 3), out, out, knee + rng.normal(0, 4)), lean
        )

    arm = Arm(
        out=rng.uniform(8, 22),
        forward=rng.uniform(35, 70),
        twist=rng.uniform(5, 30),
        elbow=rng.uniform(15, 80),
        turn=rng.uniform(10, 60),
        curl=rng.uniform(15, 45),
    )
    other = replace(arm, forward=rng.uniform(30, 65), elbow=rng.uniform(20, 85))
    return Pose("crouch", arm, other, leg(), leg(), lean=lean, bend=rng.uniform(10, 30), nod=-8)


def kneel(rng: np.random.Generator) -> Pose:
    """Draw a pose kneeling on one knee."""
    lean = rng.uniform(0, 16)
    front = with_flat_foot(Leg(92 + lean, 5, 6, rng.uniform(86, 98)), lean)
    down = Leg(lean + rng.uniform(-6, 4), 3, 0, rng.uniform(84, 94), rng.uniform(20, 45))
    return Pose(
        "kneel",
        hand_before_chest(rng),
        hanging_arm(rng),
        front,
        down,
        lean=lean,
        bend=rng.uniform(4, 22),
        nod=8,
    )


def bow(rng: np.random.Generator) -> Pose:
    """Draw a pose bent down."""
    lean = rng.uniform(25, 55)
    knee = rng.uniform(5, 35)

    def leg() -> Leg:
        return with_flat_foot(Leg(lean + 0.5 * knee, rng.uniform(2, 8), 8, knee), lean)

    def arm() -> Arm:
        return Arm(
            out=rng.uniform(5, 15),
            forward=lean + rng.uniform(5, 45),
            elbow=rng.uniform(5, 45),
            turn=rng.uniform(10, 70),
            curl=rng.uniform(15, 55),
        )

    return Pose("bow", arm(), arm(), leg(), leg(), lean=lean, bend=rng.uniform(10, 35), nod=-5)
