"""Depth and disparity metrics: AbsRel, delta, SILog, ordinal accuracy, boundary recall.

Depth is in metres, +inf where nothing is hit; disparity is 1 / depth in 1/m, 0 at infinity; NaN
means unknown in both. A ratio to infinity is undefined, so depth errors use only pixels with finite
true depth. Order and edges are evaluated in disparity, where infinity is an ordinary value.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Mask, Plane
from cleanplate.depth import disparity_to_depth, fit_scale_shift

Doubles = npt.NDArray[np.float64]

CAP = 80.0
"""Depth in metres to which predictions from disparity are clipped: the KITTI benchmark's cap."""


def depth_errors(
    depth: Plane, truth: Plane, *, valid: Mask | None = None, silog_lambda: float = 0.5
) -> dict[str, float]:
    """Compute depth errors over the pixels where the true depth is finite and `valid`.

    Eigen et al., "Depth map prediction from a single image", NeurIPS 2014.

    Args:
        depth: (H, W) predicted, metres; finite and positive at every pixel used.
        truth: (H, W) true, metres; NaN, +inf and depth <= 0 are excluded.
        valid: (H, W) bool, pixels to use; None = all.
        silog_lambda: 0.5 as in Eigen et al. and Depth Anything V2; 1 for the fully
            scale-invariant error (KITTI's, which is given times 100).

    Returns:
        with d = depth, t = truth, e = ln d - ln t: "abs_rel" mean |d - t| / t; "sq_rel" mean
        (d - t)^2 / t (m); "rmse" sqrt(mean (d - t)^2) (m); "rmse_log" sqrt(mean e^2); "log10"
        mean |log10 d - log10 t|; "silog" sqrt(mean e^2 - lambda (mean e)^2); "delta1", "delta2",
        "delta3" the share of pixels with max(d / t, t / d) < 1.25^n.

    Raises:
        ValueError: if shapes differ, no pixel is left, or a predicted depth is not finite and
            above 0 (clip it first).

    Examples:
        >>> errors = depth_errors(np.array([[2.0, 4.0]]), np.array([[1.0, 4.0]]))
        >>> errors["abs_rel"], errors["delta1"]  # (1 / 1 + 0 / 4) / 2; one pixel of two
        (0.5, 0.5)
        >>> round(errors["rmse"], 4)  # sqrt((1^2 + 0^2) / 2)
        0.7071
    """
    counted = _counted(depth, truth, valid, np.isfinite(truth) & (truth > 0))
    d, t = depth[counted].astype(np.float64), truth[counted].astype(np.float64)
    if not (np.isfinite(d).all() and (d > 0).all()):
        raise ValueError("predicted depth must be finite and above 0 where it counts")
    log_error = np.log(d) - np.log(t)
    ratio = np.maximum(d / t, t / d)
    mean_log = log_error.mean()
    return {
        "abs_rel": float((np.abs(d - t) / t).mean()),
        "sq_rel": float((np.square(d - t) / t).mean()),
        "rmse": float(np.sqrt(np.square(d - t).mean())),
        "rmse_log": float(np.sqrt(np.square(log_error).mean())),
        "log10": float(np.abs(log_error).mean() / np.log(10)),
        # Rounding errors can make the variance of a perfect prediction slightly negative.
        "silog": float(np.sqrt(max(np.square(log_error).mean() - silog_lambda * mean_log**2, 0.0))),
        **{f"delta{n}": float((ratio < 1.25**n).mean()) for n in (1, 2, 3)},
    }


def align_disparity(disparity: Plane, truth: Plane, *, mask: Mask | None = None) -> Plane:
    """Align relative disparity to the true one by least squares scale and shift.

    Ranftl et al., "Towards robust monocular depth estimation", 2020. The fit uses pixels where
    both disparities are known and the true one is above 0 (something is hit).

    Args:
        disparity: (H, W) predicted, up to scale and shift.
        truth: (H, W) true, 1/m.
        mask: (H, W) bool, pixels to fit; None = all.

    Returns:
        (H, W) float32 in 1/m; far pixels may be 0 or negative, see `disparity_errors`.

    Raises:
        ValueError: if shapes differ or no pixel is left to fit.

    Examples:
        >>> disparity, truth = np.array([[0.0, 1.0, 2.0]]), np.array([[1.0, 3.0, 5.0]])
        >>> align_disparity(disparity, truth).tolist()  # 2 * disparity + 1
        [[1.0, 3.0, 5.0]]
    """
    counted = _counted(disparity, truth, mask, np.isfinite(disparity) & (truth > 0))
    scale, shift = fit_scale_shift(disparity, truth, counted)
    return (disparity.astype(np.float64) * scale + shift).astype(np.float32)


