"""`evaluate`: metrics of a predictor on pairs, one `PairScore` per pair, and their means."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cleanplate.arrays import Picture, Plane
from cleanplate.depth import depth_to_disparity
from cleanplate.depth.depth_codec import doubts
from cleanplate.errors import CleanplateError
from cleanplate.evaluation.pair_metrics import (
    MetricSettings,
    alpha_scores,
    depth_scores,
    foreground_scores,
    missing_depth_notes,
    subject_placement_scores,
)
from cleanplate.evaluation.subject_depth_score import GROUPS, groups_of
from cleanplate.pairs.pair_files import CLEAN, Pair, PairVariant, variants
from cleanplate.pairs.protocols import (
    PairPrediction,
    PairPredictor,
    PreparedScene,
    output_named,
    predict_outputs,
)


@dataclass(frozen=True)
class PairScore:
    """The metrics of one pair.

    values: name of a metric -> value; metrics that are not defined for the pair are missing.
    refused: the predictor's error, if it raised one. The pair is then scored as an empty alpha, so
        that refusing hard pairs does not improve the mean; it has no depth metrics.
    notes: doubts about the truth, and the reasons why metrics are missing.
    groups: of `cleanplate.evaluation.subject_depth_score.GROUPS`.
    """

    name: str
    values: dict[str, float]
    refused: str | None = None
    notes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scores:
    """The scores of one predictor on one variant of the pairs, and their settings."""

    model: str
    model_hash: str | None
    variant: str
    plate_depth: bool
    settings: MetricSettings
    rows: tuple[PairScore, ...] = field(repr=False)
    failed: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Name -> error of each pair that could not be scored; it is in no mean."""

    @property
    def counts(self) -> dict[str, int]:
        """Metric -> the number of pairs for which it is defined."""
        found: dict[str, int] = {}
        for row in self.rows:
            for key in row.values:
                found[key] = found.get(key, 0) + 1
        return found

    @property
    def means(self) -> dict[str, float]:
        """Metric -> its mean over the pairs for which it is defined."""
        return {
            key: float(np.mean([row.values[key] for row in self.rows if key in row.values]))
            for key in self.counts
        }

    @property
    def subject_depth(self) -> dict[str, dict[str, float]]:
        """Group -> number of `pairs`, and the means of their metrics of subject depth."""
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

    def ranked(self) -> list[PairScore]:
        """Sort the pairs from best to worst, by MAD or, without alpha, by aligned delta1."""
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
    settings: MetricSettings | None = None,
    progress: Callable[[Sequence[Pair]], Iterable[Pair]] = iter,
    keep_going: bool = False,
) -> Scores:
    """Score a predictor on every pair that has the variant.

    Args:
        predictor: see `PairPredictor`.
        pairs: see `find_pairs`.
        variant: name of the variant.
        with_plate_depth: give the predictor the plate's true depth.
        with_focal: give it the focal length of the pair's JSON (`fx`, pixels), if there is one.
        identical: also predict each plate against itself.
        settings: of the metrics; None = the defaults.
        progress: wraps the pairs, for a progress bar.
        keep_going: continue after a pair whose files are bad, and list it in `Scores.failed`.

    Raises:
        CleanplateError: if no pair has the variant or, unless `keep_going`, a file is bad, or
            the plate's depth is missing with `with_plate_depth`.
    """
    settings = settings or MetricSettings()
    chosen = [pair for pair in pairs if variant in pair.variant_files]
    if not chosen:
        raise CleanplateError(
            f"no pair has a variant {variant!r}", cure=f"There are: {', '.join(variants(pairs))}."
        )
    rows: list[PairScore] = []
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
                    settings=settings,
                )
            )
        except CleanplateError as error:
            if not keep_going:
                raise
            failed[pair.name] = str(error)
    name, model_hash = _identity(predictor)
    return Scores(name, model_hash, variant, with_plate_depth, settings, tuple(rows), failed)


