"""Augmentation of stored full-scene pairs: random crop, mirroring and camera effects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.depth import depth_to_disparity
from cleanplate.errors import CleanplateError
from cleanplate.files.listing import is_hidden
from cleanplate.formats.pictures import read_alpha, to_uint8
from cleanplate.pairs.pair_files import find_pairs
from cleanplate.synthesis import CompositorSettings, Plate
from cleanplate.synthesis.compositor.camera_effects import (
    apply_camera,
    camera_tone_curve,
    sample_camera_params,
)
from cleanplate.synthesis.compositor.view import SceneView, crop_view
from cleanplate.training.data.shard_reader import Shards
from cleanplate.training.data.stored_samples import Collection

_CROP_TRIES = 6
"""Crops tried; the last is taken in any case."""
_LEAST_VISIBLE = 0.5
"""Least share of the subject inside a crop."""
_AUGMENTATION_STREAM, _CHOICE_STREAM = 0x9A12, 0x9A13
"""Parts of the seed that make these random numbers independent of other sources'."""


class _Source(Protocol):
    def sample(self, index: int, size: tuple[int, int], /) -> Mapping[str, Any]: ...


class MixedSource:
    """Two sources mixed at random.

    Which of the two makes sample i is a function of (seed, i) alone.

    Args:
        main: makes the other samples.
        second: makes `share` of the samples.
        share: in [0, 1].
        seed: of the choice.
    """

    def __init__(self, main: _Source, second: _Source, share: float, seed: int):
        self.main, self.second, self.share, self.seed = main, second, share, abs(seed)

    def source(self, index: int) -> _Source:
        """Return the source that makes sample `index`."""
        draw = np.random.default_rng([self.seed, index, _CHOICE_STREAM]).random()
        return self.second if draw < self.share else self.main

    def sample(self, index: int, size: tuple[int, int]) -> Mapping[str, Any]:
        """Make sample `index` at `size` = (H, W)."""
        return self.source(index).sample(index, size)


class AugmentedPairs:
    """An endless source of augmented pairs.

    Sample i is a function of (seed, i, size) alone: the pair, the crop, the mirroring, and the
    camera effects of plate and frame with a movement between the two, as for composites.

    Args:
        pairs: what to read.
        seed: of all random numbers.
        settings: of it `smallest_crop`, `mirror`, `camera`, `clean_share` and `drift_share` are
            used; None = the defaults.
    """

    def __init__(self, pairs: Collection, seed: int, settings: CompositorSettings | None = None):
        self.pairs, self.seed = pairs, abs(seed)
        self.settings = settings or CompositorSettings()

    def sample(self, index: int, size: tuple[int, int]) -> dict[str, Any]:
        """Make sample `index` at `size` = (H, W)."""
        rng = np.random.default_rng([self.seed, index, _AUGMENTATION_STREAM])
        stored = self.pairs.read(int(rng.integers(len(self.pairs))))
        crop = draw_crop(rng, stored["alpha"], size, self.settings.smallest_crop)
        flip = bool(self.settings.mirror and rng.random() < 0.5)

        def cropped(picture: str, disparity: str) -> SceneView:
            plate = Plate(picture, _bytes(stored[picture]), stored[disparity])
            return crop_view(plate, crop, size, flip=flip)

        plate, frame = cropped("plate", "plate_disparity"), cropped("frame", "disparity")
        subject = cropped("foreground", "subject_disparity")
        alpha, shadow = (
            resample_plane(stored[name], crop, size, flip=flip) for name in ("alpha", "shadow")
        )
        assert subject.disparity is not None
        made: dict[str, Any] = {
            "plate": plate.picture,
            "frame": frame.picture,
            "foreground": subject.picture,
            "alpha": alpha,
            "shadow": shadow,
            "plate_disparity": plate.disparity,
            "disparity": frame.disparity,
            "subject_disparity": np.where(alpha >= 0.5, subject.disparity, np.float32(np.nan)),
            "index": index,
        }
        if not self.settings.camera:
            return made
        clean, drift = self.settings.clean_share, self.settings.drift_share
        plate_pass, frame_pass, motion = sample_camera_params(rng, size, clean=clean, drift=drift)
        if motion is not None:
            made["plate"], made["plate_disparity"] = plate.warped(motion)
        curve = np.rint(camera_tone_curve(frame_pass)).astype(np.uint8)[:, None, :]
        return {
            **made,
            "plate": apply_camera(made["plate"], plate_pass),
            "frame": apply_camera(made["frame"], frame_pass),
            "foreground": np.asarray(cv2.LUT(made["foreground"], curve), np.uint8),
        }


