"""Score a predictor on pairs: one row of numbers per pair, and their means."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cleanplate import metrics
from cleanplate.arrays import Picture, Plane
from cleanplate.depth import depth_to_disparity
from cleanplate.depth.depth_codec import doubts
from cleanplate.errors import CleanplateError
from cleanplate.evaluation.subject_depth_score import GROUPS, groups_of, subject_depth_figures
from cleanplate.matte import trimap
from cleanplate.pairs.pair_files import CLEAN, Pair, View, variants
from cleanplate.pairs.protocols import (
    PairAnswer,
    PairPredictor,
    PreparedScene,
    answer_of,
    given_by,
)


@dataclass(frozen=True)
class Rules:
    """The conventions of the figures; `docs/metrics.md` explains each.

    convention: region and factors of SAD, MAD, MSE, Grad and Conn.
    trimap_radius: pixels, for a convention that counts a trimap's unknown band; the trimap is
        made from the true alpha.
    tolerance: pixels, of the boundary F.
    cap: metres, of depth.
    silog_lambda: of SILog.
    ordinal_pairs, ordinal_margin, seed: of the ordinal accuracy.
    boundary_threshold: of alpha, for the boundary recall. Depth Pro takes 0.1; our true depth is
        that of the pixel's larger part, so that only 0.5 puts the matte's edge where depth jumps.
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


