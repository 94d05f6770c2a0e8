"""Ways to smooth a matte over time, measured by `python -m benchmarks.stability --smoothing`.

None of them is in the package: docs/video.md has what they gain and cost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import tee
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Plane
from cleanplate.evaluation.clip_prediction import ClipPredictor, FramePrediction
from cleanplate.formats.pictures import to_float, to_uint16
from cleanplate.pairs.clip_truth import TrueClip, TrueFrame

Grey = npt.NDArray[np.float32]


@dataclass
class Kept:
    """A predictor whose alpha of each clip is computed once and kept with 16 bits."""

    predictor: ClipPredictor
    kept: dict[Path, list[npt.NDArray[np.uint16]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.predictor.name

    @property
    def way(self) -> str:
        return self.predictor.way

    @property
    def model_hash(self) -> str | None:
        return self.predictor.model_hash

    def predict(self, clip: TrueClip, frames: Iterator[TrueFrame]) -> Iterator[FramePrediction]:
        if clip.folder not in self.kept:
            found = self.predictor.predict(clip, clip.frames())
            self.kept[clip.folder] = [to_uint16(one.alpha) for one in found]
        for _, alpha in zip(frames, self.kept[clip.folder], strict=True):
            yield FramePrediction(to_float(alpha))


@dataclass
class Smoothed:
    """A recursive average of a predictor's alpha, pixel by pixel.

    The last smoothed alpha has the weight `weight`, less where the picture changed by more than
    `change` levels or alpha by about `near`.

    along_flow: take it from where the pixel was in the last frame, by optical flow (DIS, Kroeger
        2016), not from the same place.
    """

    predictor: ClipPredictor
    way: str
    weight: float
    change: float
    near: float
    along_flow: bool = False

    @property
    def name(self) -> str:
        return self.predictor.name

    @property
    def model_hash(self) -> str | None:
        return self.predictor.model_hash

    def predict(self, clip: TrueClip, frames: Iterator[TrueFrame]) -> Iterator[FramePrediction]:
        shown, given = tee(frames)
        before: tuple[Grey, Plane] | None = None
        for frame, found in zip(shown, self.predictor.predict(clip, given), strict=True):
            grey = cv2.cvtColor(np.asarray(frame.frame, np.uint8), cv2.COLOR_RGB2GRAY)
            small = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            alpha = found.alpha
            if before is not None:
                alpha = self._averaged(np.asarray(small, np.float32), alpha, *before)
            before = np.asarray(small, np.float32), alpha
            yield FramePrediction(alpha, found.depth)

    def _averaged(self, now: Grey, alpha: Plane, last: Grey, smooth: Plane) -> Plane:
        if self.along_flow:
            last, smooth = _carried(now, last, smooth)
        difference = now - last
        difference -= np.median(difference)  # what the exposure changed
        changed = np.abs(cv2.blur(difference, (5, 5)))
        still = cv2.resize(np.clip(1 - changed / self.change, 0, 1), alpha.shape[::-1], None, 0, 0)
        near = np.clip(1 - np.abs(alpha - smooth) / self.near, 0, 1)
        weight = np.float32(self.weight) * still * near
        return np.asarray(alpha + weight * (smooth - alpha), np.float32)


def ways(predictor: ClipPredictor) -> list[Smoothed]:
    """The settings that were tried, from careful to strong."""
    return [
        Smoothed(predictor, "still pixels, careful", 0.75, 5, 0.5),
        Smoothed(predictor, "still pixels, strong", 0.9, 8, 2.0),
        Smoothed(predictor, "along the flow, careful", 0.5, 8, 0.5, along_flow=True),
        Smoothed(predictor, "along the flow, strong", 0.7, 12, 1.0, along_flow=True),
    ]


def _carried(now: Grey, last: Grey, smooth: Plane) -> tuple[Any, Any]:
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    move = flow.calc(now.astype(np.uint8), last.astype(np.uint8), None)  # type: ignore[call-overload, unused-ignore]
    height, width = now.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    edge = cv2.BORDER_REPLICATE
    small = cv2.remap(last, x + move[..., 0], y + move[..., 1], 1, borderMode=edge)
    size = smooth.shape[::-1]
    wide = cv2.resize(move, size) * np.float32(size[0] / width)
    y, x = np.mgrid[: size[1], : size[0]].astype(np.float32)
    return small, cv2.remap(smooth, x + wide[..., 0], y + wide[..., 1], 1, borderMode=edge)
