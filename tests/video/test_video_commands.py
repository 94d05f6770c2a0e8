"""`cleanplate video` and `cleanplate plate`, run for real on small clips."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from cleanplate.cli import main
from cleanplate.formats.pictures import read_image, write_image
from cleanplate.video import open_clip, working_size_control
from cleanplate.video.working_size_control import WINDOW
from tests.predict.tiny_model import write_model
from tests.video import locked_camera
from tests.video.locked_camera import HEIGHT, WIDTH, plate_picture


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A folder with a space in its name: clip, plate, model."""
    folder = tmp_path_factory.mktemp("a clip")
    locked_camera.write_clip(folder / "clip.mp4", 12)
    write_image(folder / "plate.png", plate_picture())
    write_model(folder / "tiny")
    return folder


def arguments(given, *more):
    return [
        *("video", str(given / "clip.mp4"), "--plate", str(given / "plate.png")),
        *("--model", str(given / "tiny"), "--threads", "1", *map(str, more)),
    ]


def test_a_clip_becomes_a_composite_that_opens(given, tmp_path, capsys):
    out = tmp_path / "out.mp4"
    assert main(arguments(given, "-o", out, "--background", "#204060")) == 0
    assert "12 frames" in capsys.readouterr().out
    with open_clip(out) as clip:
        made = list(clip.frames())
    assert len(made) == 12
    assert made[3].rgb.shape == (HEIGHT, WIDTH, 3)
    corner = made[3].rgb[:20, -20:].mean((0, 1))
    assert np.abs(corner - (0x20, 0x40, 0x60)).max() < 6


def test_several_outputs_in_one_pass_and_a_report(given, tmp_path):
    report = tmp_path / "report.json"
    names = (tmp_path / "a.mov", tmp_path / "matte.mkv", tmp_path / "seq" / "s.%03d.png")
    outputs = [part for name in names for part in ("-o", name)]
    presets = [part for name in ("prores4444", "matte", "png") for part in ("--preset", name)]
    assert main(arguments(given, *outputs, *presets, "--json", report, "--frames", "2:6")) == 0
    told = json.loads(report.read_text("utf-8"))
    assert told["frames"] == 4
    assert len(list((tmp_path / "seq").glob("*.png"))) == 4
    with open_clip(tmp_path / "matte.mkv") as clip:
        assert len(list(clip.frames())) == 4


def test_a_rate_that_cannot_be_reached_lowers_the_working_size(given, tmp_path, monkeypatch):
    """A frame cannot take less than a nanosecond: after each look the next size is taken."""
    monkeypatch.setattr(working_size_control, "SIZES", (WIDTH, WIDTH - 16))
    report = tmp_path / "report.json"
    options = ["--fps-target", "1e9", "--adapt-plate", "1", "--json", report]
    outputs = ["-o", tmp_path / "matte.mkv", "--preset", "matte"]
    assert main(arguments(given, *outputs, *options)) == 0
    sizes = json.loads(report.read_text("utf-8"))["working_sizes"]
    assert [(one["first_frame"], one["long_side"]) for one in sizes] == [(WINDOW, WIDTH)]


def test_the_plate_can_be_saved_as_it_was_used(given, tmp_path):
    saved = tmp_path / "used.png"
    out = tmp_path / "matte.mkv"
    assert main(arguments(given, "-o", out, "--preset", "matte", "--save-plate", saved)) == 0
    found = read_image(saved)
    assert found.dtype == np.uint16
    assert np.abs(found / 257 - plate_picture()).mean() < 2


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["-o", "out.mp4"], "--background"),
        (["-o", "out.xyz"], "not clear"),
        (["-o", "depth.mkv", "--preset", "depth"], "--plate-depth"),
        (["-o", "a.mov", "--preset", "prores4444", "--preset", "h264"], "name one each"),
        (["-o", "a.mov", "--frames", "5:2"], "not a range"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(given, tmp_path, capsys, more, said):
    more = [str(tmp_path / one) if "." in one and "-" not in one else one for one in more]
    assert main(arguments(given, *more)) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_a_file_that_plays(given, tmp_path):
    locked_camera.write_clip(tmp_path / "long.mp4", 400)
    out = tmp_path / "out.mp4"
    command = arguments(given, "-o", out, "--background", "red", "--quiet")
    command[1] = str(tmp_path / "long.mp4")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "cleanplate", *command], env=environment, stderr=subprocess.PIPE
    )
    for _ in range(600):
        if list(tmp_path.glob(".*out*")) or list(tmp_path.glob("*.part*")) or out.exists():
            break
        time.sleep(0.1)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors.decode()
    with open_clip(out) as clip:
        made = sum(1 for _ in clip.frames())
    assert 0 < made <= 400
    assert not list(tmp_path.glob(".*"))


def test_raw_frames_through_pipes(given, tmp_path):
    frames = [frame.rgb for frame, _ in locked_camera.frames(4)]
    command = arguments(given, "-o", "-", "--pipe-size", f"{WIDTH}x{HEIGHT}", "--quiet")
    command[1] = "-"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", "cleanplate", *command],
        env=environment,
        input=b"".join(one.tobytes() for one in frames),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    rgba = np.frombuffer(done.stdout, np.uint8).reshape(-1, HEIGHT, WIDTH, 4)
    assert len(rgba) == 4
    truth = locked_camera.disc(2, 4)
    assert np.abs(rgba[2, ..., 3] / 255 - truth).mean() < 0.03


def test_a_plate_of_a_clip(tmp_path, capsys):
    clip = locked_camera.write_clip(tmp_path / "clip.mp4", 48)
    out, sure = tmp_path / "plate.png", tmp_path / "confidence.png"
    assert main(["plate", str(clip), "-o", str(out), "--confidence", str(sure)]) == 0
    assert "48 of 48 frames" in capsys.readouterr().out
    assert read_image(out).dtype == np.uint16
    assert np.median(np.abs(read_image(out) / 257 - plate_picture())) < 3
    assert read_image(sure).shape[:2] == (HEIGHT, WIDTH)


def test_a_plate_that_was_not_seen_is_refused(tmp_path, capsys):
    clip = locked_camera.write_clip(tmp_path / "clip.mp4", 6)
    out = tmp_path / "plate.png"
    assert main(["plate", str(clip), "-o", str(out), "--require", "0.999"]) == 2
    assert "seen empty" in capsys.readouterr().err
    assert not out.exists()
