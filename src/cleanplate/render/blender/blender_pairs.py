"""Pairs: an empty scene, the same with subjects in it, and the truth about them."""

from __future__ import annotations

from collections import Counter

import numpy as np

from cleanplate import matte
from cleanplate.arrays import Picture
from cleanplate.depth.depth_codec import DATASET, encode
from cleanplate.formats.pictures import to_uint8
from cleanplate.render import pair_truth, quality_filter
from cleanplate.render.blender import cycles, subject_placement
from cleanplate.render.blender.blender_plates import record
from cleanplate.render.blender.camera_views import Cameraman, Seen
from cleanplate.render.blender.subject_placement import Player
from cleanplate.render.lighting import auto_exposure
from cleanplate.render.rendered_items import Item, Rejected, png
from cleanplate.render.scenes.asset_library import Library
from cleanplate.render.subjects import pair_subjects

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
        for role in pair_subjects.draw(self.library, kind, rng):
            player = subject_placement.place(self.library, role, seen, rng)
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
        cycles.hold_out(stage.objects)
        solid = all(p.solid for p in cast)
        alpha = cycles.coverage(_COVERAGE, seed=index, solid=solid)
        cycles.hold_out(stage.objects, False)
        if alpha.mean() < pair_truth.LEAST:
            return "subject hardly visible"
        depth = cycles.depth()
        cycles.show(drawn, False)
        samples = _SAMPLES[stage.setting.kind]
        light = cycles.render(samples, seed=2 * index).colour
        cycles.show(drawn)
        tone = auto_exposure.meter(light, rng)
        plate = auto_exposure.develop(light, tone)
        reason = quality_filter.of_picture(plate)
        if reason is not None:
            return reason

        def picture(seed: int) -> Picture:
            return auto_exposure.develop(cycles.render(samples, seed=seed).colour, tone)

        frame = picture(2 * index + 1)
        reason = pair_truth.fault(alpha, frame)
        if reason is not None:
            return reason
        cycles.show_to_camera(drawn, False)
        shaded = picture(2 * index)  # the plate's noise: only the subject's shadow differs
        cycles.show_to_camera(drawn)
        shadow = pair_truth.shadow(plate, shaded)
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
