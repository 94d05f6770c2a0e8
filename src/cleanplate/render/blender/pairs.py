"""Pairs: an empty scene, the same with subjects in it, and the truth about them."""

from __future__ import annotations

from collections import Counter

import numpy as np

from cleanplate import matte
from cleanplate.arrays import Picture
from cleanplate.depth_codec import DATASET, encode
from cleanplate.pictures import to_uint8
from cleanplate.render import casting, exposure, rejection, truth
from cleanplate.render.assets import Library
from cleanplate.render.blender import engine, players
from cleanplate.render.blender.plates import record
from cleanplate.render.blender.players import Player
from cleanplate.render.blender.views import Cameraman, Seen
from cleanplate.render.items import Item, Rejected, png

_SAMPLES = {"tabletop": 10, "outdoor": 8, "world": 10, "room": 12}
_COVERAGE = 48
_SCENES = 3
"""Views that are tried at most for one pair."""


class Pairs:
    """Renders pair after pair; consecutive ones share a scene.

    Args:
        library: the asset folder.
        seed: of the rendering.
        size: (height, width) in pixels.
    """

    def __init__(self, library: Library, seed: int, size: tuple[int, int]):
        self.cameraman = Cameraman(library, seed, size)
        self.library, self.seed = library, seed

    def make(self, index: int) -> Item:
        """Render pair `index`.

        Raises:
            Rejected: if no view of its scene gives one worth having.
        """
        stage = self.cameraman.scene(index)
        rng = np.random.default_rng([self.seed, 3, index])
        tried = Counter[str]()
        for _ in range(_SCENES):
            seen = self.cameraman.find(rng, tried)
            files = self.cameraman.light(seen, rng)
            cast = self._cast(seen, stage.setting.kind, rng, tried)
            try:
                if not cast:
                    tried["no place for a subject"] += 1
                    continue
                made = self._shoot(index, seen, cast, files, rng)
            finally:
                for player in cast:
                    player.remove()
            if not isinstance(made, str):
                made.facts["tried"] = dict(tried)
                return made
            tried[made] += 1
        raise Rejected("no pair", tried)

    def _cast(
        self, seen: Seen, kind: str, rng: np.random.Generator, tried: Counter[str]
    ) -> list[Player]:
        cast = []
        for role in casting.draw(self.library, kind, rng):
            player = players.place(self.library, role, seen, rng)
            if player is None:
                tried[f"no room for a {role.asset.kind}"] += 1
            else:
                cast.append(player)
        return cast

    def _shoot(
        self,
        index: int,
        seen: Seen,
        cast: list[Player],
        files: tuple[str, ...],
        rng: np.random.Generator,
    ) -> Item | str:
        """Render everything of one pair, the cheap things first; or say why it is useless."""
        cameraman, stage = self.cameraman, self.cameraman.stage
        drawn = [o for player in cast for o in player.objects]
        cameraman.aim(seen.shot, seen.focus)
        engine.hold_out(stage.objects)
        solid = all(p.solid for p in cast)
        alpha = engine.coverage(_COVERAGE, seed=index, solid=solid)
        engine.hold_out(stage.objects, False)
        if alpha.mean() < truth.LEAST:
            return "subject hardly visible"
        depth = engine.depth()
        engine.show(drawn, False)
        samples = _SAMPLES[stage.setting.kind]
        light = engine.render(samples, seed=2 * index).colour
        engine.show(drawn)
        tone = exposure.meter(light, rng)
        plate = exposure.develop(light, tone)
        reason = rejection.of_picture(plate)
        if reason is not None:
            return reason

        def picture(seed: int) -> Picture:
            return exposure.develop(engine.render(samples, seed=seed).colour, tone)

        frame = picture(2 * index + 1)
        reason = truth.fault(alpha, frame)
        if reason is not None:
            return reason
        engine.show_to_camera(drawn, False)
        shaded = picture(2 * index)  # the plate's noise: only the subject's shadow differs
        engine.show_to_camera(drawn)
        shadow = truth.shadow(plate, shaded)
        foreground = matte.solve_foreground(frame, shaded, alpha)
        used = {p.role.asset.path for p in cast} | {p.role.held.path for p in cast if p.role.held}
        facts = record(cameraman, seen, tone) | {
            "subjects": [p.facts() for p in cast],
            "coverage": float(alpha.mean()),
            **cameraman.credits(files + tuple(used)),
        }
        return Item(
            facts,
            {
                "_plate.png": png(to_uint8(plate)),
                "_frame.png": png(to_uint8(frame)),
                "_alpha.png": png(to_uint8(alpha)),
                "_foreground.png": png(to_uint8(foreground)),
                "_shadow.png": png(np.rint(shadow * 65535).astype(np.uint16)),
                "_plate_depth.png": png(encode(seen.depth, DATASET)),
                "_depth.png": png(encode(np.minimum(depth, seen.depth), DATASET)),
            },
        )