def disparity_errors(
    disparity: Plane,
    truth: Plane,
    *,
    align: bool,
    valid: Mask | None = None,
    fit: Mask | None = None,
    cap: float = CAP,
    silog_lambda: float = 0.5,
) -> dict[str, float]:
    """Compute depth errors of a disparity map; keys as `depth_errors`.

    The disparity is aligned if asked, clipped to at least 1 / `cap`, converted to metres and
    compared over the pixels with finite true depth. Pixels with a NaN prediction are excluded;
    reports should state their number.

    Args:
        disparity: (H, W) predicted; in 1/m, or relative if `align`.
        truth: (H, W) true, 1/m.
        align: fit scale and shift to the truth first (`align_disparity`).
        valid: (H, W) bool, pixels to use; None = all.
        fit: (H, W) bool, pixels to fit scale and shift; None = `valid`.
        cap: largest depth of the prediction in metres.
        silog_lambda: see `depth_errors`.

    Raises:
        ValueError: as `depth_errors`.

    Examples:
        >>> disparity, truth = np.array([[0.25]]), np.array([[0.5]])
        >>> disparity_errors(disparity, truth, align=False)["abs_rel"]  # |1 / 0.25 - 1 / 0.5| / 2
        1.0
    """
    if align:
        disparity = align_disparity(disparity, truth, mask=valid if fit is None else fit)
    hit = _counted(disparity, truth, valid, np.isfinite(disparity) & (truth > 0))
    reached = np.maximum(disparity.astype(np.float32), np.float32(1 / cap))
    depth, metres = disparity_to_depth(reached), disparity_to_depth(truth)
    return depth_errors(depth, metres, valid=hit, silog_lambda=silog_lambda)


def subject_errors(
    disparity: Plane,
    truth: Plane,
    alpha: Plane,
    *,
    align: bool,
    valid: Mask | None = None,
    cap: float = CAP,
) -> dict[str, float]:
    """Compute errors of the subject's depth, with scale and shift fitted on the background only.

    The background is alpha < 0.05, the subject alpha > 0.5. The subject does not influence the
    fit; metric disparity is not fitted. Errors are given separately for both regions.

    Args:
        disparity: (H, W) predicted disparity of the frame; in 1/m, or relative if `align`.
        truth: (H, W) true disparity of the frame, 1/m.
        alpha: (H, W) true alpha in [0, 1].
        align: fit scale and shift on the background; False for metric disparity.
        valid: (H, W) bool, pixels to use; None = all.
        cap: largest depth of the prediction in metres.

    Returns:
        inside the subject "abs_rel", "delta1" and "bias", the mean of ln(predicted / true depth),
        above 0 = too far; on the background "plate_abs_rel" and "plate_delta1".

    Raises:
        ValueError: as `disparity_errors`, also if there is no subject or no background pixel.

    Examples:
        >>> alpha, truth = np.array([[1.0, 0.0]]), np.array([[0.5, 0.25]])
        >>> errors = subject_errors(np.array([[0.25, 0.25]]), truth, alpha, align=False)
        >>> errors["abs_rel"], errors["plate_abs_rel"]  # 4 m instead of 2 m; 4 m as it is
        (1.0, 0.0)
        >>> round(errors["bias"], 4)  # ln(4 / 2): too far
        0.6931
    """
    known = np.isfinite(disparity) & (truth > 0)
    if valid is not None:
        known &= valid
    inside, outside = known & (alpha > 0.5), known & (alpha < 0.05)
    if align:
        disparity = align_disparity(disparity, truth, mask=outside)
    subject = disparity_errors(disparity, truth, align=False, valid=inside, cap=cap)
    scene = disparity_errors(disparity, truth, align=False, valid=outside, cap=cap)
    reached = np.maximum(disparity[inside].astype(np.float64), 1 / cap)
    return {
        "abs_rel": subject["abs_rel"],
        "delta1": subject["delta1"],
        "bias": float(np.log(truth[inside] / reached).mean()),
        "plate_abs_rel": scene["abs_rel"],
        "plate_delta1": scene["delta1"],
    }


def ordinal_accuracy(
    disparity: Plane,
    truth: Plane,
    *,
    valid: Mask | None = None,
    pairs: int = 10_000,
    margin: float = 0.05,
    seed: int = 0,
) -> float:
    """Compute the share of random point pairs with the correct depth order.

    Invariant under any increasing function of the prediction. Ties count half, so a constant
    prediction gives 0.5. Based on Chen et al., "Single-image depth perception in the wild",
    NeurIPS 2016.

    Args:
        disparity: (H, W) predicted, larger = nearer.
        truth: (H, W) true, 1/m; 0 = infinitely far.
        valid: (H, W) bool, pixels to sample; None = all.
        pairs: number of sampled pairs.
        margin: a pair is used if its true disparities differ by more than this fraction.
        seed: seed of the sampling.

    Returns:
        0 to 1.

    Raises:
        ValueError: if shapes differ or no drawn pair differs in true depth.

    Examples:
        >>> truth = np.array([[1.0, 2.0, 4.0]])
        >>> ordinal_accuracy(truth**2, truth)  # every pair keeps its order
        1.0
        >>> ordinal_accuracy(np.ones((1, 3)), truth)  # every pair is a tie, which counts half
        0.5
    """
    counted = _counted(disparity, truth, valid, np.isfinite(disparity) & np.isfinite(truth))
    spots = np.flatnonzero(counted)
    one, other = np.random.default_rng(seed).choice(spots, (2, pairs))
    true_one, true_other = truth.ravel()[one], truth.ravel()[other]
    # A product instead of a ratio, because the smaller disparity may be 0.
    nearer = true_one > (1 + margin) * true_other
    differs = nearer | (true_other > (1 + margin) * true_one)
    if not differs.any():
        raise ValueError("no two of the drawn points differ in true depth")
    order = np.sign(disparity.ravel()[one] - disparity.ravel()[other])[differs]
    right = np.where(nearer[differs], 1, -1) * order
    return float((right + 1).mean() / 2)


