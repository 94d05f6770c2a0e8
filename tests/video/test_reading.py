"""Clips that FFmpeg's own program made, read again: time, ranges, pipes, damage."""

from __future__ import annotations

import io
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import write_image
from cleanplate.video import Clip, ClipFrame, ClipWriter, FrameLayers, open_clip, output_of
from tests.video.ffmpeg_program import ffmpeg, times

SIZE = (96, 64)


def read(
    path: Path | str, start: int = 0, stop: int | None = None, **how: object
) -> list[ClipFrame]:
    with open_clip(path, **how) as clip:
        return list(clip.frames(start, stop))


def counting(path: Path, count: int, *options: object, rate: str = "25") -> Path:
    """A clip whose frame i is grey of level 40 + 4 i (limited range), so that frames are known."""
    levels = np.repeat((40 + 4 * np.arange(count)).astype(np.uint8), SIZE[0] * SIZE[1])
    chroma = np.full((count, SIZE[0] * SIZE[1] // 2), 128, np.uint8)
    luma = levels.reshape(count, -1)
    data = np.concatenate([luma, chroma], axis=1).tobytes()
    ffmpeg(
        "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{SIZE[0]}x{SIZE[1]}", "-r", rate, "-i",
        "-", *(options or ("-c:v", "libx264", "-qp", "0", "-bf", "3")), path, stdin=data,
    )  # fmt: skip
    return path


def number_of(frame: ClipFrame) -> int:
    """Which frame of `counting` it is."""
    luma = np.median(frame.rgb) / np.iinfo(frame.rgb.dtype).max * 219 + 16
    return round((luma - 40) / 4)


CONTAINERS = {
    "clip.mp4": ("-c:v", "libx264", "-qp", "0", "-bf", "3", "-g", "10"),
    "open.mkv": (
        "-c:v",
        "libx264",
        "-qp",
        "0",
        "-bf",
        "3",
        "-g",
        "12",
        "-x264-params",
        "open-gop=1",
    ),
    "clip.ts": ("-c:v", "libx264", "-qp", "0", "-bf", "2", "-g", "10"),
    "clip.webm": ("-c:v", "libvpx-vp9", "-lossless", "1", "-g", "10"),
    "clip.mov": ("-c:v", "prores_ks", "-profile:v", "3"),
    "clip.avi": ("-c:v", "mpeg4", "-q:v", "2", "-bf", "2", "-g", "10"),
    "h265.mp4": ("-c:v", "libx265", "-x265-params", "lossless=1:keyint=10:log-level=none"),
}


@pytest.mark.parametrize("name", list(CONTAINERS))
def test_ranges_give_exactly_the_frames(tmp_path: Path, name: str) -> None:
    path = counting(tmp_path / name, 40, *CONTAINERS[name])
    whole = read(path)
    assert [number_of(frame) for frame in whole] == list(range(40))
    assert [frame.index for frame in whole] == list(range(40))
    for start, stop in [(0, 5), (1, 2), (9, 11), (10, 20), (23, None), (39, None), (17, 17)]:
        part = read(path, start, stop)
        assert [number_of(frame) for frame in part] == list(range(40))[start:stop]
        assert [(f.index, f.time) for f in part] == [(f.index, f.time) for f in whole[start:stop]]
    with pytest.raises(CleanplateError, match="no frame 40"):
        read(path, 40)


def test_times_are_exact_where_the_rate_varies(tmp_path: Path) -> None:
    steady, path = tmp_path / "steady.mp4", tmp_path / "vfr.mp4"
    counting(steady, 12, rate="30000/1001")
    ffmpeg(
        "-i", steady, "-vf", "setpts='PTS+floor(N/3)*777'", "-fps_mode", "passthrough",
        "-enc_time_base", "1/30000", "-c:v", "libx264", "-qp", "0", "-bf", "2",
        "-video_track_timescale", "30000", path,
    )  # fmt: skip
    found = [frame.time for frame in read(path)]
    assert found == times(path)
    assert len(set(np.diff([float(one) for one in found]).round(6))) > 1
    with open_clip(path) as clip, open_clip(steady) as other:
        assert clip.facts.variable
        assert not other.facts.variable
        assert other.facts.frame_rate == Fraction(30000, 1001)
        assert other.facts.frames == clip.facts.frames == 12


def test_timecode_and_audio_are_told(tmp_path: Path) -> None:
    path = tmp_path / "clip.mov"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc=s=96x64:r=25:d=1", "-f", "lavfi", "-i",
        "sine=r=44100:d=1", "-ac", "2", "-timecode", "10:20:30:05", "-c:v", "libx264",
        "-c:a", "aac", path,
    )  # fmt: skip
    with open_clip(path) as clip:
        assert clip.facts.timecode == "10:20:30:05"
        (sound,) = clip.facts.audio
        assert (sound.codec, sound.sample_rate, sound.channels) == ("aac", 44100, 2)
        assert clip.facts.duration == 1


@pytest.mark.parametrize(
    "name", ["clip with spaces.mp4", "Aufnahme süß – 撮影.mp4", "10:30 take%2.mp4"]
)
def test_any_name_will_do(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = counting(tmp_path / name, 3)
    assert len(read(path)) == 3
    assert len(read(name)) == 3
    with open_clip(name) as clip, ClipWriter([output_of(f"made {name}")], clip.facts) as writer:
        for frame in clip.frames():
            writer.write(FrameLayers(frame.index, frame.time, composite=frame.rgb))
    assert len(read(f"made {name}")) == 3


def cut_short(clip: Clip) -> tuple[int, list[str]]:
    return sum(1 for _ in clip.frames()), clip.warnings


def test_a_file_that_is_cut_short_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    path = counting(tmp_path / "clip.mkv", 100, "-c:v", "ffv1")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    with open_clip(path) as clip:
        count, warnings = cut_short(clip)
    assert 30 < count < 90
    assert warnings


def test_damage_in_the_middle_is_said(tmp_path: Path) -> None:
    path = counting(tmp_path / "clip.mp4", 60, "-c:v", "libx264", "-qp", "10", "-g", "10")
    data = bytearray(path.read_bytes())
    middle = len(data) // 3
    data[middle : middle + 400] = np.random.default_rng(0).bytes(400)
    path.write_bytes(data)
    with open_clip(path) as clip:
        count, warnings = cut_short(clip)
    assert count > 20
    assert warnings


@pytest.mark.parametrize("content", [b"", b"not a video, a text " * 40, b"\0" * 5000])
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(CleanplateError) as caught:
        open_clip(path)
    assert caught.value.cure


def test_mp4_without_its_index_is_refused(tmp_path: Path) -> None:
    path = counting(tmp_path / "clip.mp4", 30)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CleanplateError, match="damaged"):
        open_clip(path)


def test_missing_file_and_sound_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CleanplateError, match="does not exist"):
        open_clip(tmp_path / "none.mp4")
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.2", tmp_path / "sound.wav")
    with pytest.raises(CleanplateError, match="no video"):
        open_clip(tmp_path / "sound.wav")