def open_pairs(folder: Path) -> Collection:
    """Open a folder of stored pairs: tar shards, or single files as `evaluate` reads them.

    Raises:
        CleanplateError: if the folder holds neither.
    """
    if any(not is_hidden(file.name) for file in folder.glob("*.tar")):
        return Shards(folder)
    return PairFolder(folder)


class PairFolder:
    """The pairs in a folder of single files, `NAME_plate.*`, `NAME_frame.*`, `NAME_alpha.*` ...

    Names as in `cleanplate.pairs.pair_files`, and `NAME_shadow.*` (grey, 1 = no shadow). Variants
    other than the clean one are not read.

    Raises:
        CleanplateError: if the folder holds no pairs, or a pair lacks a part.
    """

    def __init__(self, folder: Path):
        self._pairs = find_pairs(folder)
        self._shadows = {
            file.name.partition("_shadow.")[0]: file
            for file in sorted(folder.glob("*_shadow.*"))
            if not is_hidden(file.name)
        }

    def __len__(self) -> int:
        return len(self._pairs)

    def read(self, number: int) -> dict[str, Any]:
        """Read a pair at its stored size.

        Raises:
            CleanplateError: if a file cannot be read or differs in size.
        """
        pair = self._pairs[number]
        clean = pair.read()
        size = clean.alpha.shape
        shadow = np.ones(size, np.float32)
        if pair.name in self._shadows:
            shadow = read_alpha(self._shadows[pair.name])
            if shadow.shape != size:
                raise CleanplateError(
                    "differs in size from its frame", file=self._shadows[pair.name]
                )
        unknown = np.full(size, np.nan, np.float32)
        depths = (
            unknown if depth is None else np.asarray(depth_to_disparity(depth), np.float32)
            for depth in (clean.plate_depth, clean.depth)
        )
        plate_disparity, disparity = depths
        return {
            "source": pair.alpha_file.with_name(pair.name),
            "plate": _bytes(clean.plate),
            "frame": _bytes(clean.frame),
            "foreground": _bytes(clean.frame if clean.foreground is None else clean.foreground),
            "alpha": clean.alpha,
            "shadow": shadow,
            "plate_disparity": plate_disparity,
            "disparity": disparity,
            "subject_disparity": np.where(clean.alpha >= 0.5, disparity, unknown),
        }


def _bytes(picture: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if picture.dtype == np.uint8:
        return picture
    return to_uint8(picture if picture.dtype.kind == "f" else picture / np.float32(65535))


def draw_crop(
    rng: np.random.Generator, alpha: npt.NDArray[np.float32], size: tuple[int, int], smallest: float
) -> tuple[int, int, int, int]:
    """Draw a random crop that shows at least half of the subject, if six tries find one.

    Args:
        rng: of the draws.
        alpha: (H, W), true alpha.
        size: (height, width) of the sample, whose aspect ratio the crop has.
        smallest: least side of the crop as a share of the largest possible one.

    Returns:
        x, y, width, height in pixels.
    """
    full_h, full_w = alpha.shape
    largest = min(full_w / size[1], full_h / size[0])
    whole = float(alpha.sum())
    for _ in range(_CROP_TRIES):
        share = 1 - (1 - smallest) * rng.random()
        w = int(np.clip(round(size[1] * largest * share), 2, full_w))
        h = int(np.clip(round(size[0] * largest * share), 2, full_h))
        x, y = int(rng.integers(full_w - w + 1)), int(rng.integers(full_h - h + 1))
        if float(alpha[y : y + h, x : x + w].sum()) >= _LEAST_VISIBLE * whole:
            break
    return x, y, w, h


def resample_plane(
    plane: npt.NDArray[np.float32],
    crop: tuple[int, int, int, int],
    size: tuple[int, int],
    *,
    flip: bool,
) -> npt.NDArray[np.float32]:
    """Crop and resize alpha or shadow with the filter that `crop_view` uses for pictures.

    Args:
        plane: (H, W).
        crop: x, y, width, height in pixels.
        size: (height, width) of the result.
        flip: mirror left and right.
    """
    x, y, w, h = crop
    part = np.ascontiguousarray(plane[y : y + h, x : x + w], np.float32)
    if (h, w) != size:
        how = cv2.INTER_AREA if size[1] / w < 0.7 else cv2.INTER_LINEAR
        part = np.asarray(cv2.resize(part, size[::-1], interpolation=how), np.float32)
    return np.ascontiguousarray(part[:, ::-1]) if flip else part
