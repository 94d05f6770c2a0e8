"""The colour that a pixel has when nothing stands before it, from frames of a locked camera.

A mode estimate: of a pixel's values over time, the densest cluster is taken for the empty scene.
A median would be off by a standard deviation of the noise where a subject covers the pixel in
40 % of the frames, because it lies at the edge of what is left; and wrong from 50 % on.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Coded, Mask, Plane

SHARE = 0.4
"""Share of a pixel's samples that the densest interval of brightness holds (Rousseeuw 1984: the
shortest half, here shorter, so that it stays within the empty scene where that is seen in as
little as 40 % of the samples)."""

WIDTH = 3.0
"""Samples within so many standard deviations of the cluster's centre belong to it."""

FINEST_NOISE, COARSEST_NOISE = 0.4 / 255, 12 / 255
"""Bounds of the noise's standard deviation, display-coded values in [0, 1]."""

PRECISION = 2 / 255
"""Error of a colour that counts as found, display-coded values in [0, 1]."""

_BAND_BYTES = 96 << 20
_ROUNDS = 3
_RIVALS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45)
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class TemporalEstimate:
    """The empty scene, as far as it was seen.

    picture: (H, W, 3) uint16 RGB, sRGB-coded.
    confidence: (H, W) float32 in [0, 1], how likely the colour is the empty scene's; 0 where no
        sample covers the pixel.
    noise: standard deviation of a sample's noise, display-coded in [0, 1], median over pixels.
    """

    picture: npt.NDArray[np.uint16]
    confidence: Plane
    noise: float