def test_a_clip_larger_than_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = counting(tmp_path / "clip.mp4", 2)
    monkeypatch.setenv("CLEANPLATE_MAX_PIXELS", "6000")
    with pytest.raises(CleanplateError, match="limit of 6000"):
        open_clip(path)


def test_pictures_are_a_clip(tmp_path: Path) -> None:
    pictures = [np.full((6, 8, 3), 10 * i, np.uint16) for i in range(5)]
    for i, picture in enumerate(pictures):
        write_image(tmp_path / f"shot.{1001 + i}.png", picture)
    for source in (tmp_path, tmp_path / "shot.%04d.png"):
        with open_clip(source, frame_rate=Fraction(24)) as clip:
            found = list(clip.frames(1, 4))
            assert clip.facts.frames == 5
            assert clip.facts.bits == 16
        assert [int(frame.rgb[0, 0, 0]) for frame in found] == [10, 20, 30]
        assert [frame.time for frame in found] == [Fraction(i, 24) for i in (1, 2, 3)]
    with open_clip(tmp_path / "shot.%04d.png") as clip:
        assert clip.facts.first_number == 1001
        assert "25 is assumed" in " ".join(clip.facts.notes)
    (tmp_path / "shot.1003.png").unlink()
    with pytest.raises(CleanplateError, match=r"1 pictures are missing, the first is shot\.1003"):
        open_clip(tmp_path / "shot.%04d.png")
    write_image(tmp_path / "shot.1003.png", np.zeros((7, 8, 3), np.uint8))
    with open_clip(tmp_path) as clip, pytest.raises(CleanplateError, match="8 x 7"):
        list(clip.frames())


