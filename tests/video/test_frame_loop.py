"""The frame loop: what is done once is done once, and frames come out as single ones do."""

from __future__ import annotations

import numpy as np
import pytest

from cleanplate.errors import CleanplateError
from cleanplate.predict.predictor import Predictor
from cleanplate.video.backgrounds import StillBackground
from cleanplate.video.frame_loop import FrameLoop
from tests.predict.tiny_model import write_model
from tests.video import locked_camera
from tests.video.locked_camera import HEIGHT, WIDTH, plate_picture


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    return Predictor(write_model(tmp_path_factory.mktemp("model") / "tiny"), threads=1)


@pytest.fixture
def scene(predictor):
    return predictor.scene(plate_picture())


def run(scene, needs=("alpha",), background=None, **options):
    made = list(locked_camera.frames(**options))
    loop = FrameLoop(scene, needs, background)
    return loop, list(loop.layers(frame for frame, _ in made)), [alpha for _, alpha in made]


def test_a_steady_clip_is_examined_once_and_gives_the_matte_of_single_frames(scene):
    loop, layers, truth = run(scene, count=15)
    assert loop.report.examined == [0]
    assert loop.report.frames == 15
    assert loop.report.without_plate == []
    made = [frame for frame, _ in locked_camera.frames(15)]
    for one, frame, alpha in zip(layers, made, truth, strict=True):
        assert (one.index, one.time) == (frame.index, frame.time)
        single = scene.predict(frame.rgb, ("alpha",)).alpha
        assert np.abs(one.alpha - single).mean() < 0.002
        assert np.abs(one.alpha - alpha).mean() < 0.03


def test_only_what_is_needed_is_computed(scene):
    loop, layers, _ = run(scene, count=3)
    assert layers[1].composite is None
    assert layers[1].foreground_linear is None
    assert "foreground" not in loop.report.seconds
    assert "subject depth" not in loop.report.seconds


def test_the_composite_shows_the_background_and_the_subject(scene):
    background = StillBackground("#204060", (HEIGHT, WIDTH))
    _, layers, truth = run(scene, ("composite",), background, count=4)
    composite, alpha = layers[2].composite, truth[2]
    assert (composite[alpha == 0] == (0x20, 0x40, 0x60)).all(1).mean() > 0.97
    inside = composite[alpha == 1].astype(float)
    assert np.abs(inside - 255 * np.array((0.95, 0.9, 0.05))).mean() < 4


def test_foregrounds_reproduce_the_frame(scene):
    """alpha F + (1 - alpha) shadow plate, mixed in display values."""
    made = next(iter(locked_camera.frames(1, noise=0)))[0]
    loop = FrameLoop(scene, ("foreground_display",))
    (layers,) = loop.layers([made])
    result = scene.predict(made.rgb, ("alpha", "plate", "shadow"))
    alpha = layers.alpha[..., None]
    assert np.array_equal(layers.alpha, result.alpha)
    soft = (layers.alpha > 0.3) & (layers.alpha < 1)
    from cleanplate.matte import darken

    scene_seen = darken(result.plate, result.shadow)
    mixed = alpha * layers.foreground_display + (1 - alpha) * scene_seen
    assert np.median(np.abs(mixed * 255 - made.rgb).max(2)[soft]) < 1


def test_a_composite_without_a_background_is_refused(scene):
    with pytest.raises(CleanplateError, match="behind the subject"):
        FrameLoop(scene, ("composite",))


def test_an_exposure_that_drifts_is_followed_without_examining_again(scene):
    gains = list(np.exp(np.linspace(0, 0.25, 60)))
    loop, layers, truth = run(scene, count=60, gain=gains)
    assert loop.report.examined == [0]
    # Without following, a drift of 0.25 would lift alpha everywhere.
    errors = [np.abs(one.alpha - alpha).mean() for one, alpha in zip(layers, truth, strict=True)]
    assert max(errors[-10:]) < 0.04


def test_a_knocked_camera_is_registered_again(scene):
    loop, layers, truth = run(scene, count=40, shift={20: 6.0})
    assert loop.report.examined[0] == 0
    again = [number for number in loop.report.examined if number >= 20]
    assert again
    assert again[0] <= 32
    late = [np.abs(one.alpha - a).mean() for one, a in zip(layers[33:], truth[33:], strict=True)]
    assert max(late) < 0.05


def test_a_cut_gives_empty_mattes_and_is_reported(scene):
    rng = np.random.default_rng(1)
    made = [frame for frame, _ in locked_camera.frames(12)]
    other = [
        type(frame)(rng.integers(0, 256, frame.rgb.shape, dtype=np.uint8), frame.index, frame.time)
        for frame in made[4:8]
    ]
    clip = [*made[:4], *other, *made[8:]]
    loop = FrameLoop(scene, ("alpha", "foreground_display"))
    layers = list(loop.layers(clip))
    assert loop.report.without_plate == [4, 5, 6, 7]
    assert all(not one.alpha.any() for one in layers[4:8])
    assert layers[9].alpha.max() == 1
    assert loop.report.as_json()["without_plate_count"] == 4
    assert loop.report.warnings


def test_a_frame_of_another_size_is_an_error(scene):
    made = next(iter(locked_camera.frames(1)))[0]
    small = type(made)(made.rgb[:60], 0, made.time)
    with pytest.raises(CleanplateError, match="shapes differ"):
        list(FrameLoop(scene, ("alpha",)).layers([small]))


def test_frames_compared_at_the_same_time_come_in_order_with_the_same_layers(scene):
    background = StillBackground("#204060", (HEIGHT, WIDTH))
    options = {"count": 24, "gain": [1.0] * 8 + [0.8] * 16, "shift": {16: 5.0}}
    one, serial, _ = run(scene, ("alpha", "composite"), background, **options)
    made = [frame for frame, _ in locked_camera.frames(**options)]
    loop = FrameLoop(scene, ("alpha", "composite"), background, ahead=2)
    threads = list(loop.layers(iter(made)))
    assert [layers.index for layers in threads] == list(range(24))
    assert loop.report.frames == 24
    # A knock is measured with a matte that is two frames older.
    assert np.abs(np.subtract(loop.report.examined, one.report.examined)).max() <= 2
    for a, b in zip(threads, serial, strict=True):
        assert np.abs(a.alpha - b.alpha).mean() < 0.01
        assert np.abs(a.composite.astype(int) - b.composite).mean() < 2


def test_a_clip_gives_the_same_layers_again_with_threads(scene):
    made = [frame for frame, _ in locked_camera.frames(15, gain=[1.0] * 5 + [0.9] * 10)]
    first, second = (
        list(FrameLoop(scene, ("alpha",), ahead=2).layers(iter(made))) for _ in range(2)
    )
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.alpha, b.alpha)


def test_a_fault_in_a_thread_is_raised_where_its_frame_would_come(scene, monkeypatch):
    made = [frame for frame, _ in locked_camera.frames(8)]
    whole, count = scene.compare, []

    def compare(self, aligned):
        count.append(1)
        if len(count) == 4:
            raise ValueError("broken")
        return whole(aligned)

    monkeypatch.setattr(type(scene), "compare", compare)
    layers = FrameLoop(scene, ("alpha",), ahead=1).layers(iter(made))
    assert [next(layers).index for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(layers)