@dataclass(frozen=True)
class Row:
    """The figures of one pair.

    values: figure -> number; a figure that does not apply is not there.
    refused: why the predictor would not answer, if so. The pair then counts as an empty matte,
        so that refusing what is hard does not raise a mean; it has no depth figures.
    notes: what is doubtful about the truth, and which figures are not there, and why.
    groups: what the pair counts for among `cleanplate.evaluation.subject_depth_score.GROUPS`.
    """

    name: str
    values: dict[str, float]
    refused: str | None = None
    notes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scores:
    """The rows of one predictor on one variant, and what they were measured by."""

    model: str
    model_hash: str | None
    variant: str
    plate_depth: bool
    rules: Rules
    rows: tuple[Row, ...] = field(repr=False)
    failed: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Name -> what is wrong, of pairs that could not be scored; they count nowhere."""

    @property
    def counts(self) -> dict[str, int]:
        """Figure -> the number of pairs that have it."""
        found: dict[str, int] = {}
        for row in self.rows:
            for key in row.values:
                found[key] = found.get(key, 0) + 1
        return found

    @property
    def means(self) -> dict[str, float]:
        """Figure -> its mean over the pairs that have it."""
        return {
            key: float(np.mean([row.values[key] for row in self.rows if key in row.values]))
            for key in self.counts
        }

    @property
    def subject_depth(self) -> dict[str, dict[str, float]]:
        """Group -> the number of its `pairs`, and the means of its figures of subject depth."""
        found: dict[str, dict[str, float]] = {}
        for group in GROUPS:
            rows = [row.values for row in self.rows if group in row.groups]
            rows = [values for values in rows if "solid_abs_rel" in values]
            if rows:
                keys = [key for key in rows[0] if key.startswith(("solid_", "seen_"))]
                means = {key: float(np.mean([values[key] for values in rows])) for key in keys}
                found[group] = {"pairs": len(rows), **means}
        return found

    @property
    def refused(self) -> list[str]:
        """Names of the pairs that the predictor refused."""
        return [row.name for row in self.rows if row.refused]

    def ranked(self) -> list[Row]:
        """Rows from best to worst: by MAD, or by aligned delta1 where there are no mattes."""
        key, sign = ("mad", 1) if "mad" in self.counts else ("aligned_delta1", -1)
        return sorted(self.rows, key=lambda row: sign * row.values.get(key, sign * np.inf))


def evaluate(
    predictor: PairPredictor,
    pairs: Sequence[Pair],
    variant: str = CLEAN,
    *,
    with_plate_depth: bool = False,
    with_focal: bool = False,
    identical: bool = True,
    rules: Rules | None = None,
    progress: Callable[[Sequence[Pair]], Iterable[Pair]] = iter,
    keep_going: bool = False,
) -> Scores:
    """Score a predictor on every pair that has the variant.

    Args:
        predictor: see `PairPredictor`.
        pairs: see `find_pairs`.
        variant: which plate and frame of each pair.
        with_plate_depth: give the predictor the plate's true depth.
        with_focal: give it the focal length that the pair's JSON says (`fx`, pixels), if any.
        identical: also compare each plate with itself.
        rules: the conventions.
        progress: wraps the pairs, for a progress bar.
        keep_going: score the others when a pair's files are bad, and name it in `Scores.failed`.

    Raises:
        CleanplateError: if no pair has the variant or, unless `keep_going`, a file is bad, or
            plate depth is asked for and missing.
    """
    rules = rules or Rules()
    chosen = [pair for pair in pairs if variant in pair.views]
    if not chosen:
        raise CleanplateError(
            f"no pair has a variant {variant!r}", cure=f"There are: {', '.join(variants(pairs))}."
        )
    rows: list[Row] = []
    failed: dict[str, str] = {}
    for pair in progress(chosen):
        try:
            rows.append(
                score_pair(
                    predictor,
                    pair,
                    variant,
                    with_plate_depth=with_plate_depth,
                    with_focal=with_focal,
                    identical=identical,
                    rules=rules,
                )
            )
        except CleanplateError as error:
            if not keep_going:
                raise
            failed[pair.name] = str(error)
    name, model_hash = _identity(predictor)
    return Scores(name, model_hash, variant, with_plate_depth, rules, tuple(rows), failed)


def score_pair(
    predictor: PairPredictor,
    pair: Pair,
    variant: str = CLEAN,
    *,
    with_plate_depth: bool = False,
    with_focal: bool = False,
    identical: bool = True,
    rules: Rules | None = None,
) -> Row:
    """Score one pair; arguments and errors as `evaluate`."""
    rules = rules or Rules()
    view = pair.read(variant)
    if with_plate_depth and view.plate_depth is None:
        raise CleanplateError(
            f"pair {pair.name!r} lacks {pair.name}_plate_depth.*", file=pair.folder
        )
    values: dict[str, float] = {}
    notes: list[str] = []
    refused = None
    alpha: Plane | None = np.zeros_like(view.alpha)
    disparity: Plane | None = None
    foreground: Picture | None = None
    answer: PairAnswer | None = None
    try:
        start = time.perf_counter()
        known: Any = _focal(pair) if with_focal else {}
        depth = view.plate_depth if with_plate_depth else None
        scene = predictor.scene(view.plate, depth, **known)
        ready = time.perf_counter()
        answer = answer_of(scene, view.frame, "alpha", "disparity", "subject_disparity")
        # Answers of others may be lazy; their time counts.
        alpha, disparity = given_by(answer, "alpha"), given_by(answer, "disparity")
        done = time.perf_counter()
        values["scene_seconds"], values["seconds"] = ready - start, done - ready
        foreground = _foreground(scene, answer, view)
    except CleanplateError as error:
        refused, answer = str(error), None
    else:
        if identical and alpha is not None:
            try:
                same = given_by(answer_of(scene, view.plate, "alpha"), "alpha")
                if same is not None:
                    values["identical_alpha"] = float(same.mean(dtype=np.float64))
            except CleanplateError as error:  # the frame has its answer all the same
                notes.append(f"no figure of the plate compared with itself: {error}")
    if alpha is not None:
        values |= alpha_figures(alpha, view.alpha, rules)
    if answer is not None:
        values |= _foreground_figures(foreground, view)
        if disparity is not None and view.depth is not None:
            metric = bool(answer.metric)
            values |= depth_figures(disparity, metric, view.depth, view.alpha, rules)
            notes += _missing_depth_figures(values, disparity, view.depth)
            if metric:
                values |= _subject_depth_figures(answer, view.depth, view.alpha, rules)
    notes += _doubtful_truth(view)
    return Row(pair.name, values, refused, tuple(notes), groups_of(view.alpha, pair.facts))


def alpha_figures(alpha: Plane, truth: Plane, rules: Rules) -> dict[str, float]:
    """Every figure of a matte: `sad mad mse grad conn iou boundary_f`.

    Raises:
        ValueError: if the alpha is not (H, W) floats in [0, 1] of the truth's shape.
    """
    band = None
    if rules.convention.region == "unknown":
        band = trimap(truth, rules.trimap_radius)
    return {
        **metrics.alpha_errors(alpha, truth, convention=rules.convention, trimap=band),
        "iou": metrics.iou(alpha, truth),
        "boundary_f": metrics.boundary_f(alpha, truth, tolerance=rules.tolerance),
    }


def depth_figures(
    disparity: Plane, metric: bool, depth: Plane, alpha: Plane, rules: Rules
) -> dict[str, float]:
    """Every figure of a frame's disparity that applies.

    `aligned_*`: after scale and shift; `metric_*`: as it is, if it is in 1/m; `ordinal`;
    `boundary_recall` and its `_ceiling` (the true depth's own); `subject_*` and `plate_*`: in the
    plate's scale; `depth_known`: the share of pixels that the prediction knows.

    Args:
        disparity: (H, W) predicted, NaN where unknown.
        metric: whether it is in 1/m.
        depth: (H, W) true depth of the frame, metres.
        alpha: (H, W) true alpha.
        rules: the conventions.
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
            disparity, truth, align=align, cap=rules.cap, silog_lambda=rules.silog_lambda
        )
        values |= {f"{name}_{key}": value for key, value in errors.items()}
    seen = truth[known & np.isfinite(truth)]
    if seen.max() > seen.min() * (1 + rules.ordinal_margin):
        values["ordinal"] = metrics.ordinal_accuracy(
            disparity,
            truth,
            pairs=rules.ordinal_pairs,
            margin=rules.ordinal_margin,
            seed=rules.seed,
        )
    if known.all() and np.isfinite(truth).all():
        scaled = disparity if metric else metrics.align_disparity(disparity, truth)
        for name, plane in (("boundary_recall", scaled), ("boundary_recall_ceiling", truth)):
            values[name] = metrics.boundary_recall(
                plane, alpha, threshold=rules.boundary_threshold, floor=1 / rules.cap
            )
    if (counted & (alpha > 0.5)).any() and (counted & (alpha < 0.05)).any():
        errors = metrics.subject_errors(disparity, truth, alpha, align=not metric, cap=rules.cap)
        for key, value in errors.items():
            values[key if key.startswith("plate_") else f"subject_{key}"] = value
    return values


