"""Predictors of clips: frame by frame, or by the frame loop of `cleanplate video`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple, Protocol

import numpy as np

from cleanplate.arrays import Plane
from cleanplate.depth import disparity_to_depth
from cleanplate.errors import CleanplateError
from cleanplate.pairs.clip_truth import TrueClip, TrueFrame
from cleanplate.pairs.protocols import PairPredictor, output_named, predict_outputs
from cleanplate.predict.predictor import Predictor
from cleanplate.video.clip import ClipFrame
from cleanplate.video.frame_loop import FrameLoop


class FramePrediction(NamedTuple):
    """What is predicted of one frame.

    alpha: (H, W) float32 in [0, 1].
    depth: (H, W) float32 metres; None if it is not predicted in metres.
    """

    alpha: Plane
    depth: Plane | None = None


class ClipPredictor(Protocol):
    """Predicts the frames of a clip in their order.

    Reports show its `name`, `way` and `model_hash`.
    """

    @property
    def name(self) -> str:
        """Of the model or method."""
        ...

    @property
    def way(self) -> str:
        """How frames are predicted, in a word or two."""
        ...

    @property
    def model_hash(self) -> str | None:
        """Of the weights; None if it has none."""
        ...

    def predict(self, clip: TrueClip, frames: Iterator[TrueFrame]) -> Iterator[FramePrediction]:
        """Predict each of the frames; their truth must not be looked at.

        Args:
            clip: with its plate.
            frames: in their order.
        """
        ...


@dataclass(frozen=True)
class PerFrame:
    """Each frame on its own.

    predictor: a model or a baseline.
    with_plate_depth: give it the plate's depth, which makes depth metric.
    with_focal: give it the focal length.
    """

    predictor: PairPredictor
    with_plate_depth: bool = False
    with_focal: bool = False
    way: str = "per frame"

    @property
    def name(self) -> str:
        """The model's name, or the predictor's own."""
        return str(getattr(_model(self.predictor), "name", type(self.predictor).__name__))

    @property
    def model_hash(self) -> str | None:
        """Of the model's weights."""
        return getattr(_model(self.predictor), "hash", None)

    def predict(self, clip: TrueClip, frames: Iterator[TrueFrame]) -> Iterator[FramePrediction]:
        """Predict each frame; one that is refused has an empty matte."""
        scene: Any = self.predictor.scene(
            clip.plate(),
            clip.plate_depth() if self.with_plate_depth else None,
            **_focal(clip, self.with_focal),
        )
        for frame in frames:
            try:
                found = predict_outputs(scene, frame.frame, "alpha", "disparity")
            except CleanplateError:
                yield _nothing(frame, with_depth=self.with_plate_depth)
                continue
            disparity = output_named(found, "disparity") if found.metric else None
            depth = None if disparity is None else disparity_to_depth(disparity)
            alpha = output_named(found, "alpha")
            yield FramePrediction(np.zeros_like(frame.alpha) if alpha is None else alpha, depth)


@dataclass(frozen=True)
class Looped:
    """The frame loop of `cleanplate video`: each frame after the one before it.

    predictor: a model.
    with_plate_depth, with_focal: as of `PerFrame`.
    options: further arguments of `FrameLoop`.
    """

    predictor: Predictor
    with_plate_depth: bool = False
    with_focal: bool = False
    way: str = "frame loop"
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def name(self) -> str:
        """The model's."""
        return self.predictor.model.name

    @property
    def model_hash(self) -> str | None:
        """Of the model's weights."""
        return self.predictor.model.hash

    def predict(self, clip: TrueClip, frames: Iterator[TrueFrame]) -> Iterator[FramePrediction]:
        """Predict the frames; one that does not show the plate's scene has an empty matte."""
        scene = self.predictor.scene(
            clip.plate(),
            clip.plate_depth() if self.with_plate_depth else None,
            **_focal(clip, self.with_focal),
        )
        needs = {"alpha", "depth"} if self.with_plate_depth else {"alpha"}
        loop = FrameLoop(scene, needs, **dict(self.options))
        rate = Fraction(clip.frame_rate).limit_denominator(1001)
        shown = (ClipFrame(one.frame, one.index, one.index / rate, 1 / rate) for one in frames)
        for layers in loop.layers(shown):
            assert layers.alpha is not None
            yield FramePrediction(layers.alpha, layers.depth)


def _model(predictor: Any) -> Any:
    return getattr(predictor, "model", predictor)


def _focal(clip: TrueClip, wanted: bool) -> dict[str, Any]:
    return {"focal": clip.focal} if wanted and clip.focal is not None else {}


def _nothing(frame: TrueFrame, *, with_depth: bool) -> FramePrediction:
    unknown = np.full_like(frame.alpha, np.nan) if with_depth else None
    return FramePrediction(np.zeros_like(frame.alpha), unknown)
