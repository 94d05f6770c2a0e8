"""Pairs of plate and frame with ground truth: search in a folder, and reading.

    NAME_plate.EXT  NAME_frame.EXT          the variant "clean"
    NAME_plate.VARIANT.EXT  ...             another variant of the same pair (no _ or . in VARIANT)
    NAME_alpha.EXT                          true alpha, shared by all variants; of NAME_A, NAME_B
                                            without an alpha of their own, that of both
    NAME_depth.EXT  NAME_plate_depth.EXT    true depth of frame and plate, optional
    NAME_foreground.EXT                     true straight foreground colour, optional
    NAME.json                               metadata (camera, subjects, world), optional

`"depth_convention"` in the JSON defines the codes 0 and 65535 of a depth PNG (docs/depth.md).
Without it, code 0 is infinitely far if the JSON has `"depth_zero": "infinity"` or, without that
key, a rendered `"world"`; else the convention is `exchange`, where 0 is unknown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy.typing as npt

from cleanplate.arrays import Coded, Picture, Plane
from cleanplate.depth.depth_codec import EXCHANGE, ZERO_IS_FAR, Convention, recorded_convention
from cleanplate.depth.depth_files import of_file, read_depth
from cleanplate.errors import CleanplateError
from cleanplate.files.json_files import read_json
from cleanplate.files.listing import PICTURE_SUFFIXES, Found, is_hidden, natural_key
from cleanplate.formats.pictures import read_alpha, read_image, to_float

Array = TypeVar("Array", bound=npt.NDArray[Any])

CLEAN = "clean"
DepthZero = Literal["infinity", "unknown"]

_DEPTH_SUFFIXES = frozenset({".png", ".npy", ".exr", ".tif", ".tiff"})
_NAME = re.compile(
    r"(?P<name>.+?)_(?P<part>plate_depth|plate|frame|alpha|depth|foreground)"
    r"(?:\.(?P<variant>[^._]+))?(?P<suffix>\.[^.]+)"
)
_FORM = "A pair is NAME_plate.*, NAME_frame.* and NAME_alpha.*, in one folder."


@dataclass(frozen=True)
class PairVariant:
    """Pictures and ground truth of one variant of a pair, all of one size (H, W).

    Attributes:
        plate: (H, W, 3) uint8 or uint16 sRGB.
        frame: (H, W, 3) uint8 or uint16 sRGB.
        alpha: (H, W) float32 true alpha in [0, 1].
        depth: (H, W) float32 true depth of the frame in metres, +inf = nothing hit, NaN =
            unknown; or None.
        plate_depth: true depth of the plate, as `depth`, or None.
        foreground: (H, W, 3) float32 true straight colour, sRGB in [0, 1], or None.
    """

    plate: Coded
    frame: Coded
    alpha: Plane
    depth: Plane | None = None
    plate_depth: Plane | None = None
    foreground: Picture | None = None


@dataclass(frozen=True)
class Pair:
    """Files of a plate, a frame and their ground truth, in one or several variants.

    Attributes:
        name: common prefix of the file names.
        folder: folder of the files.
        variant_files: variant -> (plate file, frame file).
        alpha_file: true alpha.
        depth_file: true depth of the frame, or None.
        plate_depth_file: true depth of the plate, or None.
        foreground_file: true straight foreground, or None.
        depth_zero: meaning of code 0 in a depth PNG; None = from the JSON (see the module).
        max_pixels: pixel limit of a picture; None = as `read_image`.
    """

    name: str
    folder: Path
    variant_files: Mapping[str, tuple[Path, Path]]
    alpha_file: Path
    depth_file: Path | None = None
    plate_depth_file: Path | None = None
    foreground_file: Path | None = None
    depth_zero: DepthZero | None = None
    max_pixels: int | None = None

    def read(self, variant: str = CLEAN) -> PairVariant:
        """Read the files of one variant.

        Raises:
            CleanplateError: if the pair does not have the variant, a file cannot be read, or its
                size differs from the frame's.
        """
        if variant not in self.variant_files:
            raise CleanplateError(
                f"pair {self.name!r} has no variant {variant!r}",
                file=self.folder,
                cure=f"It has: {', '.join(sorted(self.variant_files))}.",
            )
        plate_file, frame_file = self.variant_files[variant]
        limit = self.max_pixels
        frame = read_image(frame_file, max_pixels=limit)
        size = frame.shape[:2]
        foreground = None
        if self.foreground_file is not None:
            coded = read_image(self.foreground_file, max_pixels=limit)
            coded = _sized(coded, self.foreground_file, size)
            foreground = to_float(coded)
        return PairVariant(
            plate=_sized(read_image(plate_file, max_pixels=limit), plate_file, size),
            frame=frame,
            alpha=_sized(read_alpha(self.alpha_file, max_pixels=limit), self.alpha_file, size),
            depth=self._depth(self.depth_file, size),
            plate_depth=self._depth(self.plate_depth_file, size),
            foreground=foreground,
        )

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Content of NAME.json; {} if there is no such file.

        Raises:
            CleanplateError: if the file cannot be read or is not a JSON object.
        """
        path = self.folder / f"{self.name}.json"
        try:
            facts = read_json(path)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise CleanplateError(f"cannot be read as JSON: {error}", file=path) from error
        if not isinstance(facts, dict):
            raise CleanplateError("is not a JSON object", file=path)
        return facts

    def _depth(self, path: Path | None, size: tuple[int, ...]) -> Plane | None:
        if path is None:
            return None
        return _sized(read_depth(path, convention=self._convention()), path, size)

    def _convention(self) -> Convention:
        if self.depth_zero is not None:
            return ZERO_IS_FAR if self.depth_zero == "infinity" else EXCHANGE
        with of_file(self.folder / f"{self.name}.json"):
            stated = recorded_convention(self.facts)
        return stated or (ZERO_IS_FAR if "world" in self.facts else EXCHANGE)


