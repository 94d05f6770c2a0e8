"""Clips with exact truth: subjects that move before a plate that stands.

Each frame is composed anew from the same random numbers as a single sample, with the subjects
moved along a smooth path; then the camera adds what changes from frame to frame: noise, exposure,
a flickering lamp, a small shake.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypedDict

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Bytes, Picture, Plane
from cleanplate.errors import CleanplateError
from cleanplate.synthesis.compositor.camera_effects import CameraParams, apply_camera
from cleanplate.synthesis.compositor.composer import Composer
from cleanplate.synthesis.compositor.layer import Layer, render_layer
from cleanplate.synthesis.compositor.placement import Placement, project_row
from cleanplate.synthesis.compositor.sample import Composition
from cleanplate.synthesis.compositor.settings import CompositorSettings
from cleanplate.synthesis.compositor.view import SceneView

_PATH_STREAM, _CAMERA_STREAM, _COLOUR_STREAM = 0xC11B, 0xCA4E, 0xC010
_HARMONICS = 3


@dataclass(frozen=True)
class ClipSettings:
    """What changes in a clip from frame to frame.

    speed: how far a subject moves in a second, as a share of the picture's width, at most.
    approach: by how much its size changes over the clip, natural logarithm, at most.
    noise: standard deviation of the sensor's noise at full light, levels of 255.
    ramp: by how much the exposure drifts over the clip, natural logarithm of light.
    flicker: amplitude of a lamp's flicker, natural logarithm of light.
    flicker_rate: of it, in periods a frame (what a camera sees of 100 Hz is a beat).
    shake: of the camera, standard deviation in pixels of a picture 256 pixels high.
    frames_per_second: what `speed` is counted in.

    Raises:
        CleanplateError: a value is negative, or there is no frame rate.
    """

    speed: float = 0.15
    approach: float = 0.15
    noise: float = 2.0
    ramp: float = 0.0
    flicker: float = 0.0
    flicker_rate: float = 0.13
    shake: float = 0.0
    frames_per_second: float = 25.0

    def __post_init__(self) -> None:
        for name in ("speed", "approach", "noise", "flicker", "shake"):
            if getattr(self, name) < 0:
                raise CleanplateError(f"{name} = {getattr(self, name):g} is below 0")
        if self.frames_per_second <= 0:
            raise CleanplateError("a clip needs frames_per_second above 0")


def steady(settings: CompositorSettings) -> CompositorSettings:
    """Leave out of a composer's settings what is drawn pixel by pixel: it would flicker.

    Camouflage is left out too, because it follows what lies behind the subject, and every subject
    casts its shadow, because whether it does is drawn from a generator that subjects share.
    """
    return replace(
        settings,
        identical_share=0.0,
        shadow_share=1.0,
        camouflage_share=0.0,
        edge_share=0.0,
        cloth_share=0.0,
        hair_share=0.0,
        foreign_shadow_share=0.0,
        lamp_share=0.0,
    )


class ClipSample(TypedDict):
    """One frame of a clip and its truth, all of one size (H, W).

    `shift` is how far the camera's shake moved the frame, (x, y) in pixels.
    """

    frame: Bytes
    alpha: Plane
    disparity: Plane
    index: int
    shift: tuple[float, float]


class ClipComposer:
    """Makes clips from a composer's plates and cutouts.

    Clip `index` is a function of the composer's seed, settings and assets, of `settings`, the
    size and the number of frames alone. The composer's settings should leave out what is
    drawn pixel by pixel: see `steady`.

    Args:
        composer: whose assets and settings are used.
        settings: of what changes over time.
    """

    def __init__(self, composer: Composer, settings: ClipSettings | None = None):
        self.settings = settings or ClipSettings()
        self._composer = _MovedComposer.of(composer)

    def composition(self, index: int, size: tuple[int, int]) -> Composition:
        """Give what the first frame of clip `index` is made of, before the camera."""
        return self._composer.moved(index, size, 0, 1, self.settings)

    def plate(self, index: int, size: tuple[int, int]) -> tuple[Bytes, Plane]:
        """Give the clean plate of clip `index`, (H, W, 3), and its disparity in 1/m, (H, W)."""
        composition = self.composition(index, size)
        params = self._camera(index, 0, plate=True)
        disparity = composition.view.disparity
        unknown = np.full(size, np.nan, np.float32)
        return (
            apply_camera(composition.plate_srgb, params),
            unknown if disparity is None else disparity,
        )

    def frames(self, index: int, size: tuple[int, int], count: int) -> Iterator[ClipSample]:
        """Give the frames of clip `index` one after the other.

        Args:
            index: of the clip.
            size: (H, W), at least 16 x 16.
            count: frames.
        """
        shifts = self._shifts(index, size, count)
        for number in range(count):
            composition = self._composer.moved(index, size, number, count, self.settings)
            yield self._sample(index, composition, number, count, shifts[number])

    def _sample(
        self,
        index: int,
        composition: Composition,
        number: int,
        count: int,
        shift: npt.NDArray[np.float64],
    ) -> ClipSample:
        subjects, view = composition.subjects, composition.view
        size = subjects.alpha.shape
        disparity = np.full(size, np.nan, np.float32)
        if view.disparity is not None and subjects.disparity is not None:
            inside = subjects.alpha >= 0.5
            disparity = np.where(inside, subjects.disparity, view.disparity)
        frame: Picture = composition.frame
        alpha = subjects.alpha
        if shift.any():
            move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
            frame, alpha = (_moved(plane, move) for plane in (frame, alpha))
            disparity = _moved(disparity, move, nearest=True)
        light = self._light(number, count)
        params = self._camera(index, number)
        params = replace(params, gain=(params.gain * np.exp(light)).astype(np.float32))
        return {
            "frame": apply_camera(frame, params),
            "alpha": np.clip(alpha, 0, 1),
            "disparity": disparity,
            "index": number,
            "shift": (float(shift[0]), float(shift[1])),
        }

    def _light(self, number: int, count: int) -> float:
        """Give the exposure of a frame against the first one's, natural logarithm of light."""
        settings = self.settings
        ramp = settings.ramp * number / max(1, count - 1)
        return ramp + settings.flicker * float(np.sin(2 * np.pi * settings.flicker_rate * number))

    def _camera(self, index: int, number: int, *, plate: bool = False) -> CameraParams:
        rng = np.random.default_rng(
            [self._composer.seed, index, _CAMERA_STREAM, 0 if plate else number + 1]
        )
        return CameraParams(
            np.ones(3, np.float32),
            read_noise=self.settings.noise * 0.5,
            shot_noise=self.settings.noise * 0.87,
            noise_seed=int(rng.integers(1 << 30)),
        )

    def _shifts(self, index: int, size: tuple[int, int], count: int) -> npt.NDArray[np.float64]:
        """Give the camera's shake, (count, 2) in pixels: a smoothed random walk about nothing."""
        if not self.settings.shake:
            return np.zeros((count, 2))
        rng = np.random.default_rng([self._composer.seed, index, _CAMERA_STREAM])
        steps = rng.normal(0, 1, (count + 8, 2))
        smooth = np.stack([np.convolve(axis, np.full(5, 0.2), "same") for axis in steps.T], 1)
        unit = np.asarray(smooth[4 : count + 4] / 0.2**0.5, np.float64)
        return unit * (self.settings.shake * size[0] / 256)


