"""A live session: frames of a camera to a window, a virtual camera and files, and its keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Protocol

from cleanplate.arrays import Bytes
from cleanplate.errors import CleanplateError
from cleanplate.live.camera import Camera, CameraFrame
from cleanplate.live.display_state import DisplayState, composite_bytes
from cleanplate.live.latency import LatencyMeter
from cleanplate.live.live_composite import LiveComposite
from cleanplate.live.newest_frame import NewestFrame
from cleanplate.live.plate_capture import COUNTDOWN, PlateCapture
from cleanplate.live.plate_staleness import PlateStaleness
from cleanplate.live.recorder import Recorder
from cleanplate.live.screen_text import ScreenText
from cleanplate.predict.scene import Scene
from cleanplate.video.clip import ClipFrame
from cleanplate.video.frame_layers import FrameLayers
from cleanplate.video.frame_loop import FrameLoop
from cleanplate.video.working_size_control import WorkingSizeControl

POLL = 0.05
"""Seconds after which keys are looked at though no frame came."""


class Screen(Protocol):
    """Where pictures are shown, and keys come from: `cleanplate.live.window.Window`."""

    def show(self, picture: Bytes, text: ScreenText) -> None:
        """Show (H, W, 3) uint8 RGB with text over it."""

    def actions(self) -> list[str]:
        """Give the actions that were asked for since the last call."""


class PictureSink(Protocol):
    """What takes every composite: `cleanplate.live.virtual_camera.VirtualCamera`."""

    def send(self, picture: Bytes) -> None:
        """Take (H, W, 3) uint8 RGB."""


@dataclass
class LiveOutputs:
    """Where a session's pictures go; each may be missing.

    screen: shows what the keys choose.
    sink: takes every composite.
    recorder: writes files while its key says so.
    tell: takes sentences for people, where there is no screen, and warnings.
    """

    screen: Screen | None = None
    sink: PictureSink | None = None
    recorder: Recorder | None = None
    tell: Callable[[str], object] = field(default=lambda sentence: None)


class LiveSession:
    """Runs a camera's frames through the frame loop until it is ended.

    meter: latency and rate.
    plate: (H, W, 3) uint8 that was taken last; None if none was.

    Args:
        camera: it is closed when the session ends.
        scene_of: makes a plate, (H, W, 3), ready.
        composite_of: makes the composite for a scene.
        outputs: where pictures go.
        countdown: seconds before a new plate is taken.
        frames: ends after so many frames; None = never.
        seconds: ends after so many seconds; None = never.
        fps_target: frames per second that the loop is to keep, by a smaller working size of the
            network where it must be; None = the working size stays.
        clock: seconds, the same as the camera's.
    """

    def __init__(
        self,
        camera: Camera,
        scene_of: Callable[[Bytes], Scene],
        composite_of: Callable[[Scene], LiveComposite],
        outputs: LiveOutputs,
        *,
        countdown: float = COUNTDOWN,
        frames: int | None = None,
        seconds: float | None = None,
        fps_target: float | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ):
        self.meter = LatencyMeter()
        self.plate: Bytes | None = None
        self._camera, self._newest = camera, NewestFrame(camera)
        self._scene_of, self._composite_of = scene_of, composite_of
        self._outputs, self._countdown, self._clock = outputs, countdown, clock
        self._most, self._longest, self._fps_target = frames, seconds, fps_target
        self._loop: FrameLoop | None = None
        self._scene: Scene | None = None
        self._loops: list[Mapping[str, Any]] = []
        self._count = 0
        self._origin: float | None = None
        self._current: CameraFrame | None = None
        self._last: tuple[FrameLayers, Bytes] | None = None
        self._display = DisplayState(clock)
        self._wants_plate = self._quits = False

    def run(self, scene: Scene | None = None, *, record: bool = False) -> None:
        """Run until the camera ends, the limit is reached, or the quit key.

        Args:
            scene: the plate made ready; None = it is taken first, guided.
            record: begin to record with the first frame.

        Raises:
            CleanplateError: the camera fails, the plate was refused and there is no screen to try
                again, or something cannot be written.
        """
        with ExitStack() as stack:
            if self._outputs.recorder is not None:
                stack.callback(self._outputs.recorder.stop)
            stack.enter_context(self._newest)
            scene = scene or self._new_scene()
            if record and scene is not None and self._outputs.recorder is not None:
                self._outputs.recorder.start()
            while scene is not None and not self._quits:
                self._show_composites(scene)
                if self._wants_plate:
                    self._wants_plate = False
                    scene = self._new_scene() or scene

    def as_json(self) -> dict[str, Any]:
        """Give what happened as plain numbers and words."""
        recorder = self._outputs.recorder
        loops = [*self._loops, *([] if self._loop is None else [self._loop.report.as_json()])]
        return {
            "camera": {
                "name": self._camera.name,
                "size": list(self._camera.size[::-1]),
                "frames_per_second": round(self._camera.rate, 3),
                "frames": self._newest.read,
                "replaced": self._newest.replaced,
                "notes": self._camera.notes,
            },
            **self.meter.as_json(),
            "recorded": [] if recorder is None else [str(path) for path in recorder.written],
            "recording_warnings": [] if recorder is None else recorder.warnings,
            "plates": loops,
        }

    # The plate.

    def _new_scene(self) -> Scene | None:
        """Take a plate, guided; None if it was refused, or the session ends meanwhile."""
        first = self._scene is None
        refused = ""
        while not self._quits:
            capture = PlateCapture(countdown=self._countdown)
            self._capture(capture, refused)
            if capture.plate is not None:
                self.plate = capture.plate
                self._say("The plate is taken.")
                return self._scene_of(capture.plate)
            if self._quits:
                break
            refused = capture.reason
            if self._outputs.screen is None:
                raise CleanplateError(refused, cure="Nobody may be in the picture. Run it again.")
            if not first:
                self._say(refused)
                return None
        return None

    def _capture(self, capture: PlateCapture, refused: str) -> None:
        told = ""
        while not capture.over and not self._quits:
            frame = self._next_frame()
            if frame is None:
                continue
            capture.see(frame)
            if self._outputs.screen is not None:
                lines = self._display.lines(())
                text = ScreenText(lines=lines, message=capture.text, warning=refused)
                self._outputs.screen.show(frame.rgb, text)
            elif capture.step != told:
                told = capture.step
                self._outputs.tell(told)
        self._wants_plate = False

    # Frames through the loop.

    def _show_composites(self, scene: Scene) -> None:
        """Show composites until another plate is wanted, or the session ends."""
        self._scene = scene
        control = None
        if self._fps_target is not None:
            control = WorkingSizeControl(self._fps_target, max(scene.network_size))
        effect = self._composite_of(scene)
        loop = FrameLoop(scene, self._needs(), effect=effect, size_control=control)
        self._loop = loop
        staleness = PlateStaleness()
        before: dict[str, float] = {}
        examined = 0
        for layers in loop.layers(self._frames()):
            seconds = dict(loop.report.seconds)
            self.meter.took({name: seconds[name] - before.get(name, 0) for name in seconds})
            before = seconds
            full = len(loop.report.examined)
            warning = staleness.saw(loop.last, examined=full > examined)
            examined = full
            self._warn(warning)
            self._deliver(layers)
        self._loops.append(loop.report.as_json())
        self._loop = None

    def _frames(self) -> Iterator[ClipFrame]:
        """Give the newest frame each time that the loop has time for one."""
        while not self._quits and not self._wants_plate:
            frame = self._next_frame()
            if frame is None or self._wants_plate or self._quits:
                continue
            if self._origin is None:
                self._origin = frame.captured
            passed = frame.captured - self._origin
            if self._longest is not None and passed >= self._longest:
                self._quits = True
            elif self._display.frozen and self._last is not None:
                self._deliver_frozen(frame)
            else:
                self._current = frame
                self.meter.took({"wait": self._clock() - frame.captured})
                yield ClipFrame(frame.rgb, self._count, Fraction(passed))
                self._count += 1
                self._quits |= self._most is not None and self._count >= self._most

    def _next_frame(self) -> CameraFrame | None:
        """Look at the keys, and take the newest frame; None if there is none just now."""
        self._obey_keys()
        frame = self._newest.take(POLL)
        if frame is None and self._newest.ended:
            self._quits = True
        return frame

    def _deliver(self, layers: FrameLayers) -> None:
        """Show a frame, and hand it to the other outputs."""
        assert self._current is not None
        outputs, begin = self._outputs, self._clock()
        picture = self._display.picture(layers, self._current)
        if outputs.screen is not None:
            outputs.screen.show(picture, self._text())
        if outputs.sink is not None:
            outputs.sink.send(composite_bytes(layers))
        now = self._clock()
        self.meter.shown(self._current.captured, now)
        self.meter.took({"show": now - begin})
        self._record(layers)
        self._last = layers, picture

    def _deliver_frozen(self, frame: CameraFrame) -> None:
        """Show the last picture again, at the time of another frame."""
        assert self._last is not None
        assert self._origin is not None
        outputs, (layers, picture) = self._outputs, self._last
        if outputs.screen is not None:
            outputs.screen.show(picture, self._text())
        if outputs.sink is not None:
            outputs.sink.send(composite_bytes(layers))
        recorder = outputs.recorder
        # What was frozen before the recording began may lack layers that it needs.
        if recorder is not None and all(
            getattr(layers, name) is not None for name in recorder.needs
        ):
            self._record(replace(layers, time=Fraction(frame.captured - self._origin)))

    def _record(self, layers: FrameLayers) -> None:
        recorder = self._outputs.recorder
        if recorder is not None and recorder.recording:
            recorder.offer(layers)

    def _needs(self) -> frozenset[str]:
        """Names of the layers that the outputs want."""
        outputs, needs = self._outputs, self._display.needs()
        if outputs.sink is not None:
            needs |= {"composite"}
        return needs if outputs.recorder is None else needs | outputs.recorder.needs

    # Keys and text.

    def _obey_keys(self) -> None:
        screen = self._outputs.screen
        for action in () if screen is None else screen.actions():
            self._obey(action)

    def _obey(self, action: str) -> None:
        if action == "quit":
            self._quits = True
        elif action == "plate":
            self._wants_plate = True
        elif action == "record":
            self._switch_recording()
        elif action == "depth" and self._scene and "disparity" not in self._scene.outputs:
            self._say("This model does not tell depth: give --plate-depth.")
        else:
            self._display.obey(action)
        if self._loop is not None:
            self._loop.change_needs(self._needs())

    def _switch_recording(self) -> None:
        recorder = self._outputs.recorder
        if recorder is None or self._scene is None:
            return
        try:
            if recorder.recording:
                recorder.stop()
                self._say(f"Recorded: {recorder.written[-1].name}" if recorder.written else "")
            else:
                recorder.start()
        except CleanplateError as error:
            self._say(str(error))

    def _say(self, sentence: str) -> None:
        self._display.say(sentence)
        if self._outputs.screen is None:
            self._outputs.tell(sentence)

    def _warn(self, warning: str) -> None:
        if warning and warning != self._display.warning:
            self._outputs.tell(f"Warning: {warning}")
        self._display.warning = warning

    def _text(self) -> ScreenText:
        recorder = self._outputs.recorder
        recording = recorder is not None and recorder.recording
        return self._display.text(self.meter.lines(self._camera.rate), recording=recording)
