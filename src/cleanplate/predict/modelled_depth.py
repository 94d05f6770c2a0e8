"""The plate's depth from another network, and metres from distances that are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Coded, Picture, Plane
from cleanplate.depth import depth_to_disparity
from cleanplate.depth.depth_estimators import (
    CONVENTIONS,
    Convention,
    DepthEstimator,
    OnnxDepthEstimator,
)
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import as_uint8
from cleanplate.predict.geometry.plate_depth import PlateDisparity

DepthFunction: TypeAlias = Callable[[Coded], npt.ArrayLike]
"""(H, W, 3) uint8 sRGB to one map of the same shape."""

DepthModel: TypeAlias = str | Path | DepthEstimator | DepthFunction
"""An ONNX file, an estimator, or a function."""

_AROUND = 2
"""Pixels around a known point of which the median is taken."""


class KnownDistance(NamedTuple):
    """A distance along the optical axis that was measured in the plate.

    x, y: column and row in pixels of the plate, from its upper left corner.
    metres: planar depth there.
    """

    x: float
    y: float
    metres: float


class _Function:
    """A function as an estimator."""

    def __init__(self, function: DepthFunction, convention: Convention):
        self.convention = convention
        self.metadata = {"model": getattr(function, "__name__", type(function).__name__)}
        self._function = function

    def estimate(self, picture: Coded) -> Plane:
        found = np.asarray(self._function(picture), np.float32)
        if found.shape != picture.shape[:2]:
            raise CleanplateError(
                f"the depth model gives {found.shape} for a plate of {picture.shape[:2]}",
                cure="it takes (H, W, 3) uint8 and gives (H, W)",
            )
        return found


def depth_estimator(model: DepthModel, convention: str | None = None) -> DepthEstimator:
    """Open a depth model.

    Args:
        model: see `DepthModel`.
        convention: what its numbers mean, of `CONVENTIONS`; None = what an ONNX file's metadata or
            an estimator says. A function says nothing.

    Raises:
        CleanplateError: the file cannot be loaded, or nothing says what its numbers mean.
    """
    known: Convention | None = None
    for one in CONVENTIONS:
        known = one if one == convention else known
    if convention is not None and known is None:
        raise CleanplateError(
            f"there is no depth convention {convention!r}", cure=f"one of: {', '.join(CONVENTIONS)}"
        )
    if isinstance(model, (str, Path)):
        return OnnxDepthEstimator(model, convention=known)
    if isinstance(model, DepthEstimator):
        return model
    if known is None:
        raise CleanplateError(
            "nothing says what the numbers of this depth model mean",
            cure='depth_convention="metric" (metres), "disparity" (larger is nearer) or '
            '"relative-depth" (larger is farther)',
        )
    return _Function(model, known)


def modelled_disparity(
    estimator: DepthEstimator, plate: Coded | Picture, known: Sequence[KnownDistance] = ()
) -> PlateDisparity:
    """Estimate a plate's disparity, in metres if the model or known distances allow it.

    Args:
        estimator: of `depth_estimator`.
        plate: (H, W, 3).
        known: distances in it. One fixes the scale: zero then counts as infinitely far
            (disparity) or as the camera (relative depth). Two or more fix scale and shift, by
            least squares. A metric model is only scaled.

    Raises:
        CleanplateError: the model fails, or the distances contradict it.
    """
    convention = estimator.convention
    found = estimator.estimate(as_uint8(plate))
    found = np.where(np.isfinite(found), found, np.float32(np.nan)).astype(np.float32)
    if not np.isfinite(found).any():
        raise CleanplateError("the depth model's output is nowhere a number")
    source: dict[str, Any] = {"from": "depth model", **estimator.metadata, "convention": convention}
    if known:
        source["known_distances"] = [list(one) for one in known]
    if convention == "disparity":
        values = at_known_distances(found, known) if known else found
        return PlateDisparity(values, bool(known), source)
    if known:
        at_points = _values_at(found, known)
        scale, shift = _line(at_points, [one.metres for one in known], shift=convention != "metric")
        # The line may go through the camera: nothing is nearer than half of what is known.
        found = np.maximum(scale * found + shift, min(one.metres for one in known) / 2)
    if convention == "metric" or known:
        return PlateDisparity(depth_to_disparity(found), True, source)
    return PlateDisparity(_reciprocal(found), False, source)


def at_known_distances(
    disparity: Plane, known: Sequence[KnownDistance], *, zero_is_far: bool = True
) -> Plane:
    """Convert relative disparity to 1/m by distances that are known; below 0 is infinitely far.

    Relative disparity is the true one up to scale and shift (Ranftl et al. 2020).

    Args:
        disparity: (H, W), larger is nearer.
        known: distances; one is enough if `zero_is_far`.
        zero_is_far: whether 0 is infinitely far.

    Raises:
        CleanplateError: too few distances, or they contradict the disparity.
    """
    if len(known) < 2 and not zero_is_far:
        raise CleanplateError(
            "this estimate is known up to scale and shift: one distance does not fix it",
            cure="give two known distances, one near and one far",
        )
    at_points = _values_at(disparity, known)
    scale, shift = _line(at_points, [1 / one.metres for one in known])
    return np.asarray(np.maximum(scale * disparity + shift, 0), np.float32)


def _values_at(values: Plane, known: Sequence[KnownDistance]) -> list[float]:
    height, width = values.shape
    found = []
    for x, y, metres in known:
        if not (0 <= x < width and 0 <= y < height and 0 < metres < np.inf):
            raise CleanplateError(
                f"a known distance of {metres:g} m at ({x:g}, {y:g}) is not possible",
                cure=f"x, y lie in the plate's {width} x {height} pixels, metres are above 0",
            )
        rows = slice(max(0, int(y) - _AROUND), int(y) + _AROUND + 1)
        columns = slice(max(0, int(x) - _AROUND), int(x) + _AROUND + 1)
        near = values[rows, columns]
        if not np.isfinite(near).any():
            raise CleanplateError(
                f"the depth model knows nothing at ({x:g}, {y:g})", cure="choose another point"
            )
        found.append(float(np.nanmedian(near)))
    return found


def _line(
    values: Sequence[float], targets: Sequence[float], *, shift: bool = True
) -> tuple[np.float32, np.float32]:
    """Fit target = scale * value + shift; through 0 without `shift`, or of one point.

    Raises:
        CleanplateError: the scale is not positive.
    """
    columns = [np.asarray(values, np.float64)]
    if shift and len(values) > 1:
        columns.append(np.ones(len(values)))
    found = np.linalg.lstsq(np.stack(columns, 1), np.asarray(targets, np.float64), rcond=None)[0]
    if not (np.isfinite(found).all() and found[0] > 0):
        raise CleanplateError(
            "the known distances contradict the depth model: what it takes for nearer is farther",
            cure="check the points and the convention",
        )
    return np.float32(found[0]), np.float32(found[1] if len(found) > 1 else 0)


def _reciprocal(relative_depth: Plane) -> Plane:
    """Turn relative depth around: disparity up to scale, its zero taken as the camera."""
    least = np.nanpercentile(relative_depth, 1)
    shift = 0.0 if least > 0 else np.nanmax(relative_depth) * 0.1 - least
    return np.asarray(1 / np.maximum(relative_depth + shift, 1e-6), np.float32)