def test_raw_frames_through_a_pipe() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (4, 30, 42, 3), dtype=np.uint8)
    stream = io.BytesIO(frames.tobytes())
    with open_clip(stream, size=(42, 30), frame_rate=Fraction(50)) as clip:
        found = list(clip.frames(1))
        assert clip.facts.frame_rate == 50
        with pytest.raises(CleanplateError, match="read once"):
            clip.frames()
    assert [frame.time for frame in found] == [Fraction(i, 50) for i in (1, 2, 3)]
    assert np.array_equal(np.stack([frame.rgb for frame in found]), frames[1:])


def test_y4m_through_a_real_pipe(tmp_path: Path) -> None:
    path = counting(tmp_path / "clip.mp4", 7)
    data = ffmpeg("-i", path, "-f", "yuv4mpegpipe", "-")
    code = (
        "import numpy as np\nfrom cleanplate.video import open_clip\n"
        "with open_clip('-') as clip:\n"
        "    print(clip.facts.frame_rate, *(int(np.median(f.rgb)) for f in clip.frames()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True)
    levels = [round((24 + 4 * i) / 219 * 255) for i in range(7)]
    assert done.stdout.decode().split() == ["25", *map(str, levels)]


@pytest.mark.parametrize(
    ("data", "how", "message"),
    [
        (b"", {"size": (8, 8)}, "no frame|damaged"),
        (b"", {"pipe_format": "rgb24"}, "size"),
        (b"", {"pipe_format": "h264"}, "cannot read"),
        (b"YUV5", {}, "damaged"),
    ],
)
def test_pipes_that_say_nothing_are_refused(data: bytes, how: dict, message: str) -> None:
    with pytest.raises(CleanplateError, match=message):
        open_clip(io.BytesIO(data), **how)


def test_memory_does_not_grow_with_the_clip(tmp_path: Path) -> None:
    """A frame is let go before the next but few is there: 200 frames of 2.7 MB, 70 MB more."""
    path = tmp_path / "clip.mp4"
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "testsrc=s=1280x720:r=25:d=8",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        path,
    )
    code = (
        "import resource, sys\nfrom cleanplate.video import open_clip\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "with open_clip(sys.argv[1], threads=1) as clip:\n"
        "    for frame in clip.frames():\n"
        "        if frame.index == 20: before = peak()\n"
        "print(frame.index, peak() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=True)
    index, grown = map(int, done.stdout.split())
    assert index == 199
    assert grown < 70


def test_a_cover_picture_is_no_clip(tmp_path: Path) -> None:
    write_image(tmp_path / "cover.png", np.zeros((32, 32, 3), np.uint8))
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.2", tmp_path / "plain.mp3")
    ffmpeg(
        "-i", tmp_path / "plain.mp3", "-i", tmp_path / "cover.png", "-map", "0", "-map", "1",
        "-c:v", "png", "-disposition:v", "attached_pic", tmp_path / "covered.mp3",
    )  # fmt: skip
    with pytest.raises(CleanplateError, match="no video"):
        open_clip(tmp_path / "covered.mp3")
