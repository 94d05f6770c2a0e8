"""The session in simulated time: latency is bounded, keys are obeyed, the plate is watched."""

from __future__ import annotations

import numpy as np
import pytest

from cleanplate.errors import CleanplateError
from cleanplate.live import LiveOutputs, LiveSession, composite_of, live_session
from cleanplate.live.live_keys import KEYS
from cleanplate.live.plate_staleness import LASTING, LOST, PlateStaleness
from cleanplate.live.recorder import Recorder
from cleanplate.predict.predictor import Predictor
from cleanplate.video import open_clip
from cleanplate.video.backgrounds import StillBackground
from tests.live.fake_camera import RATE, Clock, FakeCamera, SimulatedNewest
from tests.predict.tiny_model import write_model
from tests.video import locked_camera
from tests.video.locked_camera import HEIGHT, WIDTH, plate_picture

PERIOD = 1 / RATE


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    return Predictor(write_model(tmp_path_factory.mktemp("model") / "tiny"), threads=1)


@pytest.fixture(autouse=True)
def simulated(monkeypatch):
    monkeypatch.setattr(live_session, "NewestFrame", SimulatedNewest)


def subject(count: int) -> list[np.ndarray]:
    return [frame.rgb for frame, _ in locked_camera.frames(count)]


def empty(count: int) -> list[np.ndarray]:
    return [plate_picture()] * count


class FakeScreen:
    """Takes time to show a picture, and asks for actions when so many pictures were shown."""

    def __init__(self, clock: Clock, asked: dict[int, str] | None = None, seconds: float = 0.0):
        self.clock, self.asked, self.seconds = clock, dict(asked or {}), seconds
        self.shown: list[np.ndarray] = []
        self.texts: list = []
        self.times: list[float] = []

    def show(self, picture, text):
        self.clock.now += self.seconds
        self.shown.append(picture.copy())
        self.texts.append(text)
        self.times.append(self.clock.now)

    def actions(self):
        action = self.asked.pop(len(self.shown), None)
        return [] if action is None else action.split()


class Live:
    """A session over pictures, with a network that takes so many seconds."""

    def __init__(self, predictor, pictures, asked=None, *, network=0.0, screen=True, **more):
        self.clock = Clock()
        self.camera = FakeCamera(pictures, self.clock)
        self.screen = FakeScreen(self.clock, asked) if screen else None
        self.told: list[str] = []
        self.network = network
        background = StillBackground("#204060", (HEIGHT, WIDTH))
        outputs = LiveOutputs(self.screen, tell=self.told.append, **more)
        self.session = LiveSession(
            self.camera,
            lambda plate: self.slow(predictor.scene(plate)),
            lambda scene: composite_of(scene, background=background),
            outputs,
            countdown=0.2,
            clock=self.clock,
        )
        self.scene = self.slow(predictor.scene(plate_picture()))

    def slow(self, scene):
        align = scene.align

        def slowly(*arguments, **options):
            self.clock.now += self.network
            return align(*arguments, **options)

        scene.align = slowly
        return scene


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_network_as_fast_as_the_camera_is_at_most_two_frames_late(predictor, share):
    live = Live(predictor, subject(40), network=share * PERIOD)
    live.session.run(live.scene)
    latencies = live.session.meter.latencies
    assert len(latencies) == 40, "none is left out"
    assert max(latencies) <= 2 * PERIOD + 1e-6


@pytest.mark.parametrize("frames", [1.5, 3.3, 7.0])
def test_a_slow_network_shows_the_newest_frame_and_latency_does_not_grow(predictor, frames):
    live = Live(predictor, subject(60), network=frames * PERIOD)
    live.session.run(live.scene)
    latencies = live.session.meter.latencies
    # A frame is at most one period old when it is taken; then the network works on it.
    # (After the camera's end nothing newer comes: the last one may be older.)
    assert max(latencies[:-1]) <= (1 + frames) * PERIOD + 1e-6
    assert len(latencies) == pytest.approx(60 / frames, abs=2)
    told = live.session.as_json()
    assert told["camera"]["replaced"] == told["camera"]["frames"] - len(latencies)
    assert told["frames_per_second"] == pytest.approx(RATE / frames, rel=0.05)
    assert told["latency_ms"]["median"] == pytest.approx(1000 * np.median(latencies), abs=0.01)


