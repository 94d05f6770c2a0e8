"""Alpha matte metrics: SAD, MAD, MSE, gradient, connectivity, dtSSD, foreground MSE.

Publications use the same formulas with different region, scale and stretching. These are
arguments here; `alpha_conventions` combines them.
Alphas are (H, W) floats in [0, 1]; integers raise an error, because their range is ambiguous.
Sums and means are computed in float64.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Mask, Picture, Plane

Doubles = npt.NDArray[np.float64]

_ROUNDING = np.float32(1e-6)
"""Tolerance: above the rounding error of float32 in [0, 1], below half a step of 16 bits."""


def unknown_band(trimap: npt.NDArray[np.uint8]) -> Mask:
    """Return the unknown region of a trimap, the pixels of value 128, as (H, W) bool.

    Args:
        trimap: (H, W) uint8: 0 = background, 128 = unknown, 255 = foreground.

    Raises:
        ValueError: on any other value or dtype.

    Examples:
        >>> unknown_band(np.array([[0, 128, 255]], np.uint8)).tolist()  # 128 alone is unknown
        [[False, True, False]]
    """
    if trimap.dtype != np.uint8 or not np.isin(trimap, (0, 128, 255)).all():
        raise ValueError("a trimap is uint8 and holds 0, 128 and 255 only")
    return np.asarray(trimap == 128)


def sad(alpha: Plane, truth: Plane, *, region: Mask | None = None, scale: float = 1e-3) -> float:
    """Compute the sum of absolute differences (SAD) over the region, times `scale`.

    Rhemann et al., "A perceptually motivated online benchmark for image matting", CVPR 2009.
    Figures are usually given in thousands of pixels (`scale=1e-3`).

    Args:
        alpha: (H, W) predicted, float in [0, 1].
        truth: (H, W) true, float in [0, 1].
        region: (H, W) bool; None = the whole picture. See `unknown_band`.
        scale: factor of the result.

    Raises:
        ValueError: if shapes differ, an array is not float in [0, 1], or the region is empty.

    Examples:
        >>> alpha, truth = np.array([[1.0, 0.5]]), np.array([[1.0, 0.0]])
        >>> sad(alpha, truth, scale=1)  # |1 - 1| + |0.5 - 0|
        0.5
    """
    return float(np.abs(_difference(alpha, truth, region)).sum() * scale)


def mad(alpha: Plane, truth: Plane, *, region: Mask | None = None, scale: float = 1.0) -> float:
    """Compute the mean absolute difference (MAD) over the region, times `scale`.

    Papers often use `scale=1e3`. Arguments as `sad`.

    Raises:
        ValueError: as `sad`.

    Examples:
        >>> alpha, truth = np.array([[1.0, 0.5]]), np.array([[1.0, 0.0]])
        >>> mad(alpha, truth)  # (|1 - 1| + |0.5 - 0|) / 2
        0.25
    """
    return float(np.abs(_difference(alpha, truth, region)).mean() * scale)


def mse(alpha: Plane, truth: Plane, *, region: Mask | None = None, scale: float = 1.0) -> float:
    """Compute the mean squared error (MSE) over the region, times `scale`.

    Papers often use `scale=1e3`. Arguments as `sad`.

    Raises:
        ValueError: as `sad`.

    Examples:
        >>> alpha, truth = np.array([[1.0, 0.5]]), np.array([[1.0, 0.0]])
        >>> mse(alpha, truth)  # ((1 - 1)^2 + (0.5 - 0)^2) / 2
        0.125
    """
    return float(np.square(_difference(alpha, truth, region)).mean() * scale)


def grad(
    alpha: Plane,
    truth: Plane,
    *,
    region: Mask | None = None,
    scale: float = 1e-3,
    stretch: bool = True,
    sigma: float = 1.4,
) -> float:
    """Compute the gradient error: squared difference of gradient magnitudes, summed, times `scale`.

    Gradients are filtered with first derivatives of a Gaussian; the kernel is truncated where the
    Gaussian falls below 0.01 and normalised to unit L2 norm; borders are replicated (Rhemann et
    al. 2009).

    Args:
        alpha: (H, W) predicted, float in [0, 1].
        truth: (H, W) true, float in [0, 1].
        region: (H, W) bool; None = the whole picture.
        scale: factor of the result; RVM 1e-3, BackgroundMattingV2 1.
        stretch: rescale each alpha to [0, 1] over the whole picture first, as RVM and
            BackgroundMattingV2 do. Errors of offset and gain are then ignored.
        sigma: standard deviation of the Gaussian in pixels.

    Raises:
        ValueError: as `sad`.

    Examples:
        >>> truth = np.repeat([[0.0, 1.0]], 8, axis=1)
        >>> grad(truth / 2, truth)  # both are stretched to [0, 1] first: then they are equal
        0.0
    """
    check_alphas(alpha, truth, region)
    both = (_stretched(plane) if stretch else plane.astype(np.float64) for plane in (alpha, truth))
    predicted, true = (_amplitude(plane, sigma) for plane in both)
    return float(_inside(np.square(predicted - true), region).sum() * scale)


def conn(
    alpha: Plane,
    truth: Plane,
    *,
    region: Mask | None = None,
    scale: float = 1e-3,
    step: float = 0.1,
) -> float:
    """Compute the connectivity error: opaque regions that are disconnected from the main one.

    At each threshold t = step, 2 step, ..., 1, the source region is the largest 4-connected
    component of {alpha >= t and truth >= t}. l is the last threshold before the first one at which
    the pixel is outside the source region. With d = a - l, connectivity is 1 - d [d >= 0.15]. The
    error is the summed absolute difference of both connectivities (Rhemann et al. 2009).

    Thresholds are compared with a tolerance of 1e-6, so that an alpha equal to a threshold reaches
    it after rounding from 8 or 16 bits (in float64, `arange(0, 1.1, 0.1)[6] > 153 / 255`).

    Args:
        alpha: (H, W) predicted, float in [0, 1].
        truth: (H, W) true, float in [0, 1].
        region: (H, W) bool; None = the whole picture.
        scale: factor of the result; RVM 1e-3, BackgroundMattingV2 1.
        step: distance of thresholds; 1 / step must be an integer.

    Raises:
        ValueError: as `sad`, or if `step` does not divide 1.

    Examples:
        >>> alpha, truth = np.array([[1.0, 1.0, 0.0, 1.0]]), np.array([[1.0, 1.0, 0.0, 0.0]])
        >>> conn(alpha, truth, scale=1)  # the last pixel: l = 0, |(1 - (1 - 0)) - (1 - 0)|
        1.0
    """
    check_alphas(alpha, truth, region)
    count = round(1 / step)
    if abs(count * step - 1) > 1e-9:
        raise ValueError(f"step must divide 1 into equal parts, not {step}")
    thresholds = np.arange(count + 1, dtype=np.float32) / np.float32(count)
    predicted, true = alpha.astype(np.float32), truth.astype(np.float32)
    lower = np.minimum(predicted, true)
    held = np.ones(true.shape, np.bool_)
    last = np.ones_like(true)
    for below, threshold in pairwise(thresholds):
        body = _largest_part(lower >= threshold - _ROUNDING)
        last[held & ~body] = below
        held &= body
    return float(
        _inside(np.abs(_connectivity(predicted, last) - _connectivity(true, last)), region).sum()
        * scale
    )


def dtssd(
    alphas: Iterable[Plane],
    truths: Iterable[Plane],
    *,
    region: Mask | None = None,
    scale: float = 1e2,
    first: Literal["skip", "zero"] = "skip",
) -> float:
    """Compute dtSSD, the temporal error: mean RMS difference of the temporal derivatives.

    Erofeev et al., "Perceptually motivated benchmark for video matting", BMVC 2015.

    Args:
        alphas: predicted alphas in temporal order, each (H, W) float in [0, 1].
        truths: true alphas, as many.
        region: (H, W) bool; None = the whole picture.
        scale: factor of the result.
        first: "skip" excludes the first frame, which has no predecessor; "zero" counts it as an
            error of 0, as RVM's script does (lower figures for short clips).

    Raises:
        ValueError: as `sad`, if the clips differ in length or have fewer than two frames.

    Examples:
        >>> dark, bright = np.zeros((1, 1)), np.ones((1, 1))
        >>> dtssd([dark, bright], [dark, dark])  # 100 * sqrt(((1 - 0) - (0 - 0))^2) / (2 - 1)
        100.0
    """
    steps: list[float] = []
    before: Doubles | None = None
    for alpha, truth in zip(alphas, truths, strict=True):
        error = _difference(alpha, truth, region)
        if before is not None:
            steps.append(float(np.sqrt(np.square(error - before).mean())))
        before = error
    if not steps:
        raise ValueError("a clip needs at least two frames")
    return sum(steps) / (len(steps) + (first == "zero")) * scale


def foreground_mse(
    foreground: Picture,
    truth: Picture,
    true_alpha: Plane,
    *,
    region: Mask | None = None,
    scale: float = 1.0,
    divide_by: Literal["subject", "region"] = "subject",
) -> float:
    """Compute the MSE of the straight foreground colour where the true alpha is above 0.

    Args:
        foreground: (H, W, 3) predicted straight colour, float in [0, 1].
        truth: (H, W, 3) true straight colour, float in [0, 1], in the same colour space.
        true_alpha: (H, W) float in [0, 1].
        region: (H, W) bool; None = the whole picture.
        scale: factor of the result.
        divide_by: "subject": the number of subject pixels in the region (RVM). "region": the
            number of all pixels in the region, with an error of 0 outside the subject
            (BackgroundMattingV2).

    Raises:
        ValueError: if shapes differ, an array is not float in [0, 1], or no pixel is left.

    Examples:
        >>> grey, black = np.full((1, 2, 3), 0.5), np.zeros((1, 2, 3))
        >>> alpha = np.array([[1.0, 0.0]])
        >>> foreground_mse(grey, black, alpha)  # over the one pixel of the subject: (0.5 - 0)^2
        0.25
        >>> foreground_mse(grey, black, alpha, divide_by="region")  # over both: 0.5^2 / 2
        0.125
    """
    if foreground.shape != truth.shape or foreground.shape != (*true_alpha.shape, 3):
        raise ValueError(
            f"shapes differ: {foreground.shape}, {truth.shape} and alpha {true_alpha.shape}"
        )
    for array in (foreground, truth, true_alpha):
        _check_range(array)
    subject = true_alpha > 0 if region is None else (true_alpha > 0) & region
    size = subject if divide_by == "subject" else np.broadcast_to(True, subject.shape)
    if divide_by == "region" and region is not None:
        size = region
    count = 3 * np.count_nonzero(size)
    if not count:
        raise ValueError("no pixel to measure the foreground on")
    error = foreground[subject].astype(np.float64) - truth[subject]
    return float(np.square(error).sum() / count * scale)


def _check_range(array: npt.NDArray[np.floating]) -> None:
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"expected floats in [0, 1], not {array.dtype}")
    # Negated, so that NaN is rejected too.
    if array.size and not (array.min() >= 0 and array.max() <= 1):
        raise ValueError(f"expected values in [0, 1], not {array.min()} to {array.max()}")


def check_alphas(alpha: Plane, truth: Plane, region: Mask | None = None) -> None:
    """Validate a predicted and a true alpha, and the region.

    Raises:
        ValueError: if shapes differ, an array is not float in [0, 1], or the region is empty.
    """
    if alpha.ndim != 2 or alpha.shape != truth.shape or not alpha.size:
        raise ValueError(f"expected two alphas of one shape (H, W), not {alpha.shape, truth.shape}")
    _check_range(alpha)
    _check_range(truth)
    if region is not None:
        if region.shape != alpha.shape or region.dtype != np.bool_:
            raise ValueError(f"expected a bool region of shape {alpha.shape}")
        if not region.any():
            raise ValueError("the region holds no pixel")


def _inside(plane: npt.NDArray[np.floating], region: Mask | None) -> Doubles:
    return (plane if region is None else plane[region]).astype(np.float64)


def _difference(alpha: Plane, truth: Plane, region: Mask | None) -> Doubles:
    check_alphas(alpha, truth, region)
    return _inside(alpha.astype(np.float64) - truth, region)


def _stretched(plane: Plane) -> Doubles:
    low, high = float(plane.min()), float(plane.max())
    return (plane.astype(np.float64) - low) / (high - low if high > low else 1.0)


@cache
def _derivative_kernels(sigma: float) -> tuple[Doubles, Doubles]:
    """Return a Gaussian's first derivative and the Gaussian; their outer product has norm 1."""
    half = int(np.ceil(sigma * np.sqrt(-2 * np.log(np.sqrt(2 * np.pi) * sigma * 1e-2))))
    x = np.arange(-half, half + 1, dtype=np.float64)
    gaussian = np.exp(-(x**2) / (2 * sigma**2))
    derivative = -x * gaussian
    return derivative / np.linalg.norm(derivative), gaussian / np.linalg.norm(gaussian)


def _amplitude(plane: Doubles, sigma: float) -> Doubles:
    derivative, gaussian = _derivative_kernels(sigma)
    across, down = (
        cv2.sepFilter2D(plane, cv2.CV_64F, kx, ky, borderType=cv2.BORDER_REPLICATE)
        for kx, ky in ((derivative, gaussian), (gaussian, derivative))
    )
    return np.hypot(across, down)


def _largest_part(mask: Mask) -> Mask:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    areas = stats[1:, cv2.CC_STAT_AREA]
    return np.asarray(labels == 1 + int(areas.argmax())) if len(areas) else np.zeros_like(mask)


def _connectivity(alpha: Plane, last: Plane) -> Plane:
    above = alpha - last
    return np.asarray(1 - above * (above >= np.float32(0.15)))