class _MovedComposer(Composer):
    """A composer whose subjects can be moved from where they were drawn.

    Each subject's appearance is drawn from a generator of its own, so that it stays the same when
    another subject leaves the picture or walks past it.
    """

    _motion: tuple[npt.NDArray[np.float64], float, float, float] | None = None
    _index = 0

    @classmethod
    def of(cls, composer: Composer) -> _MovedComposer:
        """Take over a composer's assets, seed and settings; every clip has subjects."""
        return cls(
            composer.plates,
            composer.cutouts,
            seed=composer.seed,
            settings=replace(composer.settings, identical_share=0.0),
            plate_shares=list(composer.plate_shares),
            cutout_shares=list(composer.cutout_shares),
        )

    def moved(
        self, index: int, size: tuple[int, int], number: int, count: int, settings: ClipSettings
    ) -> Composition:
        """Compose sample `index` with its subjects where they are in frame `number` of `count`."""
        rng = np.random.default_rng([self.seed, index, _PATH_STREAM])
        # Of each of a few subjects: phases and weights of harmonics in x, y and nearness.
        path = rng.uniform(-1, 1, (8, 3, _HARMONICS, 2))
        seconds = count / settings.frames_per_second
        # A sum of sines passes its reach four times in a turn.
        reach = settings.speed * seconds / 4 * size[1]
        self._motion = path, 2 * np.pi * number / count, reach, settings.approach
        self._index = index
        self._numbers: dict[int, int] = {}
        try:
            return self.compose(index, size)
        finally:
            self._motion = None

    def _layers(self, rng: np.random.Generator, view: SceneView) -> list[Layer]:
        layers = super()._layers(rng, view)
        if self._motion is None:
            return layers
        path, turn, reach, approach = self._motion
        found = []
        for number, layer in enumerate(layers):
            place = _placed(
                layer.placement,
                view,
                path[number % len(path)],
                turn=turn,
                reach=reach,
                approach=approach,
            )
            moved = render_layer(place, view.size)
            if moved is not None:
                self._numbers[id(moved)] = number
                found.append(moved)
        return sorted(found, key=lambda layer: -(layer.placement.z or 0))

    def _layer_rng(self, rng: np.random.Generator, layer: Layer) -> np.random.Generator:
        """Give the subject's own generator."""
        number = self._numbers.get(id(layer))
        if number is None:
            return rng
        return np.random.default_rng([self.seed, self._index, _COLOUR_STREAM, number])


