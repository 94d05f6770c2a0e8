"""Scores of clips: errors of each frame, and how they change from frame to frame."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import tee

import numpy as np

from cleanplate import metrics
from cleanplate.arrays import Plane
from cleanplate.errors import CleanplateError
from cleanplate.evaluation.clip_prediction import ClipPredictor, FramePrediction
from cleanplate.evaluation.subject_depth_score import SOLID
from cleanplate.pairs.clip_truth import TrueClip, TrueFrame


@dataclass(frozen=True)
class ClipScore:
    """The metrics of one clip by name; those that are not defined for it are missing."""

    name: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class ClipScores:
    """The scores of one predictor on several clips.

    failed: name -> error of each clip that could not be scored; it is in no mean.
    """

    model: str
    model_hash: str | None
    way: str
    rows: tuple[ClipScore, ...] = field(repr=False)
    failed: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def means(self) -> dict[str, float]:
        """Metric -> its mean over the clips for which it is defined."""
        keys = dict.fromkeys(key for row in self.rows for key in row.values)
        return {
            key: float(np.mean([row.values[key] for row in self.rows if key in row.values]))
            for key in keys
        }


class ClipErrors:
    """Errors of a clip's frames, added one after the other; two frames are kept."""

    def __init__(self) -> None:
        self._frames: list[tuple[FramePrediction, TrueFrame]] = []
        self._mad: list[float] = []
        self._iou: list[float] = []
        self._dtssd: list[float] = []
        self._depth_dtssd: list[float] = []
        self._shifted: list[tuple[float, float, float]] = []
        self._distances: list[tuple[float, float]] = []

    def add(self, found: FramePrediction, truth: TrueFrame) -> None:
        """Add the next frame."""
        self._mad.append(metrics.mad(found.alpha, truth.alpha))
        self._iou.append(metrics.iou(found.alpha, truth.alpha))
        if found.depth is not None:
            inside = (truth.alpha > SOLID) & np.isfinite(truth.depth)
            self._distances.append((_median(found.depth, inside), _median(truth.depth, inside)))
        self._frames.append((found, truth))
        if len(self._frames) >= 2:
            self._add_step(*self._frames[-2:])
        if len(self._frames) == 3:
            (_, last), (middle, now), (_, next_) = self._frames
            self._shifted.append(
                (
                    metrics.mse(middle.alpha, next_.alpha),
                    metrics.mse(middle.alpha, now.alpha),
                    metrics.mse(middle.alpha, last.alpha),
                )
            )
            del self._frames[0]

    def _add_step(
        self, before: tuple[FramePrediction, TrueFrame], after: tuple[FramePrediction, TrueFrame]
    ) -> None:
        found, truth = (before[0], after[0]), (before[1], after[1])
        self._dtssd.append(
            metrics.dtssd([one.alpha for one in found], [one.alpha for one in truth])
        )
        depths = [one.depth for one in found if one.depth is not None]
        if len(depths) == 2:
            subjects = [one.alpha > SOLID for one in truth]
            step = metrics.depth_dtssd(depths, [one.depth for one in truth], subjects)
            self._depth_dtssd += [step] if math.isfinite(step) else []

    def values(self) -> dict[str, float]:
        """Give the metrics that are defined; `docs/metrics.md` has each."""
        found = {
            "mad": float(np.mean(self._mad)),
            "iou": float(np.mean(self._iou)),
            "dtssd": float(np.mean(self._dtssd)) if self._dtssd else math.nan,
            "lag": metrics.lag(*np.mean(self._shifted, 0)) if self._shifted else math.nan,
            "depth_dtssd": float(np.mean(self._depth_dtssd)) if self._depth_dtssd else math.nan,
        }
        if self._distances:
            distances, truths = np.array(self._distances).T
            errors = np.abs(np.log(distances) - np.log(truths))
            if np.isfinite(errors).any():
                found["distance_error"] = float(np.nanmean(errors))
            found["distance_jitter"] = metrics.distance_jitter(distances, truths)
        return {key: value for key, value in found.items() if math.isfinite(value)}


def score_clip(predictor: ClipPredictor, clip: TrueClip) -> ClipScore:
    """Score one clip, its frames in their order.

    Raises:
        CleanplateError: if a file cannot be read, or the predictor cannot take the plate.
    """
    errors = ClipErrors()
    truths, frames = tee(clip.frames())
    for found, truth in zip(predictor.predict(clip, frames), truths, strict=True):
        errors.add(found, truth)
    return ClipScore(clip.name, errors.values())


def evaluate_clips(
    predictor: ClipPredictor,
    clips: Sequence[TrueClip],
    *,
    progress: Callable[[Sequence[TrueClip]], Iterable[TrueClip]] = iter,
) -> ClipScores:
    """Score a predictor on clips; clips whose files are bad are listed and left out.

    Args:
        predictor: see `ClipPredictor`.
        clips: see `find_clips`.
        progress: wraps the clips, for a progress bar.
    """
    rows, failed = [], {}
    for clip in progress(clips):
        try:
            rows.append(score_clip(predictor, clip))
        except CleanplateError as error:
            failed[clip.name] = str(error)
    return ClipScores(predictor.name, predictor.model_hash, predictor.way, tuple(rows), failed)


def _median(depth: Plane, inside: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float:
    """Give the median of finite depth, metres; nan if there is none."""
    values = depth[inside]
    values = values[np.isfinite(values)]
    return float(np.median(values)) if values.size else math.nan
