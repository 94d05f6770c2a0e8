"""Scenes for the subject depth regressor: alpha and disparity of composites and pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Plane
from cleanplate.predict.geometry.subject_regions import MEASURING_SIZE
from cleanplate.synthesis import Composer, CompositorSettings, Plate
from cleanplate.synthesis.assets.split import Subset
from cleanplate.synthesis.compositor.layer import Layer
from cleanplate.synthesis.compositor.occlusion import MergedSubjects, add_layer, visible_alpha
from cleanplate.synthesis.compositor.subject_sampling import sample_subject, weighted_choice
from cleanplate.synthesis.compositor.view import crop_view, sample_view
from cleanplate.training.data.pair_augmentation import draw_crop, open_pairs, resample_plane

_SIDES = ((3, 4), (9, 16), (4, 3), (1, 1), (2, 3), (16, 9))
_WEIGHTS = np.array([0.42, 0.28, 0.08, 0.07, 0.1, 0.05])
"""(height, width) ratios of the pictures, and the probability of each."""
_STREAM = 0x5B7D
"""Part of the seed that makes these random numbers independent of other sources'."""
SETTINGS = CompositorSettings(
    grounded=0.56, portrait=0.44, uniform=0.0, shape=0.02, smallest_crop=0.5, true_size=True
)
"""More subjects than elsewhere are cut off by the lower border: there the bound alone is wrong."""
CLOSEST = 0.4
"""Least distance of a subject in metres; nearer ones are left out."""
LOOSE = 0.1
"""Share of composites with random subject sizes, so that size is not the only cue."""


class SubjectScene(NamedTuple):
    """A frame's geometry. All maps (H, W), the long side `MEASURING_SIZE`.

    alpha: true alpha, float32.
    plate: disparity of the plate, 1/m.
    subject: of the subject, nan elsewhere.
    focal: focal length in pixels; None where it is unknown.
    """

    alpha: Plane
    plate: Plane
    subject: Plane
    focal: float | None


class CompositeScenes:
    """Scenes composed of plates and cutouts; scene i is a function of (seed, folders, i) alone.

    Args:
        plates: folders of plates with depth; None = procedural scenes.
        cutouts: folders of cutouts; None = procedural ones.
        seed: of all random numbers.
        part: of the assets, see `cleanplate.synthesis.assets.split`.
        settings: of the compositor.
    """

    def __init__(
        self,
        plates: Sequence[Path] | None,
        cutouts: Sequence[Path] | None,
        seed: int,
        part: Subset = "all",
        settings: CompositorSettings = SETTINGS,
    ):
        if not plates or not cutouts:
            settings = replace(settings, procedural_rooms=64, procedural_cutouts=64)
        self.composer = Composer.from_folders(
            plates or None, cutouts or None, seed=seed, settings=settings, subset=part
        )
        self.seed = abs(seed)

    def scene(self, index: int) -> SubjectScene | None:
        """Make scene `index`; None where it holds no subject or its plate no depth."""
        rng = np.random.default_rng([self.seed, index, _STREAM])
        composer, settings, size = self.composer, self.composer.settings, draw_size(rng)
        if rng.random() < LOOSE:
            settings = replace(settings, true_size=False)
        source = composer.plates[weighted_choice(rng, composer.plate_shares)]
        plate = source[int(rng.integers(len(source)))]
        view = sample_view(
            rng, plate, size, smallest_crop=settings.smallest_crop, mirror=settings.mirror
        )
        if view.disparity is None:
            return None
        layers: list[Layer] = []
        for _ in range(1 + weighted_choice(rng, np.array(settings.subjects))):
            cutouts = composer.cutouts[weighted_choice(rng, composer.cutout_shares)]
            layer = sample_subject(rng, cutouts, view, settings)
            if layer is not None and _plausible(layer):
                layers.append(layer)
        layers.sort(key=lambda layer: -(layer.placement.z or 0))
        subjects = MergedSubjects.empty(size, depth=True)
        for layer in layers:
            light = np.zeros(layer.colour.shape, np.float32)
            add_layer(subjects, layer, light, visible_alpha(layer, view, subjects))
        if not layers or subjects.disparity is None:
            return None
        nearest = np.fmax(subjects.disparity, view.disparity)
        focal = None if view.camera is None else float(view.camera.intrinsics.fx)
        inside = np.where(subjects.alpha > 0, nearest, np.float32(np.nan))
        return SubjectScene(subjects.alpha, view.disparity, inside, focal)


class PairScenes:
    """Scenes cropped from stored full-scene pairs; scene i is a function of (seed, pairs, i) alone.

    Args:
        folder: tar shards or single files, see `cleanplate.training.data.pair_augmentation`.
        seed: of all random numbers.
        smallest_crop: least side of a crop as a share of the largest possible one.
        numbers: the pairs to use; None = all.
    """

    def __init__(
        self,
        folder: Path,
        seed: int,
        smallest_crop: float = 0.5,
        numbers: Sequence[int] | None = None,
    ):
        self._pairs = open_pairs(folder)
        self._seed, self._smallest = abs(seed), smallest_crop
        self._numbers = list(range(len(self._pairs))) if numbers is None else list(numbers)
        self._kept: dict[int, _PairGeometry] = {}

    @property
    def count(self) -> int:
        """Number of pairs in the folder."""
        return len(self._pairs)

    def scene(self, index: int) -> SubjectScene | None:
        """Crop scene `index`; None where the crop has no subject or its plate no depth."""
        rng = np.random.default_rng([self._seed, index, _STREAM + 1])
        number = self._numbers[int(rng.integers(len(self._numbers)))]
        if number not in self._kept:
            self._kept[number] = _PairGeometry.of(self._pairs.read(number))
        geometry, size = self._kept[number], draw_size(rng)
        crop = draw_crop(rng, geometry.alpha, size, self._smallest)
        return geometry.crop(crop, size, flip=bool(rng.random() < 0.5))


