"""Time, timecode, audio and tags of what is written, told by FFmpeg's own program."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest

from cleanplate.errors import CleanplateError
from cleanplate.video import ClipFrame, ClipWriter, FrameLayers, open_clip, output_of
from cleanplate.video.movie_encoder import time_base
from tests.video.ffmpeg_program import audio_hash, described, ffmpeg, rgb, times
from tests.video.scenes import scene

SCENE = scene(64, 48)


def layers_of(frame: ClipFrame) -> FrameLayers:
    """Layers as a subject that fills the left half would have them."""
    alpha = np.zeros(frame.rgb.shape[:2], np.float32)
    alpha[:, : alpha.shape[1] // 2] = 1
    return FrameLayers(
        frame.index, frame.time, frame.duration, frame.rgb, frame.rgb, frame.rgb, alpha
    )


def through(
    source: Path, *targets: Path, start: int = 0, stop: int | None = None, audio: bool = True
) -> list[str]:
    """Decode, make layers, encode; the warnings."""
    outputs = [output_of(path) for path in targets]
    cut = start > 0 or stop is not None
    with (
        open_clip(source) as clip,
        ClipWriter(outputs, clip.facts, audio=source if audio else None, cut=cut) as writer,
    ):
        for frame in clip.frames(start, stop):
            writer.write(layers_of(frame))
    return writer.warnings


def varied(path: Path, *options: object) -> Path:
    """Twelve frames with uneven times."""
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc=s=96x64:r=30000/1001:d=0.4", "-vf",
        "setpts='PTS+floor(N/3)*777'", "-fps_mode", "passthrough", "-enc_time_base", "1/30000",
        "-c:v", "libx264", "-bf", "2", "-video_track_timescale", "30000", *options, path,
    )  # fmt: skip
    return path


@pytest.mark.parametrize(
    ("name", "tick"), [("a.mp4", 0), ("a.mov", 0), ("a.webm", Fraction(1, 1000))]
)
def test_variable_times_are_kept(tmp_path: Path, name: str, tick: Fraction) -> None:
    source = varied(tmp_path / "vfr.mp4")
    through(source, tmp_path / name)
    truth, found = times(source), times(tmp_path / name)
    assert len(found) == len(truth) == 12
    # Matroska counts milliseconds.
    assert max(abs(a - b) for a, b in zip(found, truth, strict=True)) <= tick / 2
    assert json.loads((tmp_path / f"{name}.json").read_text("utf-8"))["clip"]["variable"]


def test_sequences_record_variable_times(tmp_path: Path) -> None:
    source = varied(tmp_path / "vfr.mp4")
    through(source, tmp_path / "p.%03d.png")
    record = json.loads((tmp_path / "p.png.json").read_text("utf-8"))
    found = [Fraction(record["times"][str(i)]) for i in range(12)]
    assert found == times(source)


@pytest.mark.parametrize("rate", ["24", "25", "30000/1001", "60000/1001", "12.5"])
def test_constant_rate_is_exact(tmp_path: Path, rate: str) -> None:
    source = tmp_path / "clip.mp4"
    ffmpeg("-f", "lavfi", "-i", f"testsrc=s=64x48:r={rate}:d=1", "-c:v", "libx264", source)
    through(source, tmp_path / "a.mov", tmp_path / "b.mp4")
    for name in ("a.mov", "b.mp4"):
        assert times(tmp_path / name) == times(source)
        with open_clip(tmp_path / name) as clip:
            assert clip.facts.frame_rate == Fraction(rate)
            assert not clip.facts.variable


def test_time_base_holds_stamps_and_rate() -> None:
    facts = SCENE.facts(time_base=Fraction(1, 1000), frame_rate=Fraction(30000, 1001))
    base = time_base(facts)
    assert (Fraction(1, 1000) / base).denominator == 1
    assert (Fraction(1001, 30000) / base).denominator == 1


def test_a_part_begins_at_0_with_its_own_timecode(tmp_path: Path) -> None:
    source = tmp_path / "clip.mov"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc=s=96x64:r=25:d=2", "-timecode", "01:00:00:00",
        "-c:v", "libx264", source,
    )  # fmt: skip
    targets = [tmp_path / name for name in ("a.mov", "b.mp4", "e.%03d.exr")]
    through(source, *targets, start=30, stop=40)
    for path in targets[:2]:
        assert times(path) == [Fraction(i, 25) for i in range(10)]
        assert "timecode        : 01:00:01:05" in described(path)
        record = json.loads(path.with_name(path.name + ".json").read_text("utf-8"))
        assert (record["first_index"], record["frames"]) == (30, 10)
    names = sorted(path.name for path in tmp_path.glob("*.exr"))
    assert names == [f"e.{i:03d}.exr" for i in range(30, 40)]
    spec = oiio.ImageInput.open(str(tmp_path / "e.031.exr")).spec()
    assert spec.getattribute("smpte:TimeCode")[0] == 0x01000106


def test_drop_frame_timecode_stays_so(tmp_path: Path) -> None:
    with ClipWriter([output_of(tmp_path / "a.mov")], SCENE.facts(timecode="00:59:59;28")) as writer:
        for index in range(3):
            writer.write(SCENE.layers(index))
    assert "00:59:59;28" in described(tmp_path / "a.mov")


def sounding(
    path: Path, codec: str, *options: object, seconds: int = 2, picture: str = "testsrc=n=0"
) -> Path:
    ffmpeg(
        "-f", "lavfi", "-i", f"{picture}:s=96x64:r=25:d={seconds}", "-f", "lavfi", "-i",
        f"sine=f=330:d={seconds}", "-c:v", "libx264", "-c:a", codec, "-strict", "-2", *options,
        path,
    )  # fmt: skip
    return path


@pytest.mark.parametrize(
    ("source", "codec", "target"),
    [
        ("s.mp4", "aac", "a.mp4"),
        ("s.mp4", "aac", "a.mov"),
        ("s.mov", "pcm_s16le", "a.mov"),
        ("s.mkv", "libopus", "a.webm"),
        ("s.mkv", "libopus", "a.mp4"),
        ("s.mp4", "libmp3lame", "a.mp4"),
        ("s.mkv", "flac", "a.mp4"),
    ],
)
def test_audio_is_copied_packet_by_packet(
    tmp_path: Path, source: str, codec: str, target: str
) -> None:
    clip = sounding(tmp_path / source, codec)
    assert through(clip, tmp_path / target) == []
    assert audio_hash(tmp_path / target) == audio_hash(clip)
    assert times(tmp_path / target)[0] == 0


@pytest.mark.parametrize(
    ("codec", "target"), [("aac", "a.webm"), ("pcm_s16le", "a.mp4"), ("libopus", "a.mov")]
)
def test_audio_that_a_container_does_not_take_is_left_out_and_said(
    tmp_path: Path, codec: str, target: str
) -> None:
    clip = sounding(tmp_path / "s.mkv", codec)
    (warning,) = through(clip, tmp_path / target)
    assert "left out" in warning
    assert "Audio" not in described(tmp_path / target)
    record = json.loads((tmp_path / f"{target}.json").read_text("utf-8"))
    assert record["warnings"] == [warning]


def test_audio_of_a_part_is_that_of_the_part(tmp_path: Path) -> None:
    """A click at 1 s of the clip is at 0.4 s of the part that begins at 0.6 s."""
    path = tmp_path / "s.mov"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc=s=96x64:r=25:d=2", "-f", "lavfi", "-i",
        "aevalsrc='if(between(t,1,1.01),0.9,0)':s=48000:d=2", "-c:v", "libx264", "-c:a",
        "pcm_s16le", path,
    )  # fmt: skip
    through(path, tmp_path / "a.mov", start=15, stop=40)
    raw = ffmpeg("-i", tmp_path / "a.mov", "-f", "s16le", "-ac", "1", "-")
    sound = np.frombuffer(raw, np.int16)
    assert abs(int(np.argmax(np.abs(sound) > 3000)) / 48000 - 0.4) < 0.03
    assert abs(len(sound) / 48000 - 1.0) < 0.05


def test_without_audio_there_is_none(tmp_path: Path) -> None:
    clip = sounding(tmp_path / "s.mp4", "aac")
    assert through(clip, tmp_path / "a.mp4", audio=False) == []
    assert "Audio" not in described(tmp_path / "a.mp4")


def test_picture_and_audio_of_a_turned_clip_with_odd_name(tmp_path: Path) -> None:
    plain = sounding(tmp_path / "plain.mp4", "aac", seconds=1, picture="gradients=seed=1")
    source = tmp_path / "Drehung – 縦 clip.mp4"
    ffmpeg("-display_rotation", 90, "-i", plain, "-c", "copy", source)
    target = tmp_path / "Aus gabe ü.mp4"
    through(source, target)
    assert " 64x96" in described(target)
    assert "rotation" not in described(target)
    error = rgb(target, (64, 96))[3].astype(int) - rgb(source, (64, 96))[3]
    assert np.abs(error).mean() < 3


def test_pixel_aspect_is_kept(tmp_path: Path) -> None:
    with ClipWriter([output_of(tmp_path / "a.mp4")], SCENE.facts(pixel_aspect=Fraction(4, 3))) as w:
        w.write(SCENE.layers())
    assert "SAR 4:3" in described(tmp_path / "a.mp4")


def test_no_frame_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    writer = ClipWriter([output_of(tmp_path / "a.mp4")], SCENE.facts())
    with pytest.raises(CleanplateError, match="no frame"), writer:
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("premultiplied", [False, True])
def test_raw_rgba(bits: int, premultiplied: bool) -> None:
    stream = io.BytesIO()
    output = output_of("-", bits=bits, premultiplied=premultiplied)
    with ClipWriter([output], SCENE.facts(), stdout=stream) as writer:
        for index in range(3):
            writer.write(SCENE.layers(index))
    width, height = SCENE.size
    kind = np.dtype("<u1" if bits == 8 else "<u2")
    found = np.frombuffer(stream.getvalue(), kind).reshape(3, height, width, 4)
    colour = SCENE.foreground * (SCENE.alpha[..., None] if premultiplied else 1)
    truth = np.concatenate([colour, SCENE.alpha[..., None]], axis=2) * (2**bits - 1)
    assert np.abs(found[2] - truth).max() <= 0.51


PIPE = """
import sys
import numpy as np
from cleanplate.video import ClipWriter, FrameLayers, open_clip, output_of
with open_clip("-", size=(96, 64)) as clip, ClipWriter([output_of("-")], clip.facts) as writer:
    alpha = np.ones((64, 96), np.float32)
    for f in clip.frames():
        writer.write(FrameLayers(f.index, f.time, foreground_display=f.rgb, alpha=alpha))
"""


def test_pipes_at_both_ends_of_a_process(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (5, 64, 96, 3), dtype=np.uint8)
    command = [sys.executable, "-c", PIPE]
    done = subprocess.run(command, input=frames.tobytes(), capture_output=True, check=True)
    found = np.frombuffer(done.stdout, np.uint8).reshape(5, 64, 96, 4)
    assert np.array_equal(found[..., :3], frames)
    assert (found[..., 3] == 255).all()


GONE = """
import os, sys
from cleanplate.errors import CleanplateError
from cleanplate.video import ClipWriter, output_of
from tests.video.scenes import scene
S = scene(160, 120)
try:
    with ClipWriter([output_of("-")], S.facts()) as writer:
        for index in range(1000):
            writer.write(S.layers(index))
except CleanplateError as error:
    os.write(2, error.what.encode())
    os._exit(2)
"""


def test_a_reader_that_goes_away_is_a_plain_error() -> None:
    root = Path(__file__).resolve().parents[2]
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, "-c", GONE], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:  # fmt: skip
        process.stdout.read(1000)
        process.stdout.close()
        assert process.stderr.read() == b"what reads stdout has closed it"
    assert process.returncode == 2
