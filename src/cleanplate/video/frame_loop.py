"""The frame loop: frames of a clip in, layers of each out, with what is done once done once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cleanplate.arrays import Bytes, Plane
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import as_uint8
from cleanplate.matte.background_replacement import replace_background
from cleanplate.predict.alignment.aligned_plate import AlignedPlate
from cleanplate.predict.frame_outputs import compute_outputs, no_metres
from cleanplate.predict.geometry.disparity_fusion import shadow_behind
from cleanplate.predict.result import Result
from cleanplate.predict.scene import Scene
from cleanplate.predict.stage_timer import StageTimer
from cleanplate.video.clip import ClipFrame
from cleanplate.video.clip_aligner import ClipAligner
from cleanplate.video.frame_effect import FrameEffect
from cleanplate.video.frame_layers import FrameLayers
from cleanplate.video.plate_adaptation import AdaptivePlate
from cleanplate.video.subject_tracking import SubjectTracker
from cleanplate.video.tracked_depth import tracked_depth
from cleanplate.video.working_size_control import WorkingSizeControl

if TYPE_CHECKING:  # backgrounds may be clips, and need PyAV; the loop does not
    from cleanplate.video.backgrounds import Background

MOST_LISTED = 1000
"""So many cuts and movements are listed by their frames; more are only counted."""


@dataclass
class LoopReport:
    """What happened in a clip.

    frames: that were worked on.
    without_plate: frames that do not show the plate's scene (after a cut, or before the subject
        left the lens): their alpha is 0.
    examined: frames at which the plate was examined in full.
    seconds: by stage, over all frames.
    wall: seconds from the first frame to the last.
    warnings: sentences of the plate's health, each once, with the frame that brought it.
    working_sizes: frame -> the working size (long side in pixels) from there on.
    subjects: that were followed, with their distances over time; none unless depth is needed.
    """

    frames: int = 0
    without_plate: list[int] = field(default_factory=list)
    examined: list[int] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    wall: float = 0.0
    warnings: dict[str, int] = field(default_factory=dict)
    working_sizes: dict[int, int] = field(default_factory=dict)
    subjects: SubjectTracker = field(default_factory=SubjectTracker)

    @property
    def rate(self) -> float:
        """Frames per second."""
        return self.frames / self.wall if self.wall else 0.0

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add a frame's seconds by stage."""
        for name, taken in seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + taken

    def as_json(self) -> dict[str, Any]:
        """Plain numbers and words."""
        return {
            "frames": self.frames,
            "frames_per_second": round(self.rate, 2),
            "without_plate": self.without_plate[:MOST_LISTED],
            "without_plate_count": len(self.without_plate),
            "examined": self.examined[:MOST_LISTED],
            "seconds": {name: round(taken, 3) for name, taken in self.seconds.items()},
            "warnings": [
                {"first_frame": first, "what": what} for what, first in self.warnings.items()
            ],
            "working_sizes": [
                {"first_frame": first, "long_side": size}
                for first, size in list(self.working_sizes.items())[:MOST_LISTED]
            ],
            "subjects": self.subjects.as_json(),
        }


