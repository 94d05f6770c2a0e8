"""Renders pairs: an empty scene, the same with subjects, and their ground truth."""

from __future__ import annotations

from collections import Counter

import numpy as np

from cleanplate import matte
from cleanplate.arrays import Picture
from cleanplate.depth.depth_codec import DATASET, encode
from cleanplate.formats.pictures import to_uint8
from cleanplate.render import pair_truth, quality_filter
from cleanplate.render.blender import cycles, subject_placement
from cleanplate.render.blender.blender_plates import picture_metadata
from cleanplate.render.blender.camera_views import CameraSampler, ChosenCamera
from cleanplate.render.blender.subject_placement import PlacedSubject
from cleanplate.render.lighting import auto_exposure
from cleanplate.render.rendered_items import Rejected, RenderedItem, png
from cleanplate.render.scenes.asset_library import AssetLibrary
from cleanplate.render.subjects import pair_subjects

_SAMPLES = {"tabletop": 10, "outdoor": 8, "world": 10, "room": 12}
_COVERAGE = 48
_MAX_VIEWS = 3
"""Views tried at most for one pair."""


class PairRenderer:
    """Renders pairs; consecutive ones share a scene.

    Args:
        library: the asset folder.
        seed: of all items.
        size: (height, width) in pixels.
    """

    def __init__(self, library: AssetLibrary, seed: int, size: tuple[int, int]):
        self.cameras = CameraSampler(library, seed, size)
        self.library, self.seed = library, seed

    def render(self, index: int) -> RenderedItem:
        """Render pair `index`.

        Raises:
            Rejected: if no view of its scene passes.
        """
        stage = self.cameras.scene(index)
        rng = np.random.default_rng([self.seed, 3, index])
        tried = Counter[str]()
        for _ in range(_MAX_VIEWS):
            chosen = self.cameras.find(rng, tried)
            files = self.cameras.light(chosen, rng)
            subjects = self._place_subjects(chosen, stage.description.kind, rng, tried)
            try:
                if not subjects:
                    tried["no place for a subject"] += 1
                    continue
                made = self._render_passes(index, chosen, subjects, files, rng)
            finally:
                for subject in subjects:
                    subject.remove()
            if not isinstance(made, str):
                made.metadata["tried"] = dict(tried)
                return made
            tried[made] += 1
        raise Rejected("no pair", tried)

    def _place_subjects(
        self, chosen: ChosenCamera, kind: str, rng: np.random.Generator, tried: Counter[str]
    ) -> list[PlacedSubject]:
        subjects = []
        for spec in pair_subjects.sample_subjects(self.library, kind, rng):
            subject = subject_placement.place_subject(self.library, spec, chosen, rng)
            if subject is None:
                tried[f"no room for a {spec.asset.kind}"] += 1
            else:
                subjects.append(subject)
        return subjects

    def _render_passes(
        self,
        index: int,
        chosen: ChosenCamera,
        subjects: list[PlacedSubject],
        files: tuple[str, ...],
        rng: np.random.Generator,
    ) -> RenderedItem | str:
        """Render all passes of one pair, cheap ones first; or give the reason to reject it."""
        cameras, stage = self.cameras, self.cameras.stage
        drawn = [o for subject in subjects for o in subject.objects]
        cameras.aim(chosen.pose, chosen.focus)
        cycles.hold_out(stage.objects)
        solid = all(p.solid for p in subjects)
        alpha = cycles.render_coverage(_COVERAGE, seed=index, solid=solid)
        cycles.hold_out(stage.objects, False)
        if alpha.mean() < pair_truth.MIN_COVERAGE:
            return "subject hardly visible"
        depth = cycles.render_depth()
        cycles.show(drawn, False)
        samples = _SAMPLES[stage.description.kind]
        light = cycles.render(samples, seed=2 * index).colour
        cycles.show(drawn)
        tone = auto_exposure.auto_expose(light, rng)
        plate = auto_exposure.tone_map(light, tone)
        reason = quality_filter.picture_rejection_reason(plate)
        if reason is not None:
            return reason

        def picture(seed: int) -> Picture:
            return auto_exposure.tone_map(cycles.render(samples, seed=seed).colour, tone)

        frame = picture(2 * index + 1)
        reason = pair_truth.rejection_reason(alpha, frame)
        if reason is not None:
            return reason
        cycles.show_to_camera(drawn, False)
        shaded = picture(2 * index)  # the plate's noise: only the subject's shadow differs
        cycles.show_to_camera(drawn)
        shadow = pair_truth.shadow_factor(plate, shaded)
        foreground = matte.solve_foreground(frame, shaded, alpha)
        used = {p.spec.asset.path for p in subjects} | {
            p.spec.held.path for p in subjects if p.spec.held
        }
        metadata = picture_metadata(cameras, chosen, tone) | {
            "subjects": [p.metadata() for p in subjects],
            "coverage": float(alpha.mean()),
            **cameras.credits(files + tuple(used)),
        }
        return RenderedItem(
            metadata,
            {
                "_plate.png": png(to_uint8(plate)),
                "_frame.png": png(to_uint8(frame)),
                "_alpha.png": png(to_uint8(alpha)),
                "_foreground.png": png(to_uint8(foreground)),
                "_shadow.png": png(np.rint(shadow * 65535).astype(np.uint16)),
                "_plate_depth.png": png(encode(chosen.depth, DATASET)),
                "_depth.png": png(encode(np.minimum(depth, chosen.depth), DATASET)),
            },
        )
