"""Views of cutouts to be rendered: subject, pose, light and camera, drawn from the seed.

Items come in groups of `VIEWS_PER_SUBJECT` that share one subject, so that it is loaded once.
Item i does not depend on what was rendered before.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from cleanplate.errors import CleanplateError
from cleanplate.render.scenes.asset_library import Asset, AssetLibrary
from cleanplate.render.scenes.scene_description import Colour, Lamp, Light, Sun
from cleanplate.render.subjects import poses
from cleanplate.render.subjects.skeleton import Pose

VIEWS_PER_SUBJECT = 8
"""Consecutive pictures of one subject."""
KIND_SHARES = {"person": 0.65, "object": 0.18, "animal": 0.07, "vehicle": 0.05, "hand": 0.05}
"""Shares of the groups."""
SKIN_TONES: tuple[Colour, ...] = (
    (0.72, 0.47, 0.36),
    (0.62, 0.37, 0.26),
    (0.50, 0.28, 0.18),
    (0.36, 0.18, 0.11),
    (0.20, 0.10, 0.06),
    (0.10, 0.052, 0.034),
)
"""Linear light, from pale to dark."""

_EXCLUDED_NAMES = ("Pillow_01", "fixed_hand_left")
"""Parts of names that are left out: two cushions that float, a hand that is upside down."""


@dataclass(frozen=True)
class CutoutView:
    """One picture of a subject at the origin, with the camera at -Y.

    Args:
        asset: the subject.
        pose: of a person.
        held: object in its hands.
        held_turn: radians about the vertical.
        scale: of the body.
        turn: radians; at 0 a person faces the camera.
        roll: radians of a hand about its length, 0 = palm down.
        camera_height: metres over the ground under the subject.
        distance: metres along the ground.
        framing: full, half (cut at the waist) or reach (a hand whose wrist is cut).
        waist: share of the height at which `half` cuts.
        pixels: longest side of the subject's picture.
        light: all light.
        skin: linear light, of a hand.
        stops: exposure compensation.
        white: gain per channel.
    """

    asset: Asset
    pose: Pose | None
    held: Asset | None
    held_turn: float
    scale: float
    turn: float
    roll: float
    camera_height: float
    distance: float
    framing: str
    waist: float
    pixels: int
    light: Light
    skin: Colour
    stops: float
    white: Colour


class CutoutViewSampler:
    """Draws subjects of an asset folder and their views.

    Args:
        library: the asset folder.
        seed: of everything that is drawn.
        longest: largest side of a cutout in pixels.

    Raises:
        CleanplateError: if the folder has no subject.
    """

    def __init__(self, library: AssetLibrary, seed: int, longest: int = 384):
        self.library, self.seed, self.longest = library, seed, longest
        self._order: dict[str, list[Asset]] = {}
        for number, kind in enumerate(KIND_SHARES):
            found = [a for a in library.assets_of(kind, "subjects") if not _is_excluded(a)]
            found.sort(key=lambda a: a.path)
            if found:
                shuffled = np.random.default_rng([seed, number]).permutation(len(found))
                self._order[kind] = [found[i] for i in shuffled]
        if not self._order:
            raise CleanplateError(
                "holds no subject", file=library.folder, cure="See docs/data.md for its form."
            )
        objects = [
            (a, box) for a in library.assets_of("object", "subjects") if (box := bounding_box_of(a))
        ]
        self._handy = [a for a, box in objects if 0.05 <= max(box) <= 0.27]
        self._bulky = [a for a, box in objects if 0.2 <= max(box) <= 0.5 and sorted(box)[1] > 0.1]
        self._skies = [a.path for a in library.assets_of("hdri")]

    def subject(self, group: int) -> Asset:
        """Give the subject of a group: each kind by its share, the assets of a kind in turn."""
        counts = dict.fromkeys(self._order, 0)
        total = sum(KIND_SHARES[kind] for kind in counts)
        kind = next(iter(counts))
        for done in range(group + 1):
            kind = max(counts, key=lambda k: KIND_SHARES[k] / total * (done + 1) - counts[k])
            counts[kind] += 1
        order = self._order[kind]
        return order[(counts[kind] - 1) % len(order)]

    def view(self, item: int, attempt: int = 0) -> CutoutView:
        """Draw a view of an item; a later attempt shows the same subject differently."""
        asset = self.subject(item // VIEWS_PER_SUBJECT)
        rng = np.random.default_rng([self.seed, item, attempt])
        person = asset.kind == "person"
        half = person and rng.random() < 0.3
        pose = self._pose(rng, half=half) if person else None
        held = None
        if pose is not None and pose.holding:
            things = self._bulky if pose.holding == "both" else self._handy
            held = things[rng.integers(len(things))] if things else None
        framing = "half" if half else "reach" if asset.kind == "hand" else "full"
        scale = float(rng.uniform(0.94, 1.06)) if person or asset.kind == "hand" else 1.0
        height, distance = _sample_camera_height_and_distance(rng, asset, pose, half=half)
        return CutoutView(
            asset=asset,
            pose=pose,
            held=held,
            held_turn=float(rng.uniform(0, 2 * math.pi)),
            scale=scale,
            turn=_sample_turn(rng, asset.kind, half=half),
            roll=float(rng.choice((0.0, 0.5, 1.2)) + rng.normal(0, 0.2)),
            camera_height=height,
            distance=distance,
            framing=framing,
            waist=float(rng.uniform(0.5, 0.66)),
            pixels=int(
                self.longest * (rng.uniform(0.67, 0.97) if person else rng.uniform(0.5, 0.88))
            ),
            light=self._light(rng, distance),
            skin=_sample_skin_tone(rng),
            stops=float(rng.normal(0, 0.35)),
            white=(float(rng.uniform(0.96, 1.04)), 1.0, float(rng.uniform(0.94, 1.06))),
        )

    def _pose(self, rng: np.random.Generator, *, half: bool) -> Pose:
        pose = poses.sample_pose(rng)
        # Low poses have no waist at which to cut.
        while half and pose.name in ("sit-floor", "crouch", "kneel", "bow"):
            pose = poses.sample_pose(rng)
        return pose

    def _light(self, rng: np.random.Generator, distance: float) -> Light:
        sky = self._skies[rng.integers(len(self._skies))] if self._skies else None
        turn = float(rng.uniform(0, 2 * math.pi))
        kind = rng.random()
        if kind < 0.25:
            sun = Sun(
                elevation=float(rng.uniform(0.35, 1.2)),
                azimuth=float(rng.uniform(0, 2 * math.pi)),
                width=float(rng.uniform(0.01, 0.1)),
                strength=float(rng.uniform(1, 3.5)),
                colour=_warm_white(rng, float(rng.uniform(0.75, 0.95))),
            )
            return Light(sky, 1.0, turn, (1, 1, 1), sun=sun)
        if kind < 0.6:
            # A window or softbox from the front or side, scaled with the distance.
            angle, far = float(rng.uniform(-math.pi, 0)), distance * float(rng.uniform(0.8, 1.4))
            top = distance * float(rng.uniform(0.3, 1.0))
            lamp = Lamp(
                (far * math.cos(angle), far * math.sin(angle), top),
                distance * float(rng.uniform(0.2, 0.8)),
                distance**2 * float(rng.uniform(20, 70)),
                _warm_white(rng, float(rng.uniform(0.7, 1.0))),
                aim=(0.0, 0.0, 0.3 * top),
            )
            return Light(sky, float(rng.uniform(0.4, 1)), turn, (0.6, 0.6, 0.6), lamps=(lamp,))
        return Light(sky, 1.0, turn, (1, 1, 1))


def _is_excluded(asset: Asset) -> bool:
    return any(part in asset.name for part in _EXCLUDED_NAMES)


def bounding_box_of(asset: Asset) -> tuple[float, float, float] | None:
    """Give width, depth and height in metres as a subject's notes state them, or None."""
    found = re.search(r"bbox\(m\) ([\d.]+)x([\d.]+)x([\d.]+)", asset.notes)
    if not found:
        return None
    x, y, z = (float(v) for v in found.groups())
    return x, y, z