class FrameLoop:
    """Makes layers of the frames of one clip, in their order.

    Features of the plate, its depth, its keypoints and its health are kept by the scene; the
    camera is followed by `ClipAligner`. Only what `needs` names is computed.

    report: what happened so far.
    first_plate: aligned with the first frame that shows its scene; None before that.
    last: what was found in the frame whose layers were given last; None if it does not show the
        plate's scene.

    Args:
        scene: the plate made ready.
        needs: names of the fields of `FrameLayers` that are written.
        background: of the composite; it or `effect` is needed if `needs` has it.
        effect: makes the composite, in place of `background`.
        size_control: chooses the network's working size; None = the scene's own.
        adaptation: follows slow changes of the plate; None = it stays as it was taken.
    """

    def __init__(
        self,
        scene: Scene,
        needs: Iterable[str],
        background: Background | None = None,
        *,
        effect: FrameEffect | None = None,
        size_control: WorkingSizeControl | None = None,
        adaptation: AdaptivePlate | None = None,
    ):
        self.report = LoopReport()
        self._scene = scene
        self._background, self._effect = background, effect
        self._aligner = ClipAligner(scene.aligner)
        self._size_control, self._adaptation = size_control, adaptation
        self.first_plate: AlignedPlate | None = None
        self.last: Result | None = None
        self.change_needs(needs)

    def change_needs(self, needs: Iterable[str]) -> None:
        """Compute other layers from the next frame on.

        Args:
            needs: names of the fields of `FrameLayers` that are wanted.

        Raises:
            CleanplateError: the scene cannot give them, or there is nothing for a composite.
        """
        needs, outputs = frozenset(needs), {"alpha"}
        if "composite" in needs:
            if self._background is None and self._effect is None:
                raise CleanplateError(
                    "a composite needs something behind the subject", cure="give --background"
                )
            outputs |= {"plate"} if self._effect is None else self._effect.outputs
        if "foreground_linear" in needs:
            outputs.add("foreground")
        if "depth" in needs:
            if not self._scene.metric:
                raise no_metres()
            outputs.add("subjects")
        if "disparity" in needs:
            outputs.add("disparity")
        self._needs, self._outputs = needs, tuple(outputs)

    def layers(self, frames: Iterable[ClipFrame]) -> Iterator[FrameLayers]:
        """Give the layers of each frame.

        Raises:
            CleanplateError: a frame's size is not the plate's.
        """
        begin = time.perf_counter()
        for frame in frames:
            started = time.perf_counter()
            timer = StageTimer()
            result = self.last = self._predicted(frame)
            if result is None:
                self.report.without_plate.append(frame.index)
                self.report.subjects.reset()
                yield self._empty(frame)
            else:
                with timer.stage("layers"):
                    found = self._made(frame, result, timer)
                self.report.add(result.report["seconds"])
                with timer.stage("adapt"):
                    self._adapt(frame, result, time.perf_counter() - started)
                yield found
            self.report.add(timer.seconds())
            self.report.frames += 1
            self.report.examined = self._aligner.full
            self.report.wall = time.perf_counter() - begin

    def _predicted(self, frame: ClipFrame) -> Result | None:
        """Predict a frame; None if it does not show the plate's scene."""
        try:
            result = self._scene.predict(frame.rgb, self._outputs, aligner=self._aligner)
        except CleanplateError as error:
            if not self._aligner.lost:
                raise
            self.report.warnings.setdefault(error.what, frame.index)
            return None
        self.first_plate = self.first_plate or result.sources.plate
        self._aligner.saw(result.sources.matte.small)
        for warning in result.report["health"]["warnings"]:
            self.report.warnings.setdefault(warning, frame.index)
        return result

    def _adapt(self, frame: ClipFrame, result: Result, seconds: float) -> None:
        """Change plate and working size for the next frame, where that is wanted."""
        if self._adaptation is not None:
            plate = self._adaptation.saw(frame.rgb, result.alpha, result.sources.plate)
            if plate is not None:
                self._scene = self._scene.with_plate(plate)
                self._aligner.plate_changed(self._scene.aligner, plate)
        if self._size_control is not None:
            before = self._size_control.size
            self._size_control.took(seconds)
            after = self._size_control.size
            if after != before:
                self._scene = self._scene.at_working_size(after)
                self.report.working_sizes[frame.index + 1] = after

    def _made(self, frame: ClipFrame, result: Result, timer: StageTimer) -> FrameLayers:
        layers: dict[str, Any] = {"alpha": result.alpha}
        if "composite" in self._needs:
            layers["composite"] = self._composite(frame, result)
        if "foreground_linear" in self._needs:
            layers["foreground_linear"] = result.foreground
        if "foreground_display" in self._needs:
            found = compute_outputs(
                ("foreground",), result.frame, result.alpha, result.sources, timer, space="display"
            )
            layers["foreground_display"] = found["foreground"]
        if "depth" in self._needs:
            tracker = self.report.subjects
            layers["depth"] = tracked_depth(result, tracker, frame.index, frame.time, timer)
        if "disparity" in self._needs:
            layers["disparity"] = result.disparity
        return FrameLayers(frame.index, frame.time, frame.duration, **layers)

    def _composite(self, frame: ClipFrame, result: Result) -> Bytes:
        if self._effect is not None:
            return self._effect.composite(frame, result)
        assert self._background is not None
        return replace_background(
            as_uint8(frame.rgb),
            as_uint8(result.plate),
            result.alpha,
            self._background.behind(frame),
            shadow_behind(result.sources.shadow, result.sources.matte.small),
        )

    def _empty(self, frame: ClipFrame) -> FrameLayers:
        """Layers of a frame without its plate: nothing is subject, nothing is known."""
        size = frame.rgb.shape[:2]
        alpha: Plane = np.zeros(size, np.float32)
        layers: dict[str, Any] = {"alpha": alpha}
        if "composite" in self._needs:
            if self._effect is not None:
                layers["composite"] = self._effect.without_plate(frame)
            else:
                assert self._background is not None
                layers["composite"] = self._background.behind(frame)
        for name in ("foreground_linear", "foreground_display"):
            if name in self._needs:
                layers[name] = frame.rgb
        for name in ("depth", "disparity"):
            if name in self._needs:
                layers[name] = np.full(size, np.nan, np.float32)
        return FrameLayers(frame.index, frame.time, frame.duration, **layers)