def _placed(
    placement: Placement,
    view: SceneView,
    path: npt.NDArray[np.float64],
    *,
    turn: float,
    reach: float,
    approach: float,
) -> Placement:
    """Move a placement along its path.

    Args:
        placement: where the subject stands at the beginning.
        view: of the plate.
        path: (3, n, 2) weights and phases of harmonics, of x, y and nearness.
        turn: how much of the clip is over, in radians of a full turn.
        reach: the farthest move in pixels.
        approach: natural logarithm of the largest change of size.
    """
    across, down, nearer = (_wave(axis, turn) for axis in path)
    grow = float(np.exp(approach * nearer))
    z = None if placement.z is None else placement.z / grow
    if view.camera is not None and z is not None and placement.how == "grounded":
        assert placement.support is not None
        before, after = (project_row(view.camera, at, placement.support) for at in (placement.z, z))  # type: ignore[arg-type]
        y = placement.y + after - before  # it walks on what it stands on
    else:
        y = placement.y + 0.15 * reach * down
    x = placement.x + reach * across
    moved = replace(placement, x=x, y=y, scale=placement.scale * grow, z=z)
    height = view.size[0]
    below = moved.rectangle[3]
    if placement.rectangle[3] >= height > below:  # where the picture cut it off, it stays so
        moved = replace(moved, y=y + height - below)
    return moved


def _wave(harmonics: npt.NDArray[np.float64], turn: float) -> float:
    """Sum sines to a value in [-1, 1] that is 0 at the beginning; `harmonics` (n, 2)."""
    weights = (np.abs(harmonics[:, 0]) + 1e-3) / np.arange(1, len(harmonics) + 1)
    phases = np.pi * harmonics[:, 1]
    waves = np.sin(np.arange(1, len(harmonics) + 1) * turn + phases) - np.sin(phases)
    return float((weights * waves).sum() / (2 * weights.sum()))


def _moved(plane: Plane, move: npt.NDArray[np.float64], *, nearest: bool = False) -> Plane:
    size = plane.shape[1::-1]
    how = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    return np.asarray(
        cv2.warpAffine(plane, move, size, flags=how, borderMode=cv2.BORDER_REPLICATE), np.float32
    )
