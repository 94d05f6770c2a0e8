"""What evaluation asks of a predictor: three structural types and the answer baselines give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from cleanplate.arrays import Coded, Picture, Plane


class PairAnswer(Protocol):
    """What a predictor says of one frame. All maps have the frame's size."""

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
    """A plate made ready for many frames.

    One that has `outputs`, the names of what it can give, takes `predict(frame, outputs=names)`
    and computes no more than that; its answers have `outputs` too, and nothing else.
    """

    def predict(self, frame: Coded, /) -> PairAnswer:
        """Answer for one (H, W, 3) frame."""
        ...


class PairPredictor(Protocol):
    """Anything that can be scored. `name` and `model_hash` are used if it has them."""

    def scene(self, plate: Coded, depth: Plane | None = None) -> PreparedScene:
        """Take an (H, W, 3) plate and, if known, its depth in metres ((H, W), +inf = no hit)."""
        ...


@dataclass(frozen=True)
class Answer:
    """A plain answer, for predictors that have no result type of their own."""

    alpha: Plane | None
    disparity: Plane | None = None
    metric: bool = False
    foreground: Picture | None = None
    shadow: Plane | None = None
    report: Mapping[str, Any] = field(default_factory=dict)


def answer_of(scene: PreparedScene, frame: Coded, *names: str) -> PairAnswer:
    """Ask a scene for the outputs called `names`, or for its whole answer if it has no choice.

    Args:
        scene: of any predictor.
        frame: (H, W, 3).
        names: such as "alpha"; those that the scene cannot give are left out.
    """
    available = getattr(scene, "outputs", None)
    if available is None:
        return scene.predict(frame)
    chosen: Any = scene
    answer: PairAnswer = chosen.predict(frame, outputs=[n for n in names if n in available])
    return answer


def given_by(answer: PairAnswer, name: str) -> Any:
    """Give the output called `name`; None where the answer has none."""
    held = getattr(answer, "outputs", None)
    return getattr(answer, name, None) if held is None or name in held else None