def test_views_are_what_their_keys_say(predictor):
    actions = {2: "matte", 4: "depth", 6: "camera", 8: "composite", 10: "quit"}
    pictures = subject(30)
    live = Live(predictor, pictures, actions)
    live.session.run(live.scene)
    shown = live.screen.shown
    assert len(shown) == 10
    assert (shown[1][0, -1] == (0x20, 0x40, 0x60)).all(), "the background"
    assert set(np.unique(shown[3])) >= {0, 255}
    assert (shown[3][..., 0] == shown[3][..., 1]).all()
    centre = np.argwhere(locked_camera.disc(5, 30) == 1).mean(0).astype(int)
    assert shown[5][tuple(centre)].sum() > shown[5][0, 0].sum(), "near is bright"
    assert np.array_equal(shown[7], pictures[7])
    assert (shown[9][0, -1] == (0x20, 0x40, 0x60)).all()
    assert live.camera.closed


def test_help_and_numbers_are_on_the_screen(predictor):
    live = Live(predictor, subject(12), {3: "help", 5: "help", 7: "numbers"})
    live.session.run(live.scene)
    texts = [list(text.lines) for text in live.screen.texts]
    assert any("latency" in line for line in texts[2])
    assert [line.split()[0] for line in texts[4]] == [one.key.upper() for one in KEYS]
    assert any("network" in line for line in texts[6])
    assert texts[8] == []


def test_a_frozen_picture_stays_until_the_key_comes_again(predictor):
    live = Live(predictor, subject(12), {3: "freeze", 6: "freeze"})
    live.session.run(live.scene)
    shown = live.screen.shown
    assert np.array_equal(shown[2], shown[3])
    assert np.array_equal(shown[2], shown[5])
    assert not np.array_equal(shown[5], shown[6])
    assert [text.state for text in live.screen.texts][1:8] == ["", "", *["FROZEN"] * 3, "", ""]


def test_without_a_plate_it_is_taken_first_with_guidance(predictor):
    live = Live(predictor, empty(40) + subject(10))
    live.session.run()
    messages = [text.message for text in live.screen.texts]
    assert messages[0].startswith("New plate: leave the picture. 1")
    assert any("stay out" in one for one in messages)
    assert "The plate is taken." in messages
    assert np.array_equal(live.session.plate, plate_picture())
    assert (live.screen.shown[-1][0, -1] == (0x20, 0x40, 0x60)).all()


def test_a_plate_with_somebody_in_it_is_refused_and_taken_again(predictor):
    live = Live(predictor, subject(38) + empty(50))
    live.session.run()
    assert any("moved" in text.warning for text in live.screen.texts)
    assert np.array_equal(live.session.plate, plate_picture())


def test_without_a_window_a_refused_plate_ends_with_its_reason(predictor):
    live = Live(predictor, subject(60), screen=False)
    with pytest.raises(CleanplateError, match="moved"):
        live.session.run()
    assert live.told[0].startswith("New plate: leave the picture")
    assert live.camera.closed


def test_the_key_for_a_new_plate_keeps_the_old_one_if_it_is_refused(predictor):
    pictures = empty(5) + subject(38) + empty(10)
    live = Live(predictor, pictures, {3: "plate"})
    live.session.run(live.scene)
    assert live.session.plate is None
    assert "moved" in live.screen.texts[-1].message
    assert (live.screen.shown[-1] == (0x20, 0x40, 0x60)).all(), "composites go on"


def test_a_new_plate_is_used_from_then_on(predictor):
    brighter = np.clip(plate_picture().astype(int) + 30, 0, 255).astype(np.uint8)
    live = Live(predictor, empty(3) + [brighter] * 60, {3: "plate"})
    live.session.run(live.scene)
    assert np.array_equal(live.session.plate, brighter)
    assert len(live.session.as_json()["plates"]) == 2


