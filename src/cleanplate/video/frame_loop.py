"""The frame loop: frames of a clip in, layers of each out, with what is done once done once."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cleanplate.arrays import Bytes, Plane
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import resize
from cleanplate.predict.alignment.aligned_plate import AlignedPlate
from cleanplate.predict.frame_outputs import compute_outputs, no_metres
from cleanplate.predict.geometry.disparity_fusion import shadow_behind
from cleanplate.predict.result import Result
from cleanplate.predict.scene import AlignedFrame, Scene
from cleanplate.predict.stage_timer import StageTimer
from cleanplate.video.clip import ClipFrame
from cleanplate.video.clip_aligner import ClipAligner
from cleanplate.video.frame_effect import FrameEffect
from cleanplate.video.frame_layers import FrameLayers
from cleanplate.video.loop_report import LoopReport
from cleanplate.video.planar_composite import Steady, composite_of
from cleanplate.video.plate_adaptation import AdaptivePlate
from cleanplate.video.tracked_depth import tracked_depth
from cleanplate.video.working_size_control import WorkingSizeControl

if TYPE_CHECKING:  # backgrounds may be clips, and need PyAV; the loop does not
    from cleanplate.video.backgrounds import Background


class _Compared(NamedTuple):
    """A frame's result and layers, and how long they took."""

    result: Result
    layers: FrameLayers
    timer: StageTimer
    seconds: float


class _UnderWay(NamedTuple):
    """A frame that was aligned.

    made: None if it does not show the plate's scene.
    seconds: that aligning took, with comparing where no thread did that.
    """

    frame: ClipFrame
    made: Future[_Compared] | None
    seconds: float


def _done(work: Callable[[], _Compared]) -> Future[_Compared]:
    """Do it now."""
    future: Future[_Compared] = Future()
    future.set_result(work())
    return future


def _shadow(result: Result) -> Plane:
    """Give the shadow on the plate at half the working size: it is smooth, a quarter is enough."""
    shadow, alpha = result.sources.shadow, result.sources.matte.small
    size = ((alpha.shape[0] + 1) // 2, (alpha.shape[1] + 1) // 2)
    return shadow_behind(np.asarray(resize(shadow, size)), np.asarray(resize(alpha, size)))


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
        ahead: frames that are compared at the same time, on threads, while further ones are
            aligned; the layers come so many frames later. 0 = one after the other, at once.
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
        ahead: int = 0,
    ):
        self.report = LoopReport()
        self._scene = scene
        self._background, self._effect = background, effect
        self._aligner = ClipAligner(scene.aligner)
        self._size_control, self._adaptation = size_control, adaptation
        self._ahead = ahead
        self._plates, self._backgrounds = Steady(), Steady()
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
        under_way: deque[_UnderWay] = deque()
        with ThreadPoolExecutor(max(1, self._ahead), "compare") as pool:
            for frame in frames:
                under_way.append(self._begun(frame, pool if self._ahead else None))
                if len(under_way) > self._ahead:
                    yield self._ended(under_way.popleft())
                    self.report.wall = time.perf_counter() - begin
            while under_way:
                yield self._ended(under_way.popleft())
                self.report.wall = time.perf_counter() - begin

    def _begun(self, frame: ClipFrame, pool: ThreadPoolExecutor | None) -> _UnderWay:
        """Align the plate with a frame, and let a thread do the rest; without a pool, do it."""
        started = time.perf_counter()
        try:
            aligned = self._scene.align(frame.picture, self._outputs, aligner=self._aligner)
        except CleanplateError as error:
            if not self._aligner.lost:
                raise
            self.report.warnings.setdefault(error.what, frame.index)
            return _UnderWay(frame, None, 0.0)
        behind = None
        if "composite" in self._needs and self._background is not None and self._effect is None:
            behind = self._background.behind(frame)
        work = partial(self._compared, frame, aligned, behind, self._needs)
        made = _done(work) if pool is None else pool.submit(work)
        return _UnderWay(frame, made, time.perf_counter() - started)

    def _compared(
        self,
        frame: ClipFrame,
        aligned: AlignedFrame,
        behind: Bytes | None,
        needs: frozenset[str],
    ) -> _Compared:
        """Compare a frame with its plate, and make the layers that depend on it alone."""
        started = time.perf_counter()
        timer = StageTimer()
        result = aligned.scene.compare(aligned)
        with timer.stage("layers"):
            layers = self._made(frame, result, behind, needs, timer)
        return _Compared(result, layers, timer, time.perf_counter() - started)

    def _ended(self, one: _UnderWay) -> FrameLayers:
        """Take a frame's layers, and let the next frames go by what was found in it."""
        frame, report = one.frame, self.report
        report.frames += 1
        report.examined = self._aligner.full
        if one.made is None:
            self.last = None
            report.without_plate.append(frame.index)
            report.subjects.reset()
            return self._empty(frame)
        result, layers, timer, seconds = one.made.result()
        self.last = result
        self.first_plate = self.first_plate or result.sources.plate
        self._aligner.saw(result.sources.matte.small)
        for warning in result.report["health"]["warnings"]:
            report.warnings.setdefault(warning, frame.index)
        if "depth" in self._needs:
            with timer.stage("layers"):
                depth = tracked_depth(result, report.subjects, frame.index, frame.time, timer)
            layers = replace(layers, depth=depth)
        with timer.stage("adapt"):
            self._adapt(frame, result, max(one.seconds, seconds / max(1, self._ahead)))
        report.add(result.report["seconds"])
        report.add(timer.seconds())
        return layers

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
                self.report.working_sizes[frame.index + 1 + self._ahead] = after

    def _made(
        self,
        frame: ClipFrame,
        result: Result,
        behind: Bytes | None,
        needs: frozenset[str],
        timer: StageTimer,
    ) -> FrameLayers:
        layers: dict[str, Any] = {"alpha": result.alpha}
        if "composite" in needs:
            if self._effect is not None:
                layers["composite"] = self._effect.composite(frame, result)
            else:
                assert behind is not None
                layers["composite"] = composite_of(
                    frame,
                    self._plates.of(result.plate),
                    self._backgrounds.of(behind),
                    result.alpha,
                    _shadow(result),
                )
        if "foreground_linear" in needs:
            layers["foreground_linear"] = result.foreground
        if "foreground_display" in needs:
            found = compute_outputs(
                ("foreground",), result.pixels, result.alpha, result.sources, timer, space="display"
            )
            layers["foreground_display"] = found["foreground"]
        if "disparity" in needs:
            layers["disparity"] = result.disparity
        return FrameLayers(frame.index, frame.time, frame.duration, **layers)

    def _empty(self, frame: ClipFrame) -> FrameLayers:
        """Layers of a frame without its plate: nothing is subject, nothing is known."""
        size = frame.size
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
