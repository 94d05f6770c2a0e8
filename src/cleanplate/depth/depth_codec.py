"""16-bit depth codec: depth in integer millimetres, in two conventions.

16 bits reach to 65.535 m and have no values for "unknown" and "nothing hit", so a convention
defines the meaning of the codes 0 and 65535. Two are written; `"depth_convention"` in the JSON
beside the file names the one used:

    exchange  0 = unknown, nothing hit, or beyond 65.534 m. As depth sensors; `predict` writes it.
    dataset   0 = unknown, 65535 = nothing hit or beyond 65.534 m. The data engine writes it.

A third, `zero-is-far` (0 = nothing hit), is only read, if an older JSON names it. Integer arrays
are always millimetres; float arrays are metres, NaN = unknown, +inf = nothing hit. See
docs/depth.md.
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
"""Encoded depth, (H, W) uint16 millimetres with reserved codes."""

RECORD = "depth_convention"
"""JSON key of the convention's name."""
OLDER_RECORD = "depth_zero"
"""JSON key in older files: "infinity" or "unknown", the meaning of code 0."""
FAR_MEDIAN, NEAR_MEDIAN = 200.0, 0.02
"""Plausible range of the median depth in metres; see `doubts`."""
EMPTY = "the depth PNG says of no pixel how far it is (it reaches from 1 mm to 65.534 m)"
FARTHEST = 65535
"""Largest code; in `dataset`: nothing hit, or beyond 65.534 m."""


@dataclass(frozen=True)
class Convention:
    """Meaning of the codes 0 and 65535; all other codes are millimetres.

    Attributes:
        name: value of `depth_convention` in a JSON.
        zero_is_far: True: code 0 means nothing hit. False: unknown.
        last_is_far: True: code 65535 means nothing hit or farther. False: 65.535 m.
    """

    name: str
    zero_is_far: bool
    last_is_far: bool


EXCHANGE = Convention("exchange", zero_is_far=False, last_is_far=False)
DATASET = Convention("dataset", zero_is_far=False, last_is_far=True)
ZERO_IS_FAR = Convention("zero-is-far", zero_is_far=True, last_is_far=False)
CONVENTIONS: Mapping[str, Convention] = {one.name: one for one in (EXCHANGE, DATASET)}
"""Conventions that can be written, by name."""


def convention_named(name: object) -> Convention:
    """Return the convention of a name, "exchange" or "dataset".

    Raises:
        CleanplateError: if there is no convention of that name.
    """
    found = CONVENTIONS.get(name) if isinstance(name, str) else None
    if found is None:
        raise CleanplateError(
            f"{RECORD!r} is {name!r}", cure=f"It is one of: {', '.join(CONVENTIONS)}."
        )
    return found


def recorded_convention(facts: Mapping[str, Any]) -> Convention | None:
    """Return the convention that a JSON document names for its depth; None if it names none.

    Args:
        facts: JSON object with the key `depth_convention`, or the older `depth_zero`.

    Raises:
        CleanplateError: if the name is unknown.
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
    """Encode depth in metres as 16-bit millimetres, rounded to nearest.

    NaN, zero, negative depth and depth under 0.5 mm become code 0.

    Args:
        depth: (H, W) float, metres.
        convention: one of `CONVENTIONS`.

    Raises:
        ValueError: if the convention is read-only, or the array is not float.

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
    """Encode disparity as 16-bit millimetres of depth.

    As `encode`, but in single precision, which is faster for data sets with many samples. The
    result is bit-exact on every machine.

    Args:
        disparity: (H, W) float32, 1/m, at least 0 or NaN.
        convention: one of `CONVENTIONS`.

    Raises:
        ValueError: if the convention is read-only.

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
    """Decode integer millimetres to float32 metres: NaN = unknown, +inf = nothing hit.

    Args:
        codes: (H, W) integers of any width. Codes above 65535 are millimetres too, except in
            `dataset`, where all codes from 65535 on mean nothing hit.
        convention: meaning of the codes 0 and 65535.

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
    """Return the look-up table from code to disparity in 1/m: (65536,) float32, read-only.

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
    """Convert a depth array to float32 metres: integers are millimetres, floats are metres.

    Args:
        array: (H, W), floats or integers of at least 16 bits.
        convention: meaning of the codes 0 and 65535 in integers.

    Raises:
        CleanplateError: if the array has 8-bit integers, which reach only to 25 cm, or no
            numbers.

    Examples:
        >>> metres(np.array([[1500, 0]], np.uint16)).tolist()  # 1500 / 1000; unknown
        [[1.5, nan]]
        >>> metres(np.array([[1.5]], np.float32)).tolist()  # floats are metres already
        [[1.5]]
    """
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # values beyond float32 become +inf
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
    """Return whether any pixel can be encoded as a distance, from 1 mm to 65.534 m.

    Args:
        depth: (H, W), metres.
    """
    return bool(((depth > 0.0005) & (depth < FARTHEST / 1000 - 0.0005)).any())


def doubts(disparity: Plane) -> list[str]:
    """Check the plausibility of depth: whether its unit seems wrong, or all of it is unknown.

    The median depth of scenes with a clean plate (rooms, stages, streets) is hardly ever above
    200 m, where a person is one pixel wide at the network's working size (512 pixels for 60
    degrees), or below 2 cm. Millimetres read as metres give a median of thousands of metres;
    metres read as millimetres give a few millimetres.

    Args:
        disparity: (H, W), 1/m, NaN = unknown, 0 = nothing hit.

    Returns:
        one warning for each problem; empty if the depth is plausible.
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
    """Compute the median of the finite depth in metres; None if no pixel has one.

    Large maps are subsampled to about a million pixels.

    Args:
        disparity: (H, W), 1/m, NaN = unknown, 0 = nothing hit.

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
    """Replace code 65535, to which far depth was clipped, according to the convention."""
    if convention.name not in CONVENTIONS:
        raise ValueError(f"{convention.name!r} is read, not written")
    if not convention.last_is_far:
        codes[codes == FARTHEST] = 0
    return codes
