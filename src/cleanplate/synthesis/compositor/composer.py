"""Composer: sample i is a function of seed, settings, assets, index and size alone."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Bytes
from cleanplate.errors import CleanplateError
from cleanplate.light import coded_from_linear
from cleanplate.synthesis.assets.asset_cache import with_cache
from cleanplate.synthesis.assets.catalogue import CutoutFolder, PlateFolder
from cleanplate.synthesis.assets.cutout import Cutout
from cleanplate.synthesis.assets.split import Subset, subset_of
from cleanplate.synthesis.compositor.appearance import SceneContext, subject_colour
from cleanplate.synthesis.compositor.camera_effects import (
    CameraParams,
    apply_camera,
    camera_tone_curve,
    sample_camera_params,
    sample_crop_motion,
)
from cleanplate.synthesis.compositor.frame_light import sample_frame_light
from cleanplate.synthesis.compositor.harmonisation import linear_by_curve, sample_tone_curve
from cleanplate.synthesis.compositor.layer import Layer
from cleanplate.synthesis.compositor.low_light import low_light_curve, with_low_light_noise
from cleanplate.synthesis.compositor.occlusion import MergedSubjects, add_layer, visible_alpha
from cleanplate.synthesis.compositor.reflection import add_colour_bleed, add_reflection
from cleanplate.synthesis.compositor.refraction import add_refraction
from cleanplate.synthesis.compositor.sample import Composition, Sample
from cleanplate.synthesis.compositor.settings import CompositorSettings
from cleanplate.synthesis.compositor.shadow import shadow_factors
from cleanplate.synthesis.compositor.subject_sampling import (
    CutoutCollection,
    PlateCollection,
    sample_subject,
    weighted_choice,
)
from cleanplate.synthesis.compositor.view import SceneView, sample_view
from cleanplate.synthesis.procedural.asset_pool import ProceduralCutouts, ProceduralPlates


class Composer:
    """Composes pairs of plate and frame with exact ground truth from plates and cutouts.

    `composer.sample(index, (H, W))` is a function of (seed, settings, assets, index, size) alone.
    Can be pickled; each process then reads the assets it needs by itself.
    """

    def __init__(
        self,
        plates: Sequence[PlateCollection],
        cutouts: Sequence[CutoutCollection],
        *,
        seed: int,
        settings: CompositorSettings | None = None,
        plate_shares: Sequence[float] | None = None,
        cutout_shares: Sequence[float] | None = None,
    ):
        """Compose from collections of plates and cutouts.

        Args:
            plates: collections of plates.
            cutouts: collections of cutouts.
            seed: of everything that is drawn.
            settings: by default those of `CompositorSettings()`.
            plate_shares: weights of the collections, by default their lengths.
            cutout_shares: likewise.
        """
        self.plates, self.cutouts, self.seed = list(plates), list(cutouts), abs(int(seed))
        self.settings = settings or CompositorSettings()
        self.plate_shares = np.array(plate_shares or [len(p) for p in self.plates], float)
        self.cutout_shares = np.array(cutout_shares or [len(c) for c in self.cutouts], float)

    @classmethod
    def from_folders(
        cls,
        plates: Path | str | Sequence[Path | str] | None,
        cutouts: Path | str | Sequence[Path | str] | None,
        *,
        seed: int,
        settings: CompositorSettings | None = None,
        subset: Subset = "all",
        cache: Path | None = None,
    ) -> Composer:
        """Open folders of plates and cutouts; None stands for procedural ones.

        Args:
            plates: one folder or several, each weighted by its number of assets.
            cutouts: likewise.
            seed: of everything that is drawn.
            settings: of the compositor.
            subset: all assets, or those of training or validation (see `assets.split`).
            cache: folder for decoded assets that all processes share (see `assets.asset_cache`);
                samples are the same with and without it.

        Raises:
            CleanplateError: if a folder is missing or holds nothing usable. Damaged files are
                found when they are first used, and then named.
        """
        settings = settings or CompositorSettings()
        procedural_plates = ProceduralPlates(seed, settings.procedural_rooms, settings.textures)
        subjects = ProceduralCutouts(seed, settings.procedural_cutouts)
        scenes = [PlateFolder.open(folder) for folder in _as_folders(plates)]
        kinds = [CutoutFolder.open(folder) for folder in _as_folders(cutouts)]
        if cache is not None:
            scenes = [with_cache(folder, cache) for folder in scenes]
            kinds = [with_cache(folder, cache) for folder in kinds]
        scenes, kinds = subset_of(scenes, subset), subset_of(kinds, subset)
        share = settings.procedural_share
        return cls(
            [*scenes, procedural_plates],
            [*kinds, subjects],
            seed=seed,
            settings=settings,
            plate_shares=_collection_weights(scenes, share),
            cutout_shares=_collection_weights(kinds, share * settings.procedural_cutout_share),
        )

    def sample(self, index: int, size: tuple[int, int]) -> Sample:
        """Compose sample `index` at `size` = (H, W), at least 16 x 16.

        Raises:
            CleanplateError: if the size is too small, or an asset cannot be read.
        """
        return self.sample_with_truth(index, size)[0]

    def sample_with_truth(self, index: int, size: tuple[int, int]) -> tuple[Sample, Composition]:
        """Compose sample `index`, and give its composition before the camera too."""
        rng = self._rng(index, size)
        composition = self._compose(rng, size)
        plate_pass, frame_pass, motion = CameraParams(np.ones(3, np.float32)), None, None
        if self.settings.camera:
            plate_pass, frame_pass, motion = sample_camera_params(
                rng, size, clean=self.settings.clean_share, drift=self.settings.drift_share
            )
            if composition.dark:
                plate_pass, frame_pass = with_low_light_noise(rng, plate_pass, frame_pass)
        if _chance(rng, self.settings.crop_share):
            motion = sample_crop_motion(rng, size)
        coded, disparity = composition.plate_srgb, composition.view.disparity
        if motion is not None:
            picture, disparity = composition.view.warped(motion)
            coded = np.asarray(cv2.LUT(picture, _lookup_table(composition.tone_curve)), np.uint8)
        truth = composition.subjects
        foreground = straight_colour(truth)
        if frame_pass is not None:
            box = truth.box
            if truth.any:
                foreground[box] = cv2.LUT(
                    foreground[box], _lookup_table(camera_tone_curve(frame_pass))
                )
        unknown = np.full(size, np.nan, np.float32)
        frame_disparity, subject_disparity = unknown, unknown
        if truth.disparity is not None and composition.view.disparity is not None:
            subject_disparity = truth.disparity
            frame_disparity = composition.view.disparity.copy()
            box = truth.box
            inside = truth.alpha[box] >= 0.5
            np.copyto(frame_disparity[box], subject_disparity[box], where=inside)
        sample: Sample = {
            "plate": apply_camera(coded, plate_pass),
            "frame": apply_camera(composition.frame, frame_pass or plate_pass),
            "foreground": foreground,
            "alpha": truth.alpha,
            "shadow": composition.shadow,
            "plate_disparity": unknown if disparity is None else disparity,
            "disparity": frame_disparity,
            "subject_disparity": subject_disparity,
            "index": index,
        }
        return sample, composition

    def compose(self, index: int, size: tuple[int, int]) -> Composition:
        """Compose sample `index` before the camera."""
        return self._compose(self._rng(index, size), size)

    def _layers(self, rng: np.random.Generator, view: SceneView) -> list[Layer]:
        """Draw the subjects, from far to near."""
        layers: list[Layer] = []
        if rng.random() >= self.settings.identical_share:
            for _ in range(1 + weighted_choice(rng, np.array(self.settings.subjects))):
                layer = sample_subject(rng, self._cutouts(rng), view, self.settings)
                if layer is not None:
                    layers.append(layer)
        layers.sort(key=lambda layer: -(layer.placement.z or 0))
        return layers

    def _layer_rng(self, rng: np.random.Generator, layer: Layer) -> np.random.Generator:
        """Give the generator of a subject's appearance: the sample's own."""
        del layer
        return rng

    def _cutout(self, rng: np.random.Generator) -> Cutout:
        """Draw any cutout, for the shadow of an object out of view."""
        found = self._cutouts(rng)
        return found[int(rng.integers(len(found)))]

    def _cutouts(self, rng: np.random.Generator) -> CutoutCollection:
        return self.cutouts[weighted_choice(rng, self.cutout_shares)]

    def _rng(self, index: int, size: tuple[int, int]) -> np.random.Generator:
        if min(size) < 16:
            raise CleanplateError(f"{size[1]} x {size[0]} is too small: at least 16 x 16")
        return np.random.default_rng([self.seed, index])

    def _compose(self, rng: np.random.Generator, size: tuple[int, int]) -> Composition:
        settings = self.settings
        source = self.plates[weighted_choice(rng, self.plate_shares)]
        plate = source[int(rng.integers(len(source)))]
        view = sample_view(
            rng, plate, size, smallest_crop=settings.smallest_crop, mirror=settings.mirror
        )
        tone_curve = sample_tone_curve(rng, view.picture, settings.tone)
        dark = _chance(rng, settings.dark_share)
        if dark:
            tone_curve = low_light_curve(rng, view.picture, tone_curve)
        light = linear_by_curve(view.picture, tone_curve)
        seen = np.asarray(cv2.LUT(view.picture, _lookup_table(tone_curve)), np.uint8)
        layers = self._layers(rng, view)
        subjects = MergedSubjects.empty(size, depth=view.disparity is not None)
        background, shade, factor = light, np.ones(size, np.float32), None
        if layers:
            strong = _chance(rng, settings.strong_shadow_share)
            share = 1.0 if strong else settings.shadow_share
            cast = shadow_factors(rng, view, layers, share, strong=strong)
            if cast is not None:
                factor, shade = cast
                background = np.asarray(cv2.multiply(light, factor), np.float32)
        frame_light = sample_frame_light(rng, view, self._cutout, settings)
        if frame_light is not None:
            background = frame_light.relit(background)
            factor = frame_light.darkening if factor is None else factor * frame_light.darkening
            shade = shade * frame_light.shadow_luminance
        lamp = None if frame_light is None else frame_light.lamp
        context = SceneContext(seen, light, background, lamp, dark)
        for layer in layers:
            own = self._layer_rng(rng, layer)
            colour = subject_colour(own, layer, context, settings)
            if _chance(own, settings.reflection_share):
                background = add_reflection(own, background, view, layer, colour)
            alpha = visible_alpha(layer, view, subjects)
            if layer.placement.cutout.refracts:
                background = add_refraction(own, background, layer.box, alpha)
            if _chance(own, settings.colour_bleed_share):
                background = add_colour_bleed(own, background, layer, colour)
            add_layer(subjects, layer, colour, alpha)
        frame = background
        if subjects.any:
            box = subjects.box
            keep = np.float32(1) - subjects.alpha[box]
            frame = background.copy()
            frame[box] *= cv2.merge([keep, keep, keep])
            frame[box] += subjects.light[box]
            if subjects.disparity is not None:
                _limit_to_plate_depth(subjects, view)
        return Composition(
            plate.name,
            view,
            seen,
            light,
            background,
            subjects,
            np.asarray(frame, np.float32),
            shade,
            factor,
            tone_curve,
            tuple(layer.placement for layer in layers),
            dark,
        )


def _chance(rng: np.random.Generator, share: float) -> bool:
    """Draw True with probability `share`; a share of 0 draws no number."""
    return bool(share and rng.random() < share)


def _as_folders(given: Path | str | Sequence[Path | str] | None) -> list[Path]:
    if given is None:
        return []
    return [Path(given)] if isinstance(given, (Path, str)) else [Path(one) for one in given]


def _collection_weights(folders: Sequence[Sized], procedural: float) -> list[float]:
    """Weights of collections: folders by number of assets, and `procedural` for the last one."""
    count = sum(len(folder) for folder in folders)
    if not count:
        return [1.0]
    return [*((1 - procedural) * len(folder) / count for folder in folders), procedural]


def straight_colour(subjects: MergedSubjects) -> Bytes:
    """Give the subjects' straight colour (H, W, 3) uint8 sRGB; black where alpha is 0."""
    out = np.zeros(subjects.light.shape, np.uint8)
    if subjects.any:
        box = subjects.box
        share = np.float32(1) / np.maximum(subjects.alpha[box], np.float32(1e-4))
        light = cv2.multiply(subjects.light[box], cv2.merge([share, share, share]))
        out[box] = coded_from_linear(np.asarray(light, np.float32))
    return out


def _lookup_table(curve: npt.NDArray[np.float32]) -> Bytes:
    """Round a curve (256, 3) of codes to a table for `cv2.LUT`."""
    return np.rint(curve).astype(np.uint8)[:, None, :]


def _limit_to_plate_depth(subjects: MergedSubjects, view: SceneView) -> None:
    """Move visible subjects no farther away than the plate."""
    assert subjects.disparity is not None
    assert view.disparity is not None
    box = subjects.box
    inside = subjects.disparity[box]
    np.fmax(inside, view.disparity[box], out=inside)
    np.copyto(inside, np.nan, where=subjects.alpha[box] <= 0)


class ProceduralComposer(Composer):
    """A composer that needs no data: plates and cutouts are procedural too."""

    def __init__(self, seed: int, settings: CompositorSettings | None = None):
        settings = settings or CompositorSettings()
        super().__init__(
            [ProceduralPlates(seed, settings.procedural_rooms, settings.textures)],
            [ProceduralCutouts(seed, settings.procedural_cutouts)],
            seed=seed,
            settings=settings,
        )