def score_pair(
    predictor: PairPredictor,
    pair: Pair,
    variant: str = CLEAN,
    *,
    with_plate_depth: bool = False,
    with_focal: bool = False,
    identical: bool = True,
    settings: MetricSettings | None = None,
) -> PairScore:
    """Score one pair; arguments and errors as `evaluate`."""
    settings = settings or MetricSettings()
    pair_variant = pair.read(variant)
    if with_plate_depth and pair_variant.plate_depth is None:
        raise CleanplateError(
            f"pair {pair.name!r} lacks {pair.name}_plate_depth.*", file=pair.folder
        )
    values: dict[str, float] = {}
    notes: list[str] = []
    refused = None
    alpha: Plane | None = np.zeros_like(pair_variant.alpha)
    disparity: Plane | None = None
    foreground: Picture | None = None
    prediction: PairPrediction | None = None
    try:
        start = time.perf_counter()
        known: Any = _focal(pair) if with_focal else {}
        depth = pair_variant.plate_depth if with_plate_depth else None
        scene = predictor.scene(pair_variant.plate, depth, **known)
        ready = time.perf_counter()
        names = ("alpha", "disparity", "subject_disparity")
        prediction = predict_outputs(scene, pair_variant.frame, *names)
        # A predictor may compute its outputs on access, so the access is timed too.
        alpha, disparity = output_named(prediction, "alpha"), output_named(prediction, "disparity")
        done = time.perf_counter()
        values["scene_seconds"], values["seconds"] = ready - start, done - ready
        foreground = _foreground(scene, prediction, pair_variant)
    except CleanplateError as error:
        refused, prediction = str(error), None
    else:
        if identical and alpha is not None:
            try:
                same = output_named(predict_outputs(scene, pair_variant.plate, "alpha"), "alpha")
                if same is not None:
                    values["identical_alpha"] = float(same.mean(dtype=np.float64))
            except CleanplateError as error:  # the frame's prediction is scored anyway
                notes.append(f"no figure of the plate compared with itself: {error}")
    if alpha is not None:
        values |= alpha_scores(alpha, pair_variant.alpha, settings)
    if prediction is not None:
        values |= foreground_scores(foreground, pair_variant)
        if disparity is not None and pair_variant.depth is not None:
            metric = bool(prediction.metric)
            values |= depth_scores(
                disparity, metric, pair_variant.depth, pair_variant.alpha, settings
            )
            notes += missing_depth_notes(values, disparity, pair_variant.depth)
            if metric:
                values |= subject_placement_scores(
                    prediction, pair_variant.depth, pair_variant.alpha, settings
                )
    notes += _doubtful_truth(pair_variant)
    return PairScore(
        pair.name, values, refused, tuple(notes), groups_of(pair_variant.alpha, pair.facts)
    )


def _foreground(
    scene: PreparedScene, prediction: PairPrediction, pair_variant: PairVariant
) -> Picture | None:
    """Give the foreground, where there is a truth; it is no part of the time that is measured."""
    if pair_variant.foreground is None or not (pair_variant.alpha > 0).any():
        return None
    if hasattr(scene, "outputs"):
        prediction = predict_outputs(scene, pair_variant.frame, "foreground")
    foreground: Picture | None = output_named(prediction, "foreground")
    return foreground


def _doubtful_truth(pair_variant: PairVariant) -> Iterator[str]:
    for part, depth in (("depth", pair_variant.depth), ("plate depth", pair_variant.plate_depth)):
        if depth is not None:
            yield from (f"{part}: {doubt}" for doubt in doubts(depth_to_disparity(depth)))


def _focal(pair: Pair) -> dict[str, float]:
    """Return the arguments of `scene` for the camera: the focal length, if the JSON has one."""
    focal = pair.facts.get("fx")
    return {"focal": float(focal)} if isinstance(focal, (int, float)) else {}


def _identity(predictor: Any) -> tuple[str, str | None]:
    """Return name and weights' hash of the predictor's `model`, or of the predictor itself."""
    model = getattr(predictor, "model", predictor)
    name = getattr(model, "name", None) or type(predictor).__name__
    model_hash = getattr(model, "hash", None)
    return str(name), model_hash if isinstance(model_hash, str) else None
