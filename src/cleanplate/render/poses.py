"""Poses of people, drawn at random: no two are the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from cleanplate.render.postures import Arm, Leg, Pose, mirrored, within_limits

Draw = Callable[[np.random.Generator], Pose]


def draw(rng: np.random.Generator, name: str | None = None) -> Pose:
    """Draw a pose, by its name or one of all; no two are the same.

    Args:
        rng: decides everything.
        name: one of `NAMES`.
    """
    if name is None:
        name = str(rng.choice(NAMES, p=_WEIGHTS))
    pose = _POSES[name][0](rng)
    if rng.random() < 0.5:
        pose = mirrored(pose)
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


def _hanging(rng: np.random.Generator) -> Arm:
    return Arm(
        out=rng.uniform(7, 18),
        forward=rng.normal(2, 7),
        twist=rng.uniform(0, 25),
        elbow=rng.uniform(5, 28),
        turn=rng.uniform(0, 50),
        curl=rng.uniform(12, 35),
    )


def _standing_leg(rng: np.random.Generator) -> Leg:
    return Leg(rng.normal(0, 3), rng.uniform(1, 8), rng.uniform(0, 18), rng.uniform(0, 5))


def _stand(rng: np.random.Generator) -> Pose:
    # The weight on one leg, the other knee a little bent.
    bent = rng.uniform(0, 18)
    free = Leg(bent * 0.7, rng.uniform(2, 9), rng.uniform(5, 25), bent, bent * 0.3)
    return Pose(
        "stand",
        _hanging(rng),
        _hanging(rng),
        _standing_leg(rng),
        free,
        bend=rng.normal(2, 3),
    )


def _walk(rng: np.random.Generator) -> Pose:
    stride, phase = rng.uniform(16, 30), rng.random()
    swing = stride * rng.uniform(0.7, 1.2)
    # From heel contact (phase 0) to the legs' passing (phase 1).
    front = Leg(stride * (1 - 0.9 * phase), 2, 5, 4 + 10 * phase, -8 * (1 - phase))
    knee = 18 + 48 * phase
    back = Leg(-stride * (1 - phase) + 30 * phase, 2, 5, knee, 20 * (1 - phase))
    return Pose(
        "walk",
        replace(
            _hanging(rng),
            forward=-swing * (1 - 0.8 * phase) * 0.8,
            elbow=rng.uniform(8, 25),
            twist=rng.uniform(0, 15),
        ),
        replace(
            _hanging(rng),
            forward=swing * (1 - 0.8 * phase),
            elbow=rng.uniform(18, 50),
            twist=rng.uniform(5, 25),
        ),
        front,
        back,
        lean=rng.uniform(0, 5),
        twist=rng.uniform(0, 8) * (1 - phase),
    )


def _sit(rng: np.random.Generator) -> Pose:
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

    legs = [_flat(one, back) for one in (leg(), leg())]
    arms = [on_thigh(), on_thigh() if hands < 0.65 else _before(rng)]
    return Pose("sit", arms[0], arms[1], legs[0], legs[1], lean=back, bend=rng.uniform(0, 15))


def _flat(leg: Leg, lean: float = 0.0) -> Leg:
    """Put the foot flat on the floor."""
    return replace(leg, foot=float(np.clip(leg.forward - leg.knee - lean, -30, 50)))


def _sit_floor(rng: np.random.Generator) -> Pose:
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


def _before(rng: np.random.Generator) -> Arm:
    """Raise a hand before the chest, talking."""
    return Arm(
        out=rng.uniform(8, 28),
        forward=rng.uniform(5, 45),
        twist=rng.uniform(-5, 45),
        elbow=rng.uniform(60, 115),
        turn=rng.uniform(-60, 50),
        wrist=rng.normal(0, 12),
        curl=rng.uniform(5, 45),
    )


def _gesture(rng: np.random.Generator) -> Pose:
    both = rng.random() < 0.6
    return replace(
        _stand(rng),
        left=_before(rng),
        right=_before(rng) if both else _hanging(rng),
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
    return replace(_stand(rng), left=arm, right=_hanging(rng))


def _point(rng: np.random.Generator) -> Pose:
    arm = Arm(
        out=rng.uniform(0, 60),
        forward=rng.uniform(55, 100),
        across=rng.uniform(-20, 20),
        elbow=rng.uniform(2, 30),
        turn=rng.uniform(20, 80),
        curl=rng.uniform(10, 50),
    )
    return replace(_stand(rng), left=arm, look=rng.uniform(0, 25))


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
        _stand(rng),
        left=arm,
        right=replace(_hanging(rng), forward=rng.uniform(-15, 40), elbow=rng.uniform(10, 70)),
        lean=0 if up else rng.uniform(5, 14),
        bend=rng.uniform(-6, 2) if up else rng.uniform(5, 20),
        nod=-18 if up else 5,
        left_leg=_flat(Leg(12, 4, 8, 14)) if not up else Leg(),
    )


def _crouch(rng: np.random.Generator) -> Pose:
    deep, lean = rng.uniform(0, 1), rng.uniform(8, 24)
    thigh, knee = 70 + 45 * deep + 0.6 * lean, 85 + 48 * deep

    def leg() -> Leg:
        out = rng.uniform(6, 18)
        return _flat(Leg(thigh + rng.normal(0, 3), out, out, knee + rng.normal(0, 4)), lean)

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


def _kneel(rng: np.random.Generator) -> Pose:
    lean = rng.uniform(0, 16)
    front = _flat(Leg(92 + lean, 5, 6, rng.uniform(86, 98)), lean)
    down = Leg(lean + rng.uniform(-6, 4), 3, 0, rng.uniform(84, 94), rng.uniform(20, 45))
    return Pose(
        "kneel", _before(rng), _hanging(rng), front, down, lean=lean, bend=rng.uniform(4, 22), nod=8
    )


def _bow(rng: np.random.Generator) -> Pose:
    lean = rng.uniform(25, 55)
    knee = rng.uniform(5, 35)

    def leg() -> Leg:
        return _flat(Leg(lean + 0.5 * knee, rng.uniform(2, 8), 8, knee), lean)

    def arm() -> Arm:
        return Arm(
            out=rng.uniform(5, 15),
            forward=lean + rng.uniform(5, 45),
            elbow=rng.uniform(5, 45),
            turn=rng.uniform(10, 70),
            curl=rng.uniform(15, 55),
        )

    return Pose("bow", arm(), arm(), leg(), leg(), lean=lean, bend=rng.uniform(10, 35), nod=-5)


def _phone(rng: np.random.Generator) -> Pose:
    if rng.random() < 0.4:  # at the ear
        arm = Arm(rng.uniform(20, 38), rng.uniform(35, 55), 0, rng.uniform(5, 20), 138, -10, 5, 50)
        return replace(_stand(rng), left=arm, tilt=5)
    arm = Arm(
        out=rng.uniform(4, 12),
        forward=rng.uniform(10, 32),
        twist=rng.uniform(15, 40),
        elbow=rng.uniform(85, 112),
        turn=rng.uniform(-80, -50),
        curl=rng.uniform(35, 55),
    )
    return replace(_stand(rng), left=arm, nod=rng.uniform(14, 28))


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
        _stand(rng), left=akimbo(), right=akimbo() if rng.random() < 0.6 else _hanging(rng)
    )


def _folded(rng: np.random.Generator) -> Pose:
    left = Arm(14, rng.uniform(20, 27), 0, 55, rng.uniform(92, 100), 30, 0, 25)
    right = Arm(14, rng.uniform(27, 34), 0, 58, rng.uniform(98, 106), 40, 0, 25)
    return replace(_stand(rng), left=left, right=right, bend=rng.normal(0, 3))


def _behind(rng: np.random.Generator) -> Pose:
    arm = Arm(6, rng.uniform(-32, -22), 0, 50, rng.uniform(30, 45), 60, 0, 25)
    return replace(_stand(rng), left=arm, right=arm, bend=0)


def _run(rng: np.random.Generator) -> Pose:
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


def _hold(rng: np.random.Generator) -> Pose:
    arm = Arm(
        out=rng.uniform(6, 22),
        forward=rng.uniform(5, 45),
        twist=rng.uniform(0, 25),
        elbow=rng.uniform(55, 105),
        turn=rng.uniform(-15, 15),
        curl=rng.uniform(38, 52),
    )
    return replace(_stand(rng), left=arm, holding="left", nod=rng.uniform(0, 15))


def _carry(rng: np.random.Generator) -> Pose:
    arm = Arm(
        out=rng.uniform(3, 9),
        forward=rng.uniform(8, 30),
        twist=rng.uniform(6, 14),
        elbow=rng.uniform(62, 88),
        turn=rng.uniform(-12, 8),
        curl=rng.uniform(8, 22),
    )
    return replace(_stand(rng), left=arm, right=arm, holding="both", twist=0, side=0)


def _offer(rng: np.random.Generator) -> Pose:
    arm = Arm(
        out=rng.uniform(4, 18),
        forward=rng.uniform(45, 80),
        elbow=rng.uniform(8, 40),
        turn=rng.uniform(-20, 20),
        curl=rng.uniform(35, 50),
    )
    return replace(_stand(rng), left=arm, holding="left", bend=rng.uniform(0, 12))


_POSES: Mapping[str, tuple[Draw, float]] = {
    "stand": (_stand, 3),
    "walk": (_walk, 3),
    "sit": (_sit, 2.5),
    "sit-floor": (_sit_floor, 0.6),
    "gesture": (_gesture, 3),
    "wave": (_wave, 0.8),
    "point": (_point, 1.2),
    "reach": (_reach, 1.4),
    "crouch": (_crouch, 1.2),
    "kneel": (_kneel, 0.7),
    "bow": (_bow, 0.9),
    "phone": (_phone, 1.4),
    "hips": (_hips, 0.9),
    "folded": (_folded, 1),
    "behind": (_behind, 0.6),
    "run": (_run, 0.7),
    "hold": (_hold, 1.2),
    "carry": (_carry, 0.8),
    "offer": (_offer, 0.6),
}

NAMES: tuple[str, ...] = tuple(_POSES)
"""What `draw` can draw."""

_WEIGHTS = np.array([weight for _, weight in _POSES.values()])
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