def boundary_recall(
    disparity: Plane,
    alpha: Plane,
    *,
    low: float = 1.05,
    high: float = 1.25,
    count: int = 10,
    threshold: float = 0.1,
    floor: float = 1e-6,
) -> float:
    """Compute the scale-invariant boundary recall of Depth Pro: matte edges found in the depth.

    Bochkovskii et al., "Depth Pro", 2024, section 3.2 (equations 4 and 5). An edge of the mask
    {alpha > threshold} between two neighbours counts as found if the disparity increases towards
    the subject by more than a ratio t, and by the maximum within its run of such pixels along the
    row or column. Recall is averaged over four directions, and over `count` ratios from `low` to
    `high` with weights proportional to t.

    The true depth has no such edge where a nearer object occludes the subject or where the feet
    touch the floor. So the upper bound is the recall of the true disparity, not 1.

    Args:
        disparity: (H, W), finite; metric or aligned, because ratios depend on the shift.
        alpha: (H, W) true alpha in [0, 1].
        low: smallest ratio.
        high: largest ratio.
        count: number of ratios.
        threshold: alpha above which a pixel belongs to the subject.
        floor: lower bound of the disparity, which avoids division by 0.

    Returns:
        0 to 1.

    Raises:
        ValueError: if shapes differ or a disparity is not finite.

    Examples:
        >>> alpha = np.zeros((3, 3))
        >>> alpha[1, 1] = 1.0
        >>> round(boundary_recall(1 + alpha, alpha), 4)  # it doubles at all four edges of the pixel
        1.0
        >>> boundary_recall(np.ones((3, 3)), alpha)  # and nowhere on a plane: 0 of 4
        0.0
    """
    if disparity.shape != alpha.shape or disparity.ndim != 2:
        raise ValueError(f"shapes differ: {disparity.shape} and alpha {alpha.shape}")
    if not np.isfinite(disparity).all():
        raise ValueError("disparity must be finite everywhere")
    near = np.maximum(disparity.astype(np.float64), floor)
    subject = alpha > threshold
    turned = [(near, subject), (near[:, ::-1], subject[:, ::-1])]
    turned += [(near.T, subject.T), (near.T[:, ::-1], subject.T[:, ::-1])]
    ratios = np.linspace(low, high, count)
    recall = np.zeros(count)
    for plane, mask in turned:
        growth = plane[:, 1:] / plane[:, :-1]
        edges = mask[:, 1:] & ~mask[:, :-1]
        total = max(int(np.count_nonzero(edges)), 1)
        for place, ratio in enumerate(ratios):
            recall[place] += np.count_nonzero(_peaks(growth, float(ratio)) & edges) / total / 4
    return float(recall @ ratios / ratios.sum())


def _peaks(growth: Doubles, ratio: float) -> Mask:
    """Find the first maximum of each contiguous run of `growth > ratio` along a row."""
    peaks = np.zeros(growth.shape, np.bool_)
    above = growth > ratio
    starts = above.copy()
    starts[:, 1:] &= ~above[:, :-1]
    spots = np.flatnonzero(above)
    if not spots.size:
        return peaks
    values = growth.ravel()[spots]
    begins = starts.ravel()[spots]
    run = np.cumsum(begins) - 1
    largest = np.maximum.reduceat(values, np.flatnonzero(begins))
    candidates = np.flatnonzero(values == largest[run])
    _, first = np.unique(run[candidates], return_index=True)
    peaks.ravel()[spots[candidates[first]]] = True
    return peaks


def _counted(one: Plane, other: Plane, valid: Mask | None, counts: Mask) -> Mask:
    if one.ndim != 2 or one.shape != other.shape:
        raise ValueError(f"expected two maps of one shape (H, W), not {one.shape, other.shape}")
    if valid is not None:
        if valid.shape != one.shape or valid.dtype != np.bool_:
            raise ValueError(f"expected a bool mask of shape {one.shape}")
        counts = counts & valid
    if not counts.any():
        raise ValueError("no pixel counts: the truth is unknown or masked everywhere")
    return counts
