"""The figures that findings rest on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cleanplate.diagnosis.drawing import DrawnShare
from cleanplate.diagnosis.permutation import Match

FEWEST = 12
"""Pictures below which nothing is said that rests on permuted pairs."""
_NONE = Match(0, 0.0, 0.0, 0.0, 0, 0.0)


@dataclass(frozen=True)
class Measures:
    """Every figure that findings rest on; None or NaN where it could not be measured.

    Args:
        pictures: seen in all.
        kind: "logits" or "map".
        not_finite: pixels of predictions that are NaN or infinite.
        spread_ratio: median over pictures of the prediction's standard deviation within a picture
            against its target's. 0 is constant.
        common_share: share of the prediction's variance within pictures that is the same for all.
        correlation: mean over pictures, of prediction and target.
        mean_map_correlation: likewise, of the mean of all targets and each target: what an answer
            reaches that ignores its input.
        prediction_match: predictions against own and permuted targets, their mean maps taken out.
        loss: of the predictions, over all pixels.
        loss_floors: "perfect", "picture_mean", "mean_map", "constant"; empty where targets are not
            in [0, 1] and predictions are logits.
        brightness: mean correlation of predictions and the input's brightness.
        target_brightness: likewise of targets.
        input_match: edges of inputs against edges of own and of permuted targets.
        input_contrast: standard deviation of the input's pixels about their channel's mean.
        input_level: the largest channel mean, without its sign.
        input_variance: the least variance of a channel.
        drawn: what the drawing leaves of a perfect answer.
        spent_after: part of the training after which 99 % of rate x steps is spent.
        logged_loss: mean over the last fifth of the log.
        update: relative size of the next step, of the group that moves most.
        progress: share of the planned steps that was done then.
    """

    pictures: int
    kind: str
    not_finite: int
    spread_ratio: float
    common_share: float
    correlation: float
    mean_map_correlation: float
    prediction_match: Match
    loss_name: str
    loss: float
    target_range: tuple[float, float]
    loss_floors: Mapping[str, float] = field(default_factory=dict)
    brightness: float | None = None
    target_brightness: float | None = None
    input_match: Match = _NONE
    input_range: tuple[float, float] | None = None
    input_not_finite: int = 0
    input_contrast: float | None = None
    input_level: float | None = None
    input_variance: float | None = None
    inputs_all_same: bool = False
    drawn: DrawnShare | None = None
    logged_steps: int = 0
    spent_after: float | None = None
    logged_loss: float | None = None
    update: float | None = None
    progress: float | None = None
