"""Metrics of one prediction against its pair's truth: alpha, foreground, depth, subject's depth.

The metrics themselves are in `cleanplate.metrics`; here they are chosen, named and set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cleanplate import metrics
from cleanplate.arrays import Picture, Plane
from cleanplate.depth import depth_to_disparity
from cleanplate.evaluation.subject_depth_score import subject_depth_scores
from cleanplate.matte import trimap
from cleanplate.pairs.pair_files import PairVariant
from cleanplate.pairs.protocols import PairPrediction, output_named


@dataclass(frozen=True)
class MetricSettings:
    """Settings of the metrics; `docs/metrics.md` explains each.

    convention: region and factors of SAD, MAD, MSE, Grad and Conn.
    trimap_radius: pixels, for a convention whose region is a trimap's unknown band; the trimap is
        made from the true alpha.
    tolerance: pixels, of the boundary F.
    cap: largest depth in metres.
    silog_lambda: lambda of SILog.
    ordinal_pairs, ordinal_margin, seed: of the ordinal accuracy.
    boundary_threshold: alpha at the subject's outline, for the boundary recall. Depth Pro uses 0.1;
        here a pixel's true depth is that of its larger part, so that the outline is where depth
        jumps only at 0.5.
    """

    convention: metrics.AlphaConvention = metrics.PLAIN
    trimap_radius: int = 10
    tolerance: float = 2.0
    cap: float = 80.0
    silog_lambda: float = 0.5
    ordinal_pairs: int = 10_000
    ordinal_margin: float = 0.05
    seed: int = 0
    boundary_threshold: float = 0.5


def alpha_scores(alpha: Plane, truth: Plane, settings: MetricSettings) -> dict[str, float]:
    """Compute the metrics of alpha: `sad mad mse grad conn iou boundary_f`.

    Args:
        alpha: (H, W) predicted, in [0, 1].
        truth: (H, W) true alpha.
        settings: of the metrics.

    Raises:
        ValueError: if the alpha is not (H, W) floats in [0, 1] of the truth's shape.
    """
    band = None
    if settings.convention.region == "unknown":
        band = trimap(truth, settings.trimap_radius)
    return {
        **metrics.alpha_errors(alpha, truth, convention=settings.convention, trimap=band),
        "iou": metrics.iou(alpha, truth),
        "boundary_f": metrics.boundary_f(alpha, truth, tolerance=settings.tolerance),
    }


def depth_scores(
    disparity: Plane, metric: bool, depth: Plane, alpha: Plane, settings: MetricSettings
) -> dict[str, float]:
    """Compute the metrics of a frame's disparity that are defined.

    `aligned_*`: after scale and shift; `metric_*`: without, if it is in 1/m; `ordinal`;
    `boundary_recall` and `boundary_recall_ceiling` (that of the true depth); `subject_*` and
    `plate_*`: in the plate's scale; `depth_known`: the share of pixels with a prediction.

    Args:
        disparity: (H, W) predicted, NaN where unknown.
        metric: whether it is in 1/m.
        depth: (H, W) true depth of the frame, metres.
        alpha: (H, W) true alpha.
        settings: of the metrics.

    Raises:
        ValueError: if disparity and depth differ in shape.
    """
    truth = depth_to_disparity(depth)
    if disparity.shape != truth.shape:
        raise ValueError(f"disparity is {disparity.shape}, its truth {truth.shape}")
    known = np.isfinite(disparity)
    values = {"depth_known": float(known.mean())}
    counted = known & (truth > 0)
    if not counted.any():
        return values
    ways = (("aligned", True), ("metric", False)) if metric else (("aligned", True),)
    for name, align in ways:
        errors = metrics.disparity_errors(
            disparity, truth, align=align, cap=settings.cap, silog_lambda=settings.silog_lambda
        )
        values |= {f"{name}_{key}": value for key, value in errors.items()}
    seen = truth[known & np.isfinite(truth)]
    if seen.max() > seen.min() * (1 + settings.ordinal_margin):
        values["ordinal"] = metrics.ordinal_accuracy(
            disparity,
            truth,
            pairs=settings.ordinal_pairs,
            margin=settings.ordinal_margin,
            seed=settings.seed,
        )
    if known.all() and np.isfinite(truth).all():
        scaled = disparity if metric else metrics.align_disparity(disparity, truth)
        for name, plane in (("boundary_recall", scaled), ("boundary_recall_ceiling", truth)):
            values[name] = metrics.boundary_recall(
                plane, alpha, threshold=settings.boundary_threshold, floor=1 / settings.cap
            )
    if (counted & (alpha > 0.5)).any() and (counted & (alpha < 0.05)).any():
        errors = metrics.subject_errors(disparity, truth, alpha, align=not metric, cap=settings.cap)
        for key, value in errors.items():
            values[key if key.startswith("plate_") else f"subject_{key}"] = value
    return values


def subject_placement_scores(
    prediction: PairPrediction, depth: Plane, alpha: Plane, settings: MetricSettings
) -> dict[str, float]:
    """Compute the metrics of the subject's depth, for metric predictions.

    `solid_*`: of the prediction's `subject_disparity`, which is defined also where its alpha has a
    hole; of its `disparity` if it has none. `seen_*`: of `disparity`.

    Args:
        prediction: in 1/m.
        depth: (H, W) true depth of the frame, metres.
        alpha: (H, W) true alpha.
        settings: of the metrics.
    """
    truth = depth_to_disparity(depth)
    seen = output_named(prediction, "disparity")
    placed = output_named(prediction, "subject_disparity")
    values: dict[str, float] = {}
    for name, plane in (("solid", seen if placed is None else placed), ("seen", seen)):
        if plane is not None:
            errors = subject_depth_scores(plane, truth, alpha, cap=settings.cap)
            values |= {f"{name}_{key}": value for key, value in errors.items()}
    return values


def foreground_scores(foreground: Picture | None, pair_variant: PairVariant) -> dict[str, float]:
    """Compute `foreground_mse`; empty if truth or prediction has no foreground."""
    truth, alpha = pair_variant.foreground, pair_variant.alpha
    if foreground is None or truth is None:
        return {}
    return {"foreground_mse": metrics.foreground_mse(foreground, truth, alpha)}


def missing_depth_notes(values: dict[str, float], disparity: Plane, depth: Plane) -> Iterator[str]:
    """Yield a sentence for each depth metric that is not defined, with the reason."""
    if "aligned_delta1" not in values:
        yield "no depth figures: no pixel has both a finite true depth and a predicted one"
        return
    if "ordinal" not in values:
        yield "no figure of the order of depth: the true depth is flat"
    if "boundary_recall" not in values:
        unknown = ~np.isfinite(disparity) | np.isnan(depth)
        yield (
            "no figure of depth edges: depth is not known at "
            f"{np.count_nonzero(unknown)} of {depth.size} pixels"
        )
