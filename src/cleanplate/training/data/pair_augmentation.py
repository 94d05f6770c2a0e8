"""Stored full-scene pairs, taken again: cut, mirrored and seen by other cameras each time."""

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

_TRIES = 6
"""Cuts tried; the last is taken whatever it shows."""
_SEEN = 0.5
"""Least share of the subject that a cut shows."""
_DRAW, _CHOICE = 0x9A12, 0x9A13
"""Keep the draws of retakes and of the mixture apart from those of other sources."""


class _Source(Protocol):
    def sample(self, index: int, size: tuple[int, int], /) -> Mapping[str, Any]: ...


class Mixture:
    """One source with a share of another among its samples.

    Which of the two makes sample i is a function of (seed, i) alone.

    Args:
        main: makes all other samples.
        second: makes `share` of the samples.
        share: in [0, 1].
        seed: decides which.
    """

    def __init__(self, main: _Source, second: _Source, share: float, seed: int):
        self.main, self.second, self.share, self.seed = main, second, share, abs(seed)

    def source(self, index: int) -> _Source:
        """Give the source that makes sample `index`."""
        draw = np.random.default_rng([self.seed, index, _CHOICE]).random()
        return self.second if draw < self.share else self.main

    def sample(self, index: int, size: tuple[int, int]) -> Mapping[str, Any]:
        """Make sample `index` at `size` = (H, W)."""
        return self.source(index).sample(index, size)


class Retakes:
    """Endless samples from a few stored pairs.

    Sample i is a function of (seed, i, size) alone: which pair, the cut, mirrored or not, and the
    two passes of a camera, of which the plate's may have been knocked, as composites have them.

    Args:
        pairs: what to read.
        seed: decides all draws.
        settings: `smallest_crop`, `mirror`, `camera`, `clean_share` and `drift_share` count here.
    """

    def __init__(self, pairs: Collection, seed: int, settings: CompositorSettings | None = None):
        self.pairs, self.seed = pairs, abs(seed)
        self.settings = settings or CompositorSettings()

    def sample(self, index: int, size: tuple[int, int]) -> dict[str, Any]:
        """Make sample `index` at `size` = (H, W)."""
        rng = np.random.default_rng([self.seed, index, _DRAW])
        stored = self.pairs.read(int(rng.integers(len(self.pairs))))
        crop = draw_crop(rng, stored["alpha"], size, self.settings.smallest_crop)
        flip = bool(self.settings.mirror and rng.random() < 0.5)

        def seen(picture: str, disparity: str) -> SceneView:
            plate = Plate(picture, _bytes(stored[picture]), stored[disparity])
            return crop_view(plate, crop, size, flip=flip)

        plate, frame = seen("plate", "plate_disparity"), seen("frame", "disparity")
        subject = seen("foreground", "subject_disparity")
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
    """Open a folder of stored pairs: tar shards, or loose files as `evaluate` reads them.

    Raises:
        CleanplateError: if the folder holds neither.
    """
    if any(not is_hidden(file.name) for file in folder.glob("*.tar")):
        return Shards(folder)
    return LoosePairs(folder)


class LoosePairs:
    """The pairs of a folder, `NAME_plate.*`, `NAME_frame.*`, `NAME_alpha.*` and so on.

    The form is that of `cleanplate.pairs.pair_files`, with `NAME_shadow.*` (grey, 1 = untouched)
    beside the others. Variants other than the clean one are not read.

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
        """Read a pair at the size it is stored in.

        Raises:
            CleanplateError: if a file cannot be read or differs in size.
        """
        pair = self._pairs[number]
        view = pair.read()
        size = view.alpha.shape
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
            for depth in (view.plate_depth, view.depth)
        )
        plate_disparity, disparity = depths
        return {
            "source": pair.alpha_file.with_name(pair.name),
            "plate": _bytes(view.plate),
            "frame": _bytes(view.frame),
            "foreground": _bytes(view.frame if view.foreground is None else view.foreground),
            "alpha": view.alpha,
            "shadow": shadow,
            "plate_disparity": plate_disparity,
            "disparity": disparity,
            "subject_disparity": np.where(view.alpha >= 0.5, disparity, unknown),
        }


def _bytes(picture: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if picture.dtype == np.uint8:
        return picture
    return to_uint8(picture if picture.dtype.kind == "f" else picture / np.float32(65535))


def draw_crop(
    rng: np.random.Generator, alpha: npt.NDArray[np.float32], size: tuple[int, int], smallest: float
) -> tuple[int, int, int, int]:
    """Draw x, y, width, height with the sample's aspect, the subject inside if that is easy."""
    full_h, full_w = alpha.shape
    largest = min(full_w / size[1], full_h / size[0])
    whole = float(alpha.sum())
    for _ in range(_TRIES):
        share = 1 - (1 - smallest) * rng.random()
        w = int(np.clip(round(size[1] * largest * share), 2, full_w))
        h = int(np.clip(round(size[0] * largest * share), 2, full_h))
        x, y = int(rng.integers(full_w - w + 1)), int(rng.integers(full_h - h + 1))
        if float(alpha[y : y + h, x : x + w].sum()) >= _SEEN * whole:
            break
    return x, y, w, h


def resample_plane(
    plane: npt.NDArray[np.float32],
    crop: tuple[int, int, int, int],
    size: tuple[int, int],
    *,
    flip: bool,
) -> npt.NDArray[np.float32]:
    """Cut and scale alpha or shadow by the filter that `crop_view` takes for pictures."""
    x, y, w, h = crop
    part = np.ascontiguousarray(plane[y : y + h, x : x + w], np.float32)
    if (h, w) != size:
        how = cv2.INTER_AREA if size[1] / w < 0.7 else cv2.INTER_LINEAR
        part = np.asarray(cv2.resize(part, size[::-1], interpolation=how), np.float32)
    return np.ascontiguousarray(part[:, ::-1]) if flip else part
