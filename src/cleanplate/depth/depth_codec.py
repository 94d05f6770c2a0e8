"""Depth as integers of millimetres: two named conventions, one codec.

Sixteen bits reach to 65.535 m and have no word for "unknown" or "nothing hit", so a convention
gives the first and the last code a meaning. Two are written, each under a name that stands as
`"depth_convention"` in the JSON beside the file:

    exchange  0 = unknown, nothing hit, or beyond 65.534 m. What sensors give and `predict` writes.
    dataset   0 = unknown, 65535 = nothing hit, or beyond 65.534 m. What the data engine writes.

A third is only read, where an older JSON says so: `zero-is-far`, 0 = nothing hit. Integer arrays
are millimetres in whatever they lie; arrays of floats are metres, nan = unknown, inf = nothing hit.
See docs/depth.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Plane
from cleanplate.errors import CleanplateError

Codes = npt.NDArray[np.uint16]

RECORD = "depth_convention"
"""The key under which the JSON beside a depth file names its convention."""
OLDER_RECORD = "depth_zero"
"""The key of older files: "infinity" or "unknown", what code 0 means."""
FAR_MEDIAN, NEAR_MEDIAN = 200.0, 0.02
"""Metres; see `doubts`."""
EMPTY = "the depth PNG says of no pixel how far it is (it reaches from 1 mm to 65.534 m)"
FARTHEST = 65535
"""The last code; in `dataset`: nothing hit, or beyond 65.534 m."""


@dataclass(frozen=True)
class Convention:
    """What the codes 0 and 65535 mean; all others are millimetres.

    name: as it is recorded.
    zero_is_far: code 0 means that nothing was hit, otherwise that depth is unknown.
    last_is_far: code 65535 means that nothing was hit or beyond, otherwise 65.535 m.
    """

    name: str
    zero_is_far: bool
    last_is_far: bool


EXCHANGE = Convention("exchange", zero_is_far=False, last_is_far=False)
DATASET = Convention("dataset", zero_is_far=False, last_is_far=True)
ZERO_IS_FAR = Convention("zero-is-far", zero_is_far=True, last_is_far=False)
CONVENTIONS: Mapping[str, Convention] = {one.name: one for one in (EXCHANGE, DATASET)}
"""The conventions that are written, by name."""


def convention_named(name: object) -> Convention:
    """Find a convention by its name.

    Raises:
        CleanplateError: if there is none of that name.
    """
    found = CONVENTIONS.get(name) if isinstance(name, str) else None
    if found is None:
        raise CleanplateError(
            f"{RECORD!r} is {name!r}", cure=f"It is one of: {', '.join(CONVENTIONS)}."
        )
    return found


def recorded_convention(facts: Mapping[str, Any]) -> Convention | None:
    """Tell which convention a JSON states for the depth beside it; None if it states none.

    Raises:
        CleanplateError: if it states one that does not exist.
    """
    if RECORD in facts:
        return convention_named(facts[RECORD])
    said = facts.get(OLDER_RECORD)
    if said is None:
        return None
    if said not in ("infinity", "unknown"):
        raise CleanplateError(
            f"{OLDER_RECORD!r} is {said!r}", cure='Write "infinity" or "unknown".'
        )
    return ZERO_IS_FAR if said == "infinity" else EXCHANGE


def encode(depth: npt.NDArray[Any], convention: Convention) -> Codes:
    """Turn metres, (H, W) floats, into codes: rounded to the nearest millimetre.

    What is not positive, nan or under 0.5 mm is 0.

    Raises:
        ValueError: if the convention is one that is only read, or the array is not of floats.

    Examples:
        >>> depth = np.array([[1.234, np.nan, np.inf, 70.0]])
        >>> encode(depth, EXCHANGE).tolist()  # 1234 mm; 0 for the unknown and for what is too far
        [[1234, 0, 0, 0]]
        >>> encode(depth, DATASET).tolist()  # 65535 for what is too far
        [[1234, 0, 65535, 65535]]
    """
    if depth.dtype.kind != "f":
        raise ValueError(f"expected metres in floats, got {depth.dtype}")
    with np.errstate(invalid="ignore"):
        held = np.where(depth > 0, np.rint(depth.astype(np.float64) * 1000), 0)
    return _ended(np.minimum(held, FARTHEST).astype(np.uint16), convention)


def encode_disparity(disparity: Plane, convention: Convention) -> Codes:
    """Turn 1/m, (H, W) float32 at least 0 or nan, into codes.

    As `encode`, in single precision: a set's samples are coded a million times over, and are the
    same to the byte wherever that is done.

    Raises:
        ValueError: if the convention is one that is only read.

    Examples:
        >>> disparity = np.array([[0.5, 0.0, np.nan]], np.float32)
        >>> encode_disparity(disparity, DATASET).tolist()  # 1000 / 0.5; nothing hit; unknown
        [[2000, 65535, 0]]
    """
    with np.errstate(divide="ignore"):
        depth = np.float32(1000) / disparity
    np.minimum(depth, FARTHEST, out=depth)
    depth += np.float32(0.5)
    cv2.patchNaNs(depth, 0)
    return _ended(depth.astype(np.uint16), convention)


def decode(codes: npt.NDArray[Any], convention: Convention) -> Plane:
    """Turn codes, integers of any width, into float32 metres: nan unknown, inf nothing hit.

    Wider integers go on beyond 65535, but in `dataset`, where all from there on are nothing hit.

    Examples:
        >>> codes = np.array([[2500, 0, 65535]], np.uint16)
        >>> decode(codes, DATASET).tolist()  # 2500 mm; unknown; nothing hit
        [[2.5, nan, inf]]
    """
    depth = codes.astype(np.float32) / np.float32(1000)
    far = np.zeros(codes.shape, np.bool_)
    if convention.zero_is_far:
        far |= codes == 0
    if convention.last_is_far:
        far |= codes >= FARTHEST
    depth[codes <= 0] = np.nan
    depth[far] = np.inf
    return depth


@cache
def disparities(convention: Convention) -> npt.NDArray[np.float32]:
    """Give the disparity in 1/m that each of the 65536 codes stands for: (65536,), read-only.

    Examples:
        >>> disparities(DATASET)[[0, 2000, 65535]].tolist()  # unknown; 1 / 2 m; 1 / inf
        [nan, 0.5, 0.0]
    """
    depth = decode(np.arange(FARTHEST + 1), convention)
    with np.errstate(divide="ignore"):
        table = np.asarray(np.float32(1) / depth, np.float32)
    table.setflags(write=False)
    return table


def metres(array: npt.NDArray[Any], convention: Convention = EXCHANGE) -> Plane:
    """Take an array of depth as float32 metres: integers are millimetres, floats are metres.

    Raises:
        CleanplateError: if it holds integers of 8 bits, which reach no further than 25 cm, or
            no numbers.

    Examples:
        >>> metres(np.array([[1500, 0]], np.uint16)).tolist()  # 1500 / 1000; unknown
        [[1.5, nan]]
        >>> metres(np.array([[1.5]], np.float32)).tolist()  # floats are metres already
        [[1.5]]
    """
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what float32 cannot reach is infinitely far
            return array.astype(np.float32, copy=False)
    if array.dtype.kind not in "iu":
        raise CleanplateError(
            f"depth of {array.dtype} is no depth", cure="Give floats (metres) or integers (mm)."
        )
    if array.dtype.itemsize == 1:
        raise CleanplateError(
            f"depth of {array.dtype} has 8 bits, not 16",
            cure="Integers are millimetres and need 16 bits; metres go as floats.",
        )
    return decode(array, convention)


def fits(depth: Plane) -> bool:
    """Tell whether any pixel of depth in metres has a code of its own, from 1 mm to 65.534 m."""
    return bool(((depth > 0.0005) & (depth < FARTHEST / 1000 - 0.0005)).any())


def doubts(disparity: Plane) -> list[str]:
    """Say what is wrong with depth if it means what its unit says.

    Cameras that have a plate see rooms, stages and streets. Of the pixels that hit something,
    half are hardly ever beyond 200 m, where a person is one pixel wide at the network's working
    size (512 pixels for 60 degrees), nor within 2 cm. Millimetres of a room that are taken for
    metres have a median of thousands of metres, metres taken for millimetres one of a few
    millimetres.

    Args:
        disparity: (H, W), 1/m, nan = unknown, 0 = nothing hit.

    Returns:
        a sentence for each doubt.
    """
    median = median_depth(disparity)
    if median is None:
        return ["no pixel of the depth is at a distance: it is unknown or nothing is hit"]
    if median > FAR_MEDIAN:
        return [
            f"half of the depth is beyond {median:.0f} m: is it in millimetres? "
            "Floats are metres; integers and 16-bit PNG are millimetres"
        ]
    if median < NEAR_MEDIAN:
        return [
            f"half of the depth is within {median * 1000:.1f} mm: is it in metres? "
            "Integers and 16-bit PNG are millimetres; floats are metres"
        ]
    return []


def median_depth(disparity: Plane) -> float | None:
    """Median of the finite depth in metres, from a million pixels at most; None without any.

    Examples:
        >>> disparity = np.array([[0.25, 0.5, 1.0, 0.0]], np.float32)
        >>> median_depth(disparity)  # 0 hit nothing: 1 / median(0.25, 0.5, 1.0)
        2.0
    """
    step = max(1, round((disparity.size / 1e6) ** 0.5))
    for one in (disparity[::step, ::step], disparity):
        hit = one[np.isfinite(one) & (one > 0)]
        if hit.size:
            return float(1 / np.median(hit.astype(np.float64)))
    return None


def _ended(codes: Codes, convention: Convention) -> Codes:
    """Give the last code, at which what is far has piled up, its meaning in a convention."""
    if convention.name not in CONVENTIONS:
        raise ValueError(f"{convention.name!r} is read, not written")
    if not convention.last_is_far:
        codes[codes == FARTHEST] = 0
    return codes