def estimate_scene(
    samples: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], known: Mask | None = None
) -> TemporalEstimate:
    """Estimate the empty scene from registered samples of one exposure.

    Args:
        samples: (K, H, W, 3) RGB, sRGB-coded, full integer range, K >= 3; spread over the clip.
        known: (K, H, W) bool, False where a sample shows nothing (outside after registration).

    Returns:
        The densest cluster's mean for each pixel. `confidence` is the smaller of two
        probabilities. That the cluster is more frequent than its nearest rival by more than
        chance: with n samples in it and m in the largest other one, Phi((n - m) / sqrt(n + m)),
        the sign test. And that the mean is within `PRECISION`: its standard error is
        noise / sqrt(n).
    """
    count, height, width = samples.shape[:3]
    rows = max(1, _BAND_BYTES // (count * width * 3 * 4))
    noise = _noise_level(samples, known)
    picture = np.empty((height, width, 3), np.uint16)
    confidence = np.empty((height, width), np.float32)
    for top in range(0, height, rows):
        band = slice(top, top + rows)
        part = samples[:, band]
        seen = None if known is None else known[:, band].reshape(count, -1)
        colour, sure = _estimate(_unit(part).reshape(count, -1, 3), seen, noise)
        picture[band] = np.rint(colour * 65535).astype(np.uint16).reshape(-1, width, 3)
        confidence[band] = sure.reshape(-1, width)
    return TemporalEstimate(picture, confidence, noise)


def _unit(samples: Coded) -> npt.NDArray[np.float32]:
    return samples.astype(np.float32) * np.float32(1 / np.iinfo(samples.dtype).max)


def _noise_level(samples: Coded, known: Mask | None) -> float:
    """Estimate the noise's standard deviation from the width of the densest intervals."""
    _, height, width = samples.shape[:3]
    step = max(1, int(np.sqrt(height * width / 4000)))
    values = _unit(samples[:, step // 2 :: step, step // 2 :: step])
    count = len(values)
    brightness = values.reshape(count, -1, 3) @ _LUMA
    if known is not None:
        seen = known[:, step // 2 :: step, step // 2 :: step].reshape(count, -1)
        brightness = np.where(seen, brightness, np.float32(np.inf))
    low, high, _ = _densest(np.sort(brightness, 0), SHARE)
    spread = (high - low)[np.isfinite(high - low)]
    if not spread.size:
        return FINEST_NOISE
    # The shortest interval with 40 % of a Gaussian is 1.05 sigma wide; luma averages the channels
    # of independent noise to 0.668 of one channel's.
    sigma = float(np.median(spread)) / 1.05 / 0.668
    return float(np.clip(sigma, FINEST_NOISE, COARSEST_NOISE))


def _densest(
    ordered: npt.NDArray[np.float32], share: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.intp]]:
    """Find the shortest interval that holds a share of each column's finite values.

    Args:
        ordered: (K, N) ascending, +inf for what is missing.
        share: in (0, 1].

    Returns:
        (N,) its lower end, (N,) its upper end, and the number of finite values; ends are nan
        where there are none.
    """
    count = ordered.shape[0]
    present = np.isfinite(ordered).sum(0)
    held = np.maximum(1, np.ceil(share * present).astype(np.intp))
    start = np.arange(count)[:, None]
    last = start + held[None] - 1
    possible = last < present[None]
    top = np.take_along_axis(ordered, np.minimum(last, count - 1), 0)
    with np.errstate(invalid="ignore"):
        wide = np.where(possible, top - ordered, np.float32(np.inf))
    best = wide.argmin(0)[None]
    low = np.take_along_axis(ordered, best, 0)[0]
    high = np.take_along_axis(top, best, 0)[0]
    nothing = present == 0
    return (
        np.where(nothing, np.float32(np.nan), low),
        np.where(nothing, np.float32(np.nan), high),
        present,
    )


def _estimate(
    values: npt.NDArray[np.float32], seen: Mask | None, noise: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Colour (N, 3) and confidence (N,) of (K, N, 3) values in [0, 1]."""
    brightness = values @ _LUMA
    if seen is not None:
        brightness = np.where(seen, brightness, np.float32(np.inf))
    low, high, present = _densest(np.sort(brightness, 0), SHARE)
    member = (brightness >= low) & (brightness <= high)
    reach = np.float32(WIDTH * noise)
    centre = _mean(values, member)
    for _ in range(_ROUNDS):
        distance = np.abs(values - centre).max(2)
        inside = distance <= reach
        if seen is not None:
            inside &= seen
        # A cluster of another colour than the interval's mean leaves nobody near it.
        member = np.where(inside.any(0), inside, member)
        centre = _mean(values, member)
    inliers = member.sum(0)
    rest = np.sort(np.where(member, np.float32(np.inf), brightness), 0)
    rivals = _largest_cluster(rest, present, 2 * reach)
    with np.errstate(invalid="ignore", divide="ignore"):
        score = (inliers - rivals) / np.sqrt(inliers + rivals)
    precise = 2 * _normal_cdf(PRECISION / noise * np.sqrt(inliers)) - 1
    clear = np.minimum(_normal_cdf(np.nan_to_num(score)), precise)
    confidence = np.where(present > 0, clear, 0)
    return np.clip(np.nan_to_num(centre), 0, 1), confidence.astype(np.float32)


def _mean(values: npt.NDArray[np.float32], member: Mask) -> npt.NDArray[np.float32]:
    count = np.maximum(member.sum(0), 1).astype(np.float32)
    total = np.einsum("kn,knc->nc", member.astype(np.float32), values)
    return np.asarray(total / count[:, None], np.float32)


def _largest_cluster(
    ordered: npt.NDArray[np.float32], present: npt.NDArray[np.intp], width: np.float32
) -> npt.NDArray[np.intp]:
    """Most values of a column within `width`, rounded up to the next of a few shares of K."""
    count = ordered.shape[0]
    found = np.zeros(ordered.shape[1], np.intp)
    for share in _RIVALS:
        size = max(1, ceil(share * count))
        if size > count:
            break
        with np.errstate(invalid="ignore"):
            close = ordered[size - 1 :] - ordered[: count - size + 1] <= width
        # There are so many, perhaps more: up to the next size that is looked for.
        found = np.where(close.any(0), min(count, ceil((share + 0.05) * count)), found)
    return np.asarray(np.minimum(found, np.isfinite(ordered).sum(0)), np.intp)


def _normal_cdf(score: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Evaluate the normal distribution (Abramowitz & Stegun 1964, 26.2.17; error < 1e-7)."""
    size = np.abs(score)
    t = 1 / (1 + 0.2316419 * size)
    tail = t * (
        0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429)))
    )
    upper = 1 - np.exp(-size * size / 2) / np.sqrt(2 * np.pi) * tail
    return np.asarray(np.where(score >= 0, upper, 1 - upper), np.float64)