def _missing_depth_figures(
    values: dict[str, float], disparity: Plane, depth: Plane
) -> Iterator[str]:
    """Say which figures of depth are not there, and why."""
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


def _doubtful_truth(view: View) -> Iterator[str]:
    for part, depth in (("depth", view.depth), ("plate depth", view.plate_depth)):
        if depth is not None:
            yield from (f"{part}: {doubt}" for doubt in doubts(depth_to_disparity(depth)))


def _focal(pair: Pair) -> dict[str, float]:
    """Give what `scene` is told of the camera: nothing where the pair's JSON does not say it."""
    focal = pair.facts.get("fx")
    return {"focal": float(focal)} if isinstance(focal, (int, float)) else {}


def _subject_depth_figures(
    answer: PairAnswer, depth: Plane, alpha: Plane, rules: Rules
) -> dict[str, float]:
    """Measure the subject's depth as the predictor places it, and as the frame's disparity has it.

    `solid_*`: of the answer's `subject_disparity`, which also stands where the matte has a hole;
    of its `disparity` if it has no such thing. `seen_*`: of `disparity`.
    """
    truth = depth_to_disparity(depth)
    seen, placed = given_by(answer, "disparity"), given_by(answer, "subject_disparity")
    values: dict[str, float] = {}
    for name, plane in (("solid", seen if placed is None else placed), ("seen", seen)):
        if plane is not None:
            figures = subject_depth_figures(plane, truth, alpha, cap=rules.cap)
            values |= {f"{name}_{key}": value for key, value in figures.items()}
    return values


def _foreground(scene: PreparedScene, answer: PairAnswer, view: View) -> Picture | None:
    """Give the foreground, where there is a truth; it is no part of the time that is measured."""
    if view.foreground is None or not (view.alpha > 0).any():
        return None
    if hasattr(scene, "outputs"):
        answer = answer_of(scene, view.frame, "foreground")
    foreground: Picture | None = given_by(answer, "foreground")
    return foreground


def _foreground_figures(foreground: Picture | None, view: View) -> dict[str, float]:
    if foreground is None or view.foreground is None:
        return {}
    return {"foreground_mse": metrics.foreground_mse(foreground, view.foreground, view.alpha)}


def _identity(predictor: Any) -> tuple[str, str | None]:
    """Name and weights' hash: of the predictor's `model` if it has one, or its own."""
    model = getattr(predictor, "model", predictor)
    name = getattr(model, "name", None) or type(predictor).__name__
    model_hash = getattr(model, "hash", None)
    return str(name), model_hash if isinstance(model_hash, str) else None
