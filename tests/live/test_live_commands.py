"""`cleanplate live` and `cleanplate plate --watch`, run for real on clips in a camera's place."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from fractions import Fraction
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from cleanplate.cli import main
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import read_image, write_image
from cleanplate.live.virtual_camera import VirtualCamera
from cleanplate.video import ClipFacts, ClipWriter, FrameLayers, open_clip, output_of
from tests.live.test_plate_capture import still
from tests.live.virtual_screen import VirtualScreen, until
from tests.predict.tiny_model import write_model
from tests.video import locked_camera
from tests.video.locked_camera import HEIGHT, WIDTH, plate_picture

BACKGROUND = (0x20, 0x40, 0x60)
COLOUR = "#204060"


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A folder with a space in its name: clips, plate, depth, object, model."""
    folder = tmp_path_factory.mktemp("a camera")
    # Played in real time, so that it is long enough for a machine that is busy.
    locked_camera.write_clip(folder / "clip.mp4", 1000)
    write_frames(folder / "empty.mp4", still(10, 1.0) * 50)
    write_image(folder / "plate.png", plate_picture())
    np.save(folder / "depth.npy", np.full((HEIGHT, WIDTH), 4, np.float32))
    write_image(folder / "object.png", np.full((40, 20, 4), 200, np.uint8))
    write_model(folder / "tiny")
    return folder


def write_frames(path, pictures):
    facts = ClipFacts(path.name, WIDTH, HEIGHT, Fraction(25), time_base=Fraction(1, 12800))
    with ClipWriter([output_of(path, quality=4)], facts) as writer:
        for number, picture in enumerate(pictures):
            writer.write(FrameLayers(number, Fraction(number, 25), composite=picture))


def arguments(given, *more):
    return [
        *("live", str(given / "clip.mp4"), "--plate", str(given / "plate.png")),
        *("--model", str(given / "tiny"), "--threads", "1", *map(str, more)),
    ]


def started(command, **environment) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "cleanplate", *command],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def test_without_a_window_it_prints_rate_and_latency(given, tmp_path, capsys):
    report = tmp_path / "report.json"
    more = ("--no-window", "--background", COLOUR, "--frames", 4, "--json", report)
    assert main(arguments(given, *more)) == 0
    printed = capsys.readouterr().out
    assert re.search(r"4 of \d+ frames at [\d.]+ a second \(160 x 120, camera 25\)", printed)
    assert re.search(r"latency: median \d+ ms", printed)
    told = json.loads(report.read_text("utf-8"))
    assert told["frames"] == 4
    assert told["latency_ms"]["p95"] >= told["latency_ms"]["median"] > 0


def test_the_recording_holds_the_composite(given, tmp_path):
    out = tmp_path / "out.mp4"
    more = ("--no-window", "--background", COLOUR, "--record", out, "--frames", 3)
    assert main(arguments(given, *more)) == 0
    with open_clip(out) as clip:
        made = list(clip.frames())
    assert len(made) == 3
    assert np.abs(made[2].rgb[:20, -20:].mean((0, 1)) - BACKGROUND).max() < 6


@pytest.mark.parametrize(
    "more",
    [
        ("--blur", "4"),
        ("--plate-depth", "depth.npy", "--object", "object.png", "--object-distance", "2"),
    ],
)
def test_effects_run(given, tmp_path, more):
    out = tmp_path / "out.mp4"
    more = [str(given / one) if "." in one else one for one in more]
    assert main(arguments(given, *more, "--no-window", "--record", out, "--frames", 2)) == 0
    assert out.exists()


def test_the_plate_is_taken_first_and_can_be_kept(given, tmp_path, capsys):
    clip, saved = given / "empty.mp4", tmp_path / "saved.png"
    command = [
        *("live", str(clip), "--model", str(given / "tiny"), "--no-window", "--countdown", "0"),
        *("--save-plate", str(saved), "--frames", "1", "--threads", "1"),
    ]
    assert main(command) == 0
    assert "stay out" in capsys.readouterr().err
    assert np.abs(read_image(saved) - mean_of(clip)).mean() < 0.7


def mean_of(path) -> np.ndarray:
    with open_clip(path) as clip:
        return np.mean([frame.rgb for frame in clip.frames(0, 50)], 0)


def test_plate_watch_writes_the_median(given, tmp_path, capsys):
    clip, out = given / "empty.mp4", tmp_path / "plate.png"
    assert main(["plate", "--watch", str(clip), "--countdown", "0", "-o", str(out)]) == 0
    told = capsys.readouterr()
    assert "stay out" in told.err
    assert "median of 31 frames" in told.out
    assert read_image(out).dtype == np.uint16
    assert np.abs(read_image(out) / 257 - mean_of(clip)).mean() < 0.7