def find_pairs(
    folder: str | Path,
    *,
    depth_zero: DepthZero | None = None,
    max_pixels: int | None = None,
    on_fault: Callable[[str, CleanplateError], None] | None = None,
) -> Found[Pair]:
    """Find the pairs in a folder, sorted by name.

    Args:
        folder: folder of the files; sub-folders and hidden files are ignored.
        depth_zero: meaning of code 0 in the depth PNGs of all pairs; None = from their JSON.
        max_pixels: pixel limit when a pair is read; None = as `read_image`.
        on_fault: called with name and error of each pair that lacks a file or has two files for
            the same part; such pairs are skipped. None = the first error is raised.

    Returns:
        the pairs; `passed_over` lists files that are named as parts of a pair, but have a suffix
        that is not supported.

    Raises:
        CleanplateError: if the folder does not exist or has no pair; without `on_fault`, also if
            a pair lacks its plate, frame or alpha, or has two files for the same part.
    """
    folder = Path(folder)
    if not os.path.isdir(folder):
        raise CleanplateError("is not a folder", file=folder, cure=_FORM)
    passed_over: list[Path] = []
    parts: dict[str, dict[tuple[str, str], Path]] = {}
    faults: dict[str, CleanplateError] = {}
    for path in sorted(folder.iterdir()):
        found = None if is_hidden(path.name) else _NAME.fullmatch(path.name)
        if not found:
            continue
        if not _fits(found["part"], found["suffix"]):
            passed_over.append(path)
            continue
        key = (found["part"], found["variant"] or CLEAN)
        other = parts.setdefault(found["name"], {}).setdefault(key, path)
        if other is not path:
            faults[found["name"]] = CleanplateError(
                f"says the same as {other.name}", file=path, cure="Keep one of them."
            )
    _share_alpha(parts)
    if not parts:
        raise CleanplateError("holds no pair", file=folder, cure=_FORM)
    pairs: Found[Pair] = Found()
    for name in sorted(parts, key=natural_key):
        try:
            if name in faults:
                raise faults[name]
            pairs.append(_pair(name, folder, parts[name], depth_zero, max_pixels))
        except CleanplateError as error:
            if on_fault is None:
                raise
            on_fault(name, error)
    pairs.passed_over = passed_over
    return pairs


def variants(pairs: Iterable[Pair]) -> list[str]:
    """Return the names of the variants of all pairs, "clean" first, then sorted."""
    found = {variant for pair in pairs for variant in pair.variant_files}
    return sorted(found, key=lambda variant: (variant != CLEAN, variant))


def _sized(array: Array, path: Path, size: tuple[int, ...]) -> Array:
    if array.shape[:2] != size:
        given, wanted = (f"{width} x {height}" for height, width in (array.shape[:2], size))
        raise CleanplateError(
            f"is {given}, but the frame {wanted}",
            file=path,
            cure="All files of a pair have one size.",
        )
    return array


def _fits(part: str, suffix: str) -> bool:
    kinds = _DEPTH_SUFFIXES if part.endswith("depth") else PICTURE_SUFFIXES
    return suffix.lower() in kinds


def _share_alpha(parts: dict[str, dict[tuple[str, str], Path]]) -> None:
    """Give pairs NAME_A, NAME_B without alpha that of NAME, if NAME is nothing but that."""
    alpha = ("alpha", CLEAN)
    for name in [name for name, files in parts.items() if list(files) == [alpha]]:
        sharing = [
            files
            for other, files in parts.items()
            if other.rpartition("_")[0] == name and alpha not in files
        ]
        for files in sharing:
            files[alpha] = parts[name][alpha]
        if sharing:
            del parts[name]


def _pair(
    name: str,
    folder: Path,
    files: dict[tuple[str, str], Path],
    depth_zero: DepthZero | None,
    max_pixels: int | None,
) -> Pair:
    missing: list[str] = []

    def needed(part: str, variant: str) -> Path:
        if (part, variant) not in files:
            middle = "" if variant == CLEAN else f".{variant}"
            missing.append(f"{name}_{part}{middle}.*")
        return files.get((part, variant), folder)

    seen = sorted({variant for part, variant in files if part in ("plate", "frame")} or {CLEAN})
    variant_files = {
        variant: (needed("plate", variant), needed("frame", variant)) for variant in seen
    }
    alpha = needed("alpha", CLEAN)
    if missing:
        raise CleanplateError(f"pair {name!r} lacks {', '.join(missing)}", file=folder, cure=_FORM)
    return Pair(
        name=name,
        folder=folder,
        variant_files=variant_files,
        alpha_file=alpha,
        depth_file=files.get(("depth", CLEAN)),
        plate_depth_file=files.get(("plate_depth", CLEAN)),
        foreground_file=files.get(("foreground", CLEAN)),
        depth_zero=depth_zero,
        max_pixels=max_pixels,
    )
