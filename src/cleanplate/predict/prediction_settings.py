"""The settings of a predictor, which its scenes share."""

from __future__ import annotations

from dataclasses import dataclass

from cleanplate.predict.alignment.registration import Align
from cleanplate.predict.geometry.disparity_fusion import Holes


@dataclass(frozen=True)
class PredictionSettings:
    """How plates and frames are compared; `Predictor` explains and checks each."""

    working_size: int | None = None
    align: Align = "auto"
    fit: bool = False
    force: bool = False
    max_pixels: int | None = None
    depth_holes: Holes = "fill"
    focal: float | None = None
