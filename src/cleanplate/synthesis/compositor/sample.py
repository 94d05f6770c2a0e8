"""A composed sample: before the camera, and as training reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Bytes, Picture, Plane
from cleanplate.synthesis.compositor.occlusion import MergedSubjects
from cleanplate.synthesis.compositor.placement import Placement
from cleanplate.synthesis.compositor.view import SceneView


class Sample(TypedDict):
    """A training sample; all arrays have one size (H, W). See docs/compositor.md."""

    plate: Bytes
    frame: Bytes
    foreground: Bytes
    alpha: Plane
    shadow: Plane
    plate_disparity: Plane
    disparity: Plane
    subject_disparity: Plane
    index: int


@dataclass(frozen=True)
class Composition:
    """A sample before the camera. Pictures are linear light, (H, W, 3) float32.

    `frame = alpha * foreground + (1 - alpha) * background` exactly; `background` is the plate
    times `shadow_colour`, plus faint reflections and new light.

    Args:
        name: of the plate.
        view: the plate's crop.
        plate_srgb: (H, W, 3) uint8, the view after `tone_curve`.
        plate: the same in linear light.
        background: the frame without subjects.
        subjects: all subjects merged.
        frame: the composite.
        shadow: (H, W) luminance factor in (0, 1].
        shadow_colour: (H, W, 3) the same per channel, or None.
        tone_curve: (256, 3) curve of codes that plate and frame share.
        placements: from far to near.
        dark: whether it is in low light and needs its noise.
    """

    name: str
    view: SceneView
    plate_srgb: Bytes
    plate: Picture
    background: Picture
    subjects: MergedSubjects
    frame: Picture
    shadow: Plane
    shadow_colour: Picture | None
    tone_curve: npt.NDArray[np.float32]
    placements: tuple[Placement, ...]
    dark: bool = False
    """Whether it is in low light and needs its noise."""
