"""What prediction found in one frame, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cleanplate.arrays import Coded, Mask, Picture, Plane
from cleanplate.depth import disparity_to_depth
from cleanplate.errors import CleanplateError
from cleanplate.matte import MixingSpace
from cleanplate.predict.frame_outputs import Arrays, FrameSources, no_metres
from cleanplate.predict.frame_pixels import FramePixels


@dataclass(frozen=True, eq=False, kw_only=True)
class ResultData:
    """The subject of one frame: matte, colours, shadow and depth, all at the frame's size.

    Complete when it is made: nothing is estimated later, nothing changes; a clip's `frame` is
    decoded when it is asked for. It can be pickled, and its report written as JSON and read back
    the same.

    Attributes:
        pixels: of the frame.
        alpha: (H, W) float32 in [0, 1], the subject's coverage.
        arrays: the other outputs that were asked for, by name; the properties give them.
        sources: what outputs are computed from, for `adjust`.
        report: what was measured and done, in plain numbers and words; see docs/prediction.md.
        name: the frame's file without folder and suffix, or "frame".
        metric: whether disparity is in 1/m and depth in metres, because the plate's depth is known.
        foreground_space: in which values `foreground` is meant to be mixed: linear light or
            display values.
    """

    pixels: FramePixels = field(repr=False)
    alpha: Plane = field(repr=False)
    arrays: Arrays = field(repr=False)
    sources: FrameSources = field(repr=False)
    report: dict[str, Any] = field(repr=False)
    name: str = "frame"
    metric: bool = False
    foreground_space: MixingSpace = "linear"

    @property
    def frame(self) -> Coded | Picture:
        """(H, W, 3) as given: uint8, uint16, or float32 in [0, 1]."""
        return self.pixels.rgb

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs that it holds."""
        return tuple(self.report["outputs"])

    @property
    def foreground(self) -> Picture:
        """(H, W, 3) float32 sRGB in [0, 1], straight: the subject's colour without the plate's.

        Solved for mixing in `foreground_space`.

        Raises:
            CleanplateError: as each output here: it was not asked for.
        """
        return self._held("foreground")

    @property
    def shadow(self) -> Plane:
        """(H, W) float32 in (0, 1]: the factor on the linear light of the scene that is seen.

        1 = untouched, and where the subject hides the scene.
        """
        return self._held("shadow")

    @property
    def disparity(self) -> Plane:
        """(H, W) float32 of the frame: the subject's where alpha >= 0.5, else the plate's.

        In 1/m if `metric`, else relative; larger is nearer. nan in holes of the plate's depth that
        are kept (`Predictor(depth_holes="keep")`).
        """
        return self._held("disparity")

    @property
    def depth(self) -> Plane:
        """(H, W) float32 metres along the optical axis, +inf where nothing is hit: of `disparity`.

        nan where it is not known: nowhere, but in holes of the plate's depth that are kept.

        Raises:
            CleanplateError: the plate's depth was not given, so there is no scale.
        """
        if not self.metric:
            raise no_metres()
        return disparity_to_depth(self.disparity)

    @property
    def subject_disparity(self) -> Plane:
        """(H, W) float32: the nearest subject's, extrapolated beyond its edge everywhere.

        In the unit of `disparity`.
        """
        return self._held("subject_disparity")

    @property
    def depth_measured(self) -> Mask:
        """(H, W) bool: True where `depth` is the plate's as it was given, False where estimated.

        Estimated is the subject's depth, and the plate's where its given depth does not know it.
        """
        return self._held("depth_measured")

    @property
    def plate(self) -> Coded | Picture:
        """(H, W, 3) the plate as the frame's camera would have seen it: registered, same exposure.

        Read-only where it is the scene's own array.
        """
        return self._held("plate")

    def _held(self, name: str) -> np.ndarray[Any, Any]:
        if name not in self.arrays:
            raise CleanplateError(
                f"this result holds no {name}: it was not asked for",
                cure=f'scene.predict(frame, outputs=(..., "{name}"))',
            )
        return self.arrays[name]
