"""Protocols of predictors that evaluation can score, and `PlainPrediction` for simple ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from cleanplate.arrays import Coded, Picture, Plane


class PairPrediction(Protocol):
    """A predictor's outputs for one frame; all maps have the frame's size."""

    @property
    def alpha(self) -> Plane | None:
        """(H, W) float32 in [0, 1]; None if not predicted."""
        ...

    @property
    def disparity(self) -> Plane | None:
        """(H, W) float32 disparity of the frame, larger = nearer; None if not predicted."""
        ...

    @property
    def metric(self) -> bool:
        """Whether `disparity` is in 1/m."""
        ...

    @property
    def foreground(self) -> Picture | None:
        """(H, W, 3) float32 straight sRGB colour in [0, 1]; None if not predicted."""
        ...


class PreparedScene(Protocol):
    """A plate, prepared for predicting many frames.

    One that has `outputs`, the names of what it can give, takes `predict(frame, outputs=names)`
    and computes no more than that; its predictions have `outputs` too, and nothing else.
    """

    def predict(self, frame: Coded, /) -> PairPrediction:
        """Predict from one frame, (H, W, 3) uint8 or uint16, sRGB."""
        ...


class PairPredictor(Protocol):
    """A predictor that can be scored; its `name` and `hash`, or those of its `model`, are shown."""

    def scene(self, plate: Coded, depth: Plane | None = None) -> PreparedScene:
        """Prepare a plate.

        Args:
            plate: (H, W, 3) uint8 or uint16, sRGB.
            depth: (H, W) metres, +inf where nothing is hit, nan where unknown; None = unknown.
        """
        ...


@dataclass(frozen=True)
class PlainPrediction:
    """A prediction for predictors without a result type of their own; see `PairPrediction`."""

    alpha: Plane | None
    disparity: Plane | None = None
    metric: bool = False
    foreground: Picture | None = None
    shadow: Plane | None = None
    report: Mapping[str, Any] = field(default_factory=dict)


def predict_outputs(scene: PreparedScene, frame: Coded, *names: str) -> PairPrediction:
    """Predict the outputs called `names`, or all of them if the scene offers no choice.

    Args:
        scene: of any predictor.
        frame: (H, W, 3).
        names: such as "alpha"; those that the scene cannot give are left out.
    """
    available = getattr(scene, "outputs", None)
    if available is None:
        return scene.predict(frame)
    chosen: Any = scene
    found: PairPrediction = chosen.predict(frame, outputs=[n for n in names if n in available])
    return found


def output_named(prediction: PairPrediction, name: str) -> Any:
    """Give the output called `name`; None where the prediction has none."""
    held = getattr(prediction, "outputs", None)
    return getattr(prediction, name, None) if held is None or name in held else None