@dataclass(frozen=True)
class _PairGeometry:
    """Alpha, disparity and focal length in pixels of a stored pair, at its own size."""

    alpha: Plane
    plate: Plane
    subject: Plane
    focal: float | None

    @classmethod
    def of(cls, pair: Mapping[str, Any]) -> _PairGeometry:
        focal = pair.get("facts", {}).get("fx")
        return cls(
            pair["alpha"],
            pair["plate_disparity"],
            pair["subject_disparity"],
            float(focal) if isinstance(focal, (int, float)) else None,
        )

    def crop(
        self, box: tuple[int, int, int, int], size: tuple[int, int], *, flip: bool
    ) -> SubjectScene | None:
        blank = np.zeros((*self.alpha.shape, 3), np.uint8)
        plate, subject = (
            crop_view(Plate("", blank, plane), box, size, flip=flip).disparity
            for plane in (self.plate, self.subject)
        )
        alpha = resample_plane(self.alpha, box, size, flip=flip)
        if plate is None or subject is None or not (alpha > 0.9).any():
            return None
        if not np.isfinite(plate).any():
            return None
        focal = None if self.focal is None else self.focal * size[1] / box[2]
        return SubjectScene(alpha, plate, subject, focal)


def _plausible(layer: Layer) -> bool:
    """Return whether a layer stands on something and is at least `CLOSEST` away."""
    return layer.placement.how != "uniform" and (layer.placement.z or 0) >= CLOSEST


def draw_size(rng: np.random.Generator) -> tuple[int, int]:
    """Draw the (height, width) of a picture whose long side is `MEASURING_SIZE`."""
    high, wide = _SIDES[weighted_choice(rng, _WEIGHTS)]
    scale = MEASURING_SIZE / max(high, wide)
    return round(high * scale), round(wide * scale)


def damaged(rng: np.random.Generator, alpha: Plane) -> Plane:
    """Simulate a network's errors in true alpha (H, W): edges, holes, shadows, false positives."""
    ys, xs = np.nonzero(alpha > 0.5)
    if not ys.size:
        return alpha
    long = float(np.sqrt(ys.size))
    out = alpha.copy()
    if rng.random() < 0.6:
        change = cv2.erode if rng.random() < 0.6 else cv2.dilate
        side = 2 * int(rng.integers(1, 3)) + 1
        out = np.asarray(change(out, np.ones((side, side), np.uint8)), np.float32)
    out = np.asarray(cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 1.5)), np.float32)
    for _ in range(rng.poisson(1.0)):
        spot = rng.integers(ys.size)
        reach = long * rng.uniform(0.03, 0.22, 2)
        hole = _ellipse(alpha.shape, xs[spot], ys[spot], reach, rng.uniform(0, 180))
        out *= 1 - hole * np.float32(rng.uniform(0.3, 1))
    if rng.random() < 0.45:  # a shadow on the floor
        low = np.flatnonzero(ys >= np.quantile(ys, 0.93))
        spot = rng.choice(low)
        reach = long * np.array([rng.uniform(0.08, 0.5), rng.uniform(0.02, 0.12)])
        x, y = xs[spot] + long * rng.normal(0, 0.25), ys[spot] + reach[1] * rng.uniform(0, 0.8)
        shade = _ellipse(alpha.shape, x, y, reach, rng.normal(0, 15))
        out = np.maximum(out, shade * np.float32(rng.uniform(0.4, 1)))
    if rng.random() < 0.25:  # a false positive beside the subject
        reach = np.full(2, long * rng.uniform(0.03, 0.15))
        x, y = (float(rng.integers(side)) for side in alpha.shape[::-1])
        stray = _ellipse(alpha.shape, x, y, reach, 0.0)
        out = np.maximum(out, stray * np.float32(rng.uniform(0.4, 1)))
    return np.clip(out, 0, 1)


def as_measured(rng: np.random.Generator, disparity: Plane) -> Plane:
    """Simulate a depth camera on a plate's exact disparity (H, W): noise, and holes of nan.

    Holes are along depth edges, whose far side the camera's projector does not reach, and in
    random patches, as of dark or specular surfaces.
    """
    noise = rng.normal(0, rng.uniform(0.001, 0.006), disparity.shape).astype(np.float32)
    out = disparity * (1 + noise)
    filled = np.nan_to_num(disparity)
    side = 2 * int(rng.integers(1, 3)) + 1
    window = np.ones((side, side), np.uint8)
    near, far = cv2.dilate(filled, window), cv2.erode(filled, window)
    holes = np.asarray(near > np.float32(1.15) * far)
    for _ in range(rng.poisson(4)):
        reach = np.exp(rng.uniform(np.log(0.01), np.log(0.12), 2)) * max(disparity.shape)
        spot = rng.uniform(0, 1, 2) * disparity.shape
        patch = _ellipse(disparity.shape, spot[1], spot[0], reach, rng.uniform(0, 180))
        holes |= patch > 0
    return np.where(holes, np.float32(np.nan), out)


def _ellipse(
    shape: tuple[int, ...], x: float, y: float, reach: npt.NDArray[np.float64], turn: float
) -> Plane:
    plane = np.zeros(shape, np.float32)
    axes = (max(1, int(reach[0])), max(1, int(reach[1])))
    cv2.ellipse(plane, (int(x), int(y)), axes, float(turn), 0, 360, (1.0,), -1)
    return plane