def test_a_camera_that_is_turned_away_is_warned_of(predictor):
    rng = np.random.default_rng(5)
    other = [rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8) for _ in range(LOST + 3)]
    live = Live(predictor, subject(5) + other)
    live.session.run(live.scene)
    warnings = [text.warning for text in live.screen.texts]
    assert warnings[4] == ""
    assert "does not show the plate's scene" in warnings[-1]
    assert sum("does not show" in one for one in live.told) == 1, "told once"


def test_the_limits_end_the_session(predictor):
    live = Live(predictor, subject(30))
    live.session._most = 7
    live.session.run(live.scene)
    assert len(live.screen.shown) == 7


def test_recordings_play_and_keep_the_time_of_their_frames(predictor, tmp_path):
    recorder = Recorder(tmp_path / "out.mp4", (HEIGHT, WIDTH), RATE)
    live = Live(
        predictor, subject(30), {4: "record", 6: "record"}, network=1.9 * PERIOD, recorder=recorder
    )
    live.session.run(live.scene, record=True)
    assert [path.name for path in recorder.written] == ["out.mp4", "out.2.mp4"]
    with open_clip(recorder.written[0]) as clip:
        made = list(clip.frames())
    assert len(made) == 4
    steps = np.diff([float(frame.time) for frame in made])
    assert steps / PERIOD == pytest.approx(np.rint(steps / PERIOD), abs=0.01)
    assert steps.sum() >= 5 * PERIOD - 1e-3, "frames that were left out have their time"
    assert np.abs(made[1].rgb[:20, -20:].mean((0, 1)) - (0x20, 0x40, 0x60)).max() < 6


def test_a_transparent_recording_has_the_layers_that_it_needs(predictor, tmp_path):
    recorder = Recorder(tmp_path / "out.mov", (HEIGHT, WIDTH), RATE)
    live = Live(predictor, subject(10), {2: "matte", 4: "record"}, recorder=recorder)
    live.session.run(live.scene)
    assert recorder.written
    with open_clip(recorder.written[0]) as clip:
        assert len(list(clip.frames())) == 6


def test_recording_without_a_frame_leaves_no_file(tmp_path):
    recorder = Recorder(tmp_path / "out.mp4", (HEIGHT, WIDTH), RATE)
    recorder.start()
    recorder.stop()
    assert recorder.written == []
    assert list(tmp_path.iterdir()) == []


def test_recordings_by_the_key_take_free_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "live-1.mp4").write_bytes(b"mine")
    recorder = Recorder(None, (HEIGHT, WIDTH), RATE)
    assert recorder._named().path.name == "live-2.mp4"


@pytest.mark.parametrize("name", ["out.png", "-", "folder"])
def test_what_cannot_hold_a_recording_is_refused(tmp_path, name):
    with pytest.raises(CleanplateError):
        Recorder(name if name == "-" else tmp_path / name, (HEIGHT, WIDTH), RATE)


class FakeResult:
    """As much of a result as tells of its plate."""

    def __init__(self, stops=0.0, warnings=()):
        from types import SimpleNamespace as Part

        self.report = {"health": {"warnings": list(warnings)}}
        self.sources = Part(plate=Part(exposure=Part(stops=stops)))


def test_a_plate_is_stale_when_the_exposure_is_far_away():
    watch = PlateStaleness()
    assert watch.saw(FakeResult(0.4), examined=True) == ""
    assert "+1.4 stops" in watch.saw(FakeResult(1.4), examined=False)


def test_a_plate_is_stale_when_it_is_examined_again_and_again():
    watch = PlateStaleness()
    told = [watch.saw(FakeResult(), examined=number % 10 == 0) for number in range(60)]
    assert told[:40] == [""] * 40, "three times may happen"
    assert "keeps changing" in told[-1]


def test_a_health_warning_that_lasts_is_shown():
    watch = PlateStaleness()
    told = [watch.saw(FakeResult(warnings=["the plate is soft"]), examined=False)] * 1
    for _ in range(LASTING):
        told.append(watch.saw(FakeResult(warnings=["the plate is soft"]), examined=False))
    assert told[0] == ""
    assert told[-1].startswith("The plate is soft: take a new plate")
    assert watch.saw(FakeResult(), examined=False) == ""
