"""Predictor protocols for evaluation, and a plain result type that implements them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from cleanplate.arrays import Coded, Picture, Plane


class PairPrediction(Protocol):
    """Outputs of a predictor for one frame; all maps have the frame's size (H, W)."""

    @property
    def alpha(self) -> Plane | None:
        """Alpha, (H, W) float32 in [0, 1]; None if not predicted."""
        ...

    @property
    def disparity(self) -> Plane | None:
        """Disparity of the frame, (H, W) float32, larger = nearer; None if not predicted."""
        ...

    @property
    def metric(self) -> bool:
        """Whether `disparity` is metric, in 1/m; False = relative."""
        ...

    @property
    def foreground(self) -> Picture | None:
        """Straight foreground colour, (H, W, 3) float32 sRGB in [0, 1]; None if not predicted."""
        ...


class PreparedScene(Protocol):
    """Plate prepared for the prediction of many frames.

    A scene may have an attribute `outputs`, the names of its available outputs. Then it must accept
    `predict(frame, outputs=names)` and compute only these; its predictions have `outputs` too, and
    only the named maps.
    """

    def predict(self, frame: Coded, /) -> PairPrediction:
        """Predict from one frame.

        Args:
            frame: (H, W, 3) uint8 or uint16, sRGB-coded.
        """
        ...


class PairPredictor(Protocol):
    """Predictor that can be evaluated.

    Reports show its attributes `name` and `hash`, or those of its `model`, if it has them.
    """

    def scene(self, plate: Coded, depth: Plane | None = None) -> PreparedScene:
        """Prepare a plate.

        Args:
            plate: (H, W, 3) uint8 or uint16, sRGB-coded.
            depth: (H, W) metres, +inf = nothing hit, NaN = unknown; None = no depth.
        """
        ...


@dataclass(frozen=True)
class PlainPrediction:
    """Plain implementation of `PairPrediction`.

    Attributes:
        alpha: (H, W) float32 in [0, 1], or None.
        disparity: (H, W) float32, larger = nearer, or None.
        metric: whether `disparity` is in 1/m.
        foreground: (H, W, 3) float32 straight sRGB in [0, 1], or None.
        shadow: (H, W) float32 factor in (0, 1] on the plate's linear light, or None.
        report: metadata of the prediction.
    """

    alpha: Plane | None
    disparity: Plane | None = None
    metric: bool = False
    foreground: Picture | None = None
    shadow: Plane | None = None
    report: Mapping[str, Any] = field(default_factory=dict)


def predict_outputs(scene: PreparedScene, frame: Coded, *names: str) -> PairPrediction:
    """Predict the named outputs, or all outputs if the scene does not support a selection.

    Args:
        scene: prepared by any predictor.
        frame: (H, W, 3) uint8 or uint16, sRGB-coded.
        names: output names such as "alpha"; unavailable ones are ignored.
    """
    available = getattr(scene, "outputs", None)
    if available is None:
        return scene.predict(frame)
    chosen: Any = scene
    found: PairPrediction = chosen.predict(frame, outputs=[n for n in names if n in available])
    return found


def output_named(prediction: PairPrediction, name: str) -> Any:
    """Return the output of a name, such as "alpha"; None if the prediction does not have it."""
    held = getattr(prediction, "outputs", None)
    return getattr(prediction, name, None) if held is None or name in held else None