def credit_of_view(view: CutoutView) -> dict[str, str | list[str]]:
    """Give licence, source and attribution: texts, or lists that belong together by position."""
    seen = [view.asset] + ([view.held] if view.held else [])
    if len(seen) == 1:
        one = seen[0]
        return {"license": one.license, "source": one.source, "attribution": one.attribution}
    return {
        "license": [a.license for a in seen],
        "source": [a.source for a in seen],
        "attribution": [a.attribution for a in seen],
    }


def _sample_camera_height_and_distance(
    rng: np.random.Generator, asset: Asset, pose: Pose | None, *, half: bool
) -> tuple[float, float]:
    """Draw the camera's height over the subject's ground, and its distance along it, in metres."""
    if asset.kind == "hand":
        down = rng.uniform(0.35, 1.1)
        far = rng.uniform(0.4, 0.9)
        return float(far * math.sin(down)), float(far * math.cos(down))
    box = bounding_box_of(asset) or (1.0, 1.0, asset.height or 1.0)
    size = asset.height or box[2]
    if asset.kind == "animal":  # their boxes are those of toys
        size *= max(box) / box[2]
    elif asset.kind != "person":
        size = max(*box, size)
    if half:
        low = pose is not None and pose.name == "sit"
        height = rng.uniform(0.9, 1.4) if low else rng.uniform(1.15, 1.75)
        if rng.random() < 0.15:
            height = rng.uniform(2.0, 2.6)
        return float(height), float(rng.uniform(0.8, 2.2))
    if asset.kind != "person" and size < 0.6:  # on a table
        down = rng.uniform(0.08, 0.35) if rng.random() < 0.3 else rng.uniform(0.35, 1.1)
        far = max(size * rng.uniform(1.8, 4.5), 0.25)
        return float(far * math.sin(down)), float(far * math.cos(down))
    stance = rng.random()
    far = size * rng.uniform(1.25, 2.9)
    if stance < 0.45:  # eye level
        return float(rng.uniform(1.3, 1.8)), float(far)
    if stance < 0.62:  # low
        return float(rng.uniform(0.35, 1.1)), float(far)
    # From above, as cameras under ceilings and on poles see.
    down = rng.uniform(0.35, 0.9)
    return float(far * math.sin(down)), float(max(far * math.cos(down), 0.8 * size))


def _sample_turn(rng: np.random.Generator, kind: str, *, half: bool) -> float:
    if kind == "hand":  # from below, mostly, or from a side
        return float(rng.choice((0, 0, math.pi / 2, -math.pi / 2)) + rng.normal(0, 0.3))
    if kind == "person" and rng.random() < (0.75 if half else 0.5):
        return float(rng.normal(0, 0.6))
    return float(rng.uniform(0, 2 * math.pi))


def _warm_white(rng: np.random.Generator, blue: float) -> Colour:
    """Give a white whose blue is `blue` of its red."""
    return 1.0, float((1 + blue) / 2 * rng.uniform(0.97, 1.03)), blue


def _sample_skin_tone(rng: np.random.Generator) -> Colour:
    at = rng.uniform(0, len(SKIN_TONES) - 1)
    k = min(int(at), len(SKIN_TONES) - 2)
    pale, dark = np.log(np.array(SKIN_TONES[k])), np.log(np.array(SKIN_TONES[k + 1]))
    r, g, b = (float(v) for v in np.exp(pale + (at - k) * (dark - pale)))
    return r, g, b