def test_plate_watch_refuses_what_moves(given, tmp_path, capsys):
    out = tmp_path / "plate.png"
    command = ["plate", "--watch", str(given / "clip.mp4"), "--countdown", "0", "-o", str(out)]
    assert main(command) == 2
    assert "moved" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["live", "none.mp4"], "no such camera"),
        (["live", "0", "--blur", "3", "--background", "red"], "do not go together"),
        (["live", "0", "--object", "o.png"], "go together"),
        (["live", "0", "--object", "o.png", "--object-distance", "2"], "--plate-depth"),
        (["live", "0", "--size", "640"], "not a size"),
        (["plate", "-o", "p.png"], "--watch"),
        (["plate", "a.mp4", "--watch", "0", "-o", "p.png"], "--watch"),
    ],
)
def test_mistakes_are_told(command, said, capsys):
    assert main(command) == 2
    assert said in capsys.readouterr().err


def test_a_plate_of_another_size_is_refused_unless_it_may_be_fitted(given, tmp_path, capsys):
    half = tmp_path / "half.png"
    write_image(half, plate_picture()[::2, ::2])
    command = arguments(given, "--no-window", "--frames", 1)
    command[3] = str(half)
    assert main(command) == 2
    assert "--fit" in capsys.readouterr().err
    assert main([*command, "--fit", "--quiet"]) == 0


def test_ctrl_c_leaves_a_recording_that_plays(given, tmp_path):
    out = tmp_path / "out.mp4"
    more = ("--no-window", "--background", "red", "--record", out)
    process = started(arguments(given, *more))
    until(lambda: any(one.stat().st_size > 1000 for one in tmp_path.glob(".*out*")) or None)
    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "latency" in printed
    assert "Traceback" not in errors
    with open_clip(out) as clip:
        assert sum(1 for _ in clip.frames()) > 0
    assert not list(tmp_path.glob(".*"))


def test_the_window_shows_the_composite_and_obeys_keys(given, virtual_screen: VirtualScreen):
    command = arguments(given, "--background", COLOUR)
    process = started(command, DISPLAY=virtual_screen.display, SDL_VIDEODRIVER="x11")
    corner = (slice(-20, None), slice(-20, None))

    def shows(colour):
        shown = virtual_screen.shown("Cleanplate")
        return shown is not None and (shown[corner] == colour).all()

    try:
        until(lambda: shows(BACKGROUND))
        virtual_screen.focus("Cleanplate")
        virtual_screen.press("m")
        until(lambda: shows((0, 0, 0)))
        virtual_screen.press("c")
        until(lambda: shows(BACKGROUND))
        virtual_screen.press("q")
        printed, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert errors == "", "no banner, no warning"
    assert "latency" in printed
    assert "pygame" not in printed


class FakeDevice:
    """As much of pyvirtualcam as is used."""

    sent: ClassVar[list[np.ndarray]] = []
    closed = 0

    def __init__(self, width, height, fps, fmt):
        assert (width, height, fps, fmt) == (WIDTH, HEIGHT, 25.0, "rgb24")
        self.device = "/dev/video9"

    def send(self, picture):
        self.sent.append(picture.copy())

    def close(self):
        FakeDevice.closed += 1


def test_the_virtual_camera_gets_every_composite(given, monkeypatch, capsys):
    library = SimpleNamespace(Camera=FakeDevice, PixelFormat=SimpleNamespace(RGB="rgb24"))
    monkeypatch.setitem(sys.modules, "pyvirtualcam", library)
    more = ("--no-window", "--virtual-camera", "--background", COLOUR, "--frames", 3)
    assert main(arguments(given, *more)) == 0
    assert "/dev/video9" in capsys.readouterr().err
    assert len(FakeDevice.sent) == 3
    assert FakeDevice.sent[0].shape == (HEIGHT, WIDTH, 3)
    assert (FakeDevice.sent[2][0, -1] == BACKGROUND).all()
    assert FakeDevice.closed == 1


def test_a_virtual_camera_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(CleanplateError, match="pip install pyvirtualcam"):
        VirtualCamera((4, 6), 30)

    def refused(**_):
        raise RuntimeError("no device")

    library = SimpleNamespace(Camera=refused, PixelFormat=SimpleNamespace(RGB=0))
    monkeypatch.setitem(sys.modules, "pyvirtualcam", library)
    with pytest.raises(CleanplateError, match="v4l2loopback"):
        VirtualCamera((4, 6), 30)


def test_the_page_lists_the_keys():
    from cleanplate.live.live_keys import KEYS
    from tests.conftest import ROOT

    page = (ROOT / "docs/live.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w)`[^|]* \| ([^|]+) \|$", page, re.M)
    assert rows == [(one.key.upper(), one.about) for one in KEYS]
