"""Whether a perfect answer would survive the way in which maps are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Drawing:
    """Code that turns a map into a picture: `clip(scale * x + shift)`, a channel each.

    Args:
        scale: factors, one or one for each channel. A de-normalisation has the std here.
        shift: summands; a de-normalisation has the mean here.
        clip: what is shown black and white; plotting libraries clip colour pictures to (0, 1).
        sigmoid: whether a sigmoid comes first.
    """

    scale: tuple[float, ...] = (1.0,)
    shift: tuple[float, ...] = (0.0,)
    clip: tuple[float, float] = (0.0, 1.0)
    sigmoid: bool = False

    def __call__(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Draw (...,) values as (..., C) in [0, 1]."""
        scale, shift = (np.asarray(v, np.float64) for v in (self.scale, self.shift))
        low, high = self.clip
        given = np.asarray(values, np.float64)
        given = 1 / (1 + np.exp(-given)) if self.sigmoid else given
        shown = np.clip(given[..., None] * scale + shift, low, high)
        return ((shown - low) / (high - low)).astype(np.float32)


def denormalised(times: float = 1.0) -> Drawing:
    """Draw logits as if they were a picture normalised with ImageNet's mean and std.

    Args:
        times: factor on both; 255 where pictures of 0 to 255 were meant.
    """
    return Drawing(tuple(times * s for s in IMAGENET_STD), tuple(times * m for m in IMAGENET_MEAN))


def logit(share: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Give the logits whose sigmoid is exactly this map; 0 and 1 are drawn in by 1e-6."""
    inside = np.clip(np.asarray(share, np.float64), 1e-6, 1 - 1e-6)
    return np.log(inside / (1 - inside))


@dataclass(frozen=True)
class DrawnShare:
    """What a drawing leaves of a perfect answer.

    Args:
        white: share of pixels at the upper end in all channels.
        black: likewise at the lower end.
        contrast: standard deviation of what is shown, of a range of 1.
        wanted: standard deviation of the targets themselves.
    """

    white: float
    black: float
    contrast: float
    wanted: float

    @property
    def lost(self) -> bool:
        """Whether hardly anything can be seen: one value nearly everywhere, or no contrast."""
        return max(self.white, self.black) >= 0.9 or self.contrast < 0.1 * self.wanted


def drawn_share(
    targets: npt.NDArray[Any],
    drawing: Callable[[Any], Any],
    *,
    kind: Literal["logits", "map"] = "logits",
) -> DrawnShare:
    """Draw the targets as a perfect network's answer, and count what is left.

    Args:
        targets: maps of any shape, in [0, 1] where `kind` is "logits"; NaN is left out.
        drawing: a `Drawing`, or the caller's own function from predictions to a picture in [0, 1],
            (...) or (..., C); its result is clipped to [0, 1].
        kind: what the drawing is handed: logits or maps.
    """
    known = np.asarray(targets, np.float64)
    known = known[np.isfinite(known)]
    shown = np.asarray(drawing(logit(known) if kind == "logits" else known), np.float64)
    shown = np.clip(shown.reshape(known.size, -1), 0, 1)
    return DrawnShare(
        white=float((shown >= 1).all(-1).mean()),
        black=float((shown <= 0).all(-1).mean()),
        contrast=float(shown.std(0).mean()),
        wanted=float(known.std()),
    )
