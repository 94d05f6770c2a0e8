"""Checks of one sample: missing parts, undecodable parts, sizes, alpha range, depth order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.depth.depth_codec import FARTHEST
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import check_matte_range
from cleanplate.synthesis.inspection.stored_part import StoredPart, as_millimetres
from cleanplate.synthesis.inspection.stored_set import (
    PICTURE_PARTS,
    REQUIRED_PARTS,
    Form,
    StoredSample,
)

Array = npt.NDArray[Any]

_GREY = frozenset({"alpha", "mask", "shadow", "depth", "plate_depth"})
_DEPTH_ROUNDING = 1
"""Millimetres by which two depths that were rounded separately may differ."""
_JPEG_RINGING = 64
"""Codes by which JPEG may change a mask's 0 and 255."""
_MAX_SHIFT = 8 / 256
"""Largest motion of the plate's camera against the frame's, relative to the shorter side."""
_MAX_OUTLIERS = 1 / 200
"""Share of pixels that may then differ; the worst of 400 samples had 0.001."""


class Fault(NamedTuple):
    """What is wrong, in which part of which sample; both may be empty, or a file's name."""

    sample: str
    part: str
    what: str

    def __str__(self) -> str:
        return f"{' '.join(filter(None, (self.sample, self.part)))}: {self.what}"


class SampleRules(NamedTuple):
    """What samples of a set must satisfy.

    `size` is (H, W), None without a plan; `hard`: alpha is 0 or 1; `moved`: the plate's camera may
    have moved, so that its depth need not match the frame's pixel by pixel.
    """

    form: Form
    size: tuple[int, int] | None = None
    hard: bool = False
    moved: bool = True


def missing_parts(sample: StoredSample, form: Form) -> Iterator[Fault]:
    """Find required parts that are missing or empty."""
    for kind in REQUIRED_PARTS[form]:
        if kind not in sample.parts:
            yield Fault(sample.name, kind, "is missing")
    if form == "shards" and ("plate_depth" in sample.parts) != ("depth" in sample.parts):
        lacking = "depth" if "plate_depth" in sample.parts else "plate_depth"
        yield Fault(sample.name, lacking, "is missing, though the sample has the other depth")
    for kind, part in sample.parts.items():
        if not part.data:
            yield Fault(sample.name, kind, "is empty")


def check_contents(
    sample: StoredSample, rules: SampleRules, known: Mapping[str, tuple[StoredPart, Array]]
) -> Iterator[Fault]:
    """Decode all parts and list their faults.

    Args:
        sample: with the parts that exist.
        rules: what it must satisfy.
        known: parts that are decoded already, by kind.
    """
    decoded: dict[str, Array] = {}
    for kind in PICTURE_PARTS[rules.form]:
        part = sample.parts.get(kind)
        if part is None or not part.data:
            continue
        if kind in known and known[kind][0] is part:
            decoded[kind] = known[kind][1]
            continue
        try:
            decoded[kind] = part.decode()
            if kind in ("alpha", "mask") and decoded[kind].dtype.kind == "u":
                check_matte_range(decoded[kind])
        except CleanplateError as error:
            yield Fault(sample.name, kind, error.what)
    for kind in [kind for kind in decoded if not _has_right_type(kind, decoded[kind])]:
        shape, dtype = decoded[kind].shape, decoded[kind].dtype
        yield Fault(sample.name, kind, f"is {_size_text(shape)} {dtype}, which such a part is not")
        del decoded[kind]
    metadata = sample.parts.get("json")
    if metadata is not None and metadata.data:
        try:
            metadata.read_metadata()
        except CleanplateError as error:
            yield Fault(sample.name, "json", error.what)
    expected = rules.size or _most_common([one.shape[:2] for one in decoded.values()])
    for kind in [kind for kind, one in decoded.items() if one.shape[:2] != expected]:
        yield Fault(
            sample.name,
            kind,
            f"is {_size_text(decoded[kind].shape[:2])}, not {_size_text(expected or (0, 0))}",
        )
        del decoded[kind]
    if rules.hard and "mask" in decoded:
        yield from _check_hard_mask(sample.name, decoded["mask"])
    if {"alpha", "depth", "plate_depth"} <= decoded.keys():
        found = depth_faults(
            decoded["alpha"],
            as_millimetres(decoded["depth"]),
            as_millimetres(decoded["plate_depth"]),
            moved=rules.moved,
        )
        yield from (Fault(sample.name, "depth", what) for what in found)


def depth_faults(
    alpha: Array,
    depth: npt.NDArray[np.uint16],
    plate: npt.NDArray[np.uint16],
    *,
    moved: bool,
) -> Iterator[str]:
    """Compare the frame's depth with the plate's.

    Where alpha is 1 the frame must not be behind the plate, where alpha is 0 it must be equal.

    If the plate's camera may have `moved`, and the depths show that it has, each pixel is
    compared with the plate's neighbourhood, borders are left out, and a few pixels may differ:
    one of two shifted samplings can hit a thin structure that the other misses.

    Args:
        alpha: (H, W) uint8 or uint16.
        depth: (H, W) of the frame, millimetres, 0 = unknown.
        plate: likewise of the plate.
        moved: whether the plate's camera may have moved.
    """
    known = (depth > 0) & (plate > 0)
    solid, clear = known & (alpha == np.iinfo(alpha.dtype).max), known & (alpha == 0)
    here = depth.astype(np.int32)
    near = far = plate.astype(np.int32)
    outliers, few = clear & (np.abs(here - far) > _DEPTH_ROUNDING), 0
    if moved and outliers.any():
        reach = math.ceil(_MAX_SHIFT * min(alpha.shape)) + 1
        window = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
        # Unknown depth may be anything: 0 for the nearest, FARTHEST for the farthest.
        near = cv2.erode(plate, window).astype(np.int32)
        far = cv2.dilate(np.where(plate == 0, np.uint16(FARTHEST), plate), window).astype(np.int32)
        inner = np.zeros(alpha.shape, np.bool_)
        inner[reach:-reach, reach:-reach] = True
        solid, clear, few = solid & inner, clear & inner, round(_MAX_OUTLIERS * alpha.size)
        outliers = clear & ((here > far + _DEPTH_ROUNDING) | (here < near - _DEPTH_ROUNDING))
    behind = solid & (here > far + _DEPTH_ROUNDING)
    count = int(np.count_nonzero(behind))
    if count > few:
        worst = int((here - far)[behind].max()) / 1000
        yield f"lies behind the plate at {count} pixels where alpha is 1, by up to {worst} m"
    count = int(np.count_nonzero(outliers))
    if count > few:
        yield f"is not the plate's at {count} pixels where alpha is 0"


def _check_hard_mask(name: str, mask: Array) -> Iterator[Fault]:
    between = np.abs(mask.astype(np.int16) - 128) < 128 - _JPEG_RINGING
    count = int(np.count_nonzero(between))
    if count:
        yield Fault(name, "mask", f"is neither 0 nor 255 at {count} pixels")


def _has_right_type(kind: str, picture: Array) -> bool:
    if picture.dtype.kind == "f":
        return "depth" in kind
    if kind in _GREY:
        return picture.ndim == 2 and (kind != "plate_depth" or picture.dtype == np.uint16)
    return picture.ndim == 3


def _most_common(sizes: list[tuple[int, ...]]) -> tuple[int, ...] | None:
    return max(sizes, key=sizes.count) if sizes else None


def _size_text(shape: tuple[int, ...]) -> str:
    channels = f" x {shape[2]}" if len(shape) > 2 else ""
    return f"{shape[1]} x {shape[0]}{channels}"
