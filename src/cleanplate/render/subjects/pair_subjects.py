"""Subjects of a pair, drawn from the seed to fit the scene."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cleanplate.render.scenes.asset_library import Asset, AssetLibrary
from cleanplate.render.scenes.scene_description import Colour
from cleanplate.render.subjects import poses
from cleanplate.render.subjects.cutout_views import SKIN_TONES, bounding_box_of
from cleanplate.render.subjects.skeleton import Pose

_KINDS = {
    "outdoor": {"person": 0.62, "vehicle": 0.16, "animal": 0.14, "object": 0.08},
    "world": {"person": 0.68, "animal": 0.12, "object": 0.2},
    "room": {"person": 0.7, "animal": 0.12, "object": 0.18},
    "tabletop": {"object": 0.6, "hand": 0.4},
}
_COUNTS = (0.6, 0.28, 0.12)
"""Probabilities of one, two and three subjects."""
_SMALL = 0.35
"""Metres: higher objects stand on the floor."""
_EXCLUDED_NAMES = ("Pillow_01", "fixed_hand")
"""Parts of names that are left out: cushions that float, hands without an open end."""


@dataclass(frozen=True)
class SubjectSpec:
    """One subject before placement.

    Args:
        asset: the subject.
        height: metres it is scaled to; None keeps its own.
        scale: on top of that.
        pose: of a person.
        held: object in its hands.
        turn: radians about the vertical.
        skin: linear light, of a hand.
        small: may stand on furniture as well as on the floor.
    """

    asset: Asset
    height: float | None
    scale: float
    pose: Pose | None
    held: Asset | None
    turn: float
    skin: Colour
    small: bool

    @property
    def tall(self) -> float:
        """Approximate height in metres."""
        height = self.height or self.asset.height or (bounding_box_of(self.asset) or (0, 0, 1.0))[2]
        return height * self.scale


def sample_subjects(
    library: AssetLibrary, kind: str, rng: np.random.Generator
) -> list[SubjectSpec]:
    """Draw one to three subjects that fit a kind of scene; none if there are none."""
    found = {k: _assets_of(library, k, kind) for k in _KINDS[kind]}
    found = {k: assets for k, assets in found.items() if assets}
    if not found:
        return []
    shares = np.array([_KINDS[kind][k] for k in found])
    roles: list[SubjectSpec] = []
    for _ in range(1 + int(rng.choice(len(_COUNTS), p=_COUNTS))):
        chosen = list(found)[int(rng.choice(len(found), p=shares / shares.sum()))]
        if chosen == "hand" and any(r.asset.kind == "hand" for r in roles):
            chosen = "object" if "object" in found else "hand"
        assets = found[chosen]
        roles.append(_sample_subject(library, assets[rng.integers(len(assets))], kind, rng))
    return roles


def _assets_of(library: AssetLibrary, kind: str, scene: str) -> list[Asset]:
    found = [
        a
        for a in library.assets_of(kind, "subjects")
        if not any(o in a.name for o in _EXCLUDED_NAMES)
    ]
    if kind == "object":
        on_table = scene == "tabletop"
        return [a for a in found if on_table == (0.02 < (a.height or 1) < _SMALL)] or found
    return found


def _sample_subject(
    library: AssetLibrary, asset: Asset, scene: str, rng: np.random.Generator
) -> SubjectSpec:
    pose = held = None
    if asset.kind == "person":
        pose = poses.sample_pose(rng)
        while pose.name == "sit":  # the position of chairs is not known
            pose = poses.sample_pose(rng)
        things = [
            a
            for a in library.assets_of("object", "subjects")
            if 0.05 <= max(bounding_box_of(a) or (9,)) <= 0.27
        ]
        if pose.holding and things:
            held = things[rng.integers(len(things))]
    facing = rng.normal(0, 0.7) if rng.random() < 0.55 else rng.uniform(0, 2 * math.pi)
    life = asset.kind == "animal"
    return SubjectSpec(
        asset=asset,
        # Indoors large animals are scaled down to young ones.
        height=None if not life else (asset.height or 1.0) * (1 if scene == "outdoor" else 0.6),
        scale=float(rng.uniform(0.94, 1.06)),
        pose=pose,
        held=held,
        turn=float(facing),
        skin=SKIN_TONES[rng.integers(len(SKIN_TONES))],
        small=asset.kind == "object" and (asset.height or 1) < _SMALL,
    )
