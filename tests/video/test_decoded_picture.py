"""The picture of a decoded frame: its colours, and which way it is up."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cleanplate.errors import CleanplateError
from cleanplate.video import open_clip
from tests.video.ffmpeg_program import ffmpeg, rgb
from tests.video.scenes import rgb_of, smooth, ycbcr
from tests.video.test_reading import SIZE, read

MATRIX_TAGS = {"bt709": "bt709", "bt601": "smpte170m", "bt2020": "bt2020nc"}


def raw(planes: list[np.ndarray], kind: type) -> bytes:
    return b"".join(np.ascontiguousarray(plane, kind).tobytes() for plane in planes)


@pytest.mark.parametrize("matrix", list(MATRIX_TAGS))
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("bits", [8, 10])
def test_tagged_matrix_and_range_are_used(
    tmp_path: Path, matrix: str, full: bool, bits: int
) -> None:
    picture = smooth(np.random.default_rng(0), SIZE[::-1])
    kind = np.uint8 if bits == 8 else np.uint16
    planes = [np.rint(p) for p in ycbcr(picture, matrix, full, bits)]
    pixels = "yuv444p" if bits == 8 else "yuv444p10le"
    path = tmp_path / "clip.mkv"
    ffmpeg(
        "-f", "rawvideo", "-pix_fmt", pixels, "-s", f"{SIZE[0]}x{SIZE[1]}",
        "-color_range", "pc" if full else "tv", "-colorspace", MATRIX_TAGS[matrix],
        "-color_primaries", "bt709", "-color_trc", "bt709", "-i", "-", "-c:v", "ffv1",
        "-color_range", "pc" if full else "tv", "-colorspace", MATRIX_TAGS[matrix],
        "-color_primaries", "bt709", "-color_trc", "bt709", path, stdin=raw(planes, kind),
    )  # fmt: skip
    with open_clip(path) as clip:
        frame = next(iter(clip.frames()))
        facts = clip.facts
    assert (facts.matrix, facts.colour_range) == (
        MATRIX_TAGS[matrix],
        "full" if full else "limited",
    )
    assert {"matrix", "colour_range"} <= facts.tagged
    assert not facts.notes
    assert facts.bits == bits
    assert frame.rgb.dtype == kind
    truth = np.clip(rgb_of(planes, matrix, full, bits), 0, 1)
    assert (
        np.abs(frame.rgb / np.iinfo(kind).max - truth).max() <= (0.51 if bits == 8 else 0.01) / 255
    )


@pytest.mark.parametrize(("width", "height", "matrix"), [(96, 64, "bt601"), (1280, 64, "bt709")])
def test_untagged_colour_is_assumed_by_size_and_said(
    tmp_path: Path, width: int, height: int, matrix: str
) -> None:
    picture = smooth(np.random.default_rng(0), (height, width))
    planes = [np.rint(p) for p in ycbcr(picture, matrix, False, 8)]
    path = tmp_path / "clip.y4m"
    header = f"YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C444\nFRAME\n"
    path.write_bytes(header.encode() + raw(planes, np.uint8))
    with open_clip(path) as clip:
        found = next(iter(clip.frames())).rgb
        said = " ".join(clip.facts.notes)
    assert "BT.709 is assumed" in said if matrix == "bt709" else "BT.601 is assumed" in said
    assert "limited is assumed" in said
    truth = np.clip(rgb_of(planes, matrix, False, 8), 0, 1)
    assert np.abs(found / 255 - truth).max() <= 0.51 / 255


@pytest.mark.parametrize(
    "pixels", ["yuv420p", "yuv422p", "yuv444p", "nv12", "gray", "rgb24", "yuyv422"]
)
def test_pixel_formats_give_the_picture(tmp_path: Path, pixels: str) -> None:
    picture = smooth(np.random.default_rng(5), SIZE[::-1], cell=40)
    if pixels == "gray":
        picture = np.repeat(picture[..., :1], 3, axis=2)
    path = tmp_path / "clip.nut"
    ffmpeg(
        "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{SIZE[0]}x{SIZE[1]}", "-i", "-", "-vf",
        "scale=out_color_matrix=bt601:flags=accurate_rnd+full_chroma_int", "-pix_fmt", pixels,
        "-c:v", "rawvideo", path, stdin=np.rint(picture * 255).astype(np.uint8).tobytes(),
    )  # fmt: skip
    error = read(path)[0].rgb / 255 - picture
    assert np.abs(error).mean() < 1.5 / 255
    assert np.abs(error).max() < 8 / 255


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("flip", ["", "h", "v"])
def test_frames_are_upright_as_ffmpeg_turns_them(tmp_path: Path, turn: int, flip: str) -> None:
    plain, turned = tmp_path / "plain.mp4", tmp_path / "turned.mp4"
    picture = (smooth(np.random.default_rng(1), SIZE[::-1]) * 255).astype(np.uint8)
    ffmpeg(
        "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{SIZE[0]}x{SIZE[1]}", "-i", "-",
        "-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv444p", plain, stdin=picture.tobytes(),
    )  # fmt: skip
    flips = [f"-display_{flip}flip"] if flip else []
    ffmpeg("-display_rotation", turn, *flips, "-i", plain, "-c", "copy", turned)
    size = SIZE if turn % 180 == 0 else SIZE[::-1]
    truth = rgb(turned, size)[0]  # FFmpeg turns by itself
    with open_clip(turned) as clip:
        found = next(iter(clip.frames())).rgb
        assert (clip.facts.width, clip.facts.height) == size
        assert clip.facts.mirrored == bool(flip)
    assert found.shape == truth.shape
    assert np.abs(found.astype(int) - truth).max() <= 2


def hdr(path: Path, transfer: str) -> Path:
    ffmpeg(
        "-f", "lavfi", "-i", "color=c=gray:s=96x64:d=0.2,format=yuv420p10le", "-c:v", "libx265",
        "-x265-params", f"log-level=none:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc",
        path,
    )  # fmt: skip
    return path


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_is_refused_or_tone_mapped(tmp_path: Path, transfer: str) -> None:
    path = hdr(tmp_path / "hdr.mp4", transfer)
    with pytest.raises(CleanplateError, match="HDR") as caught:
        open_clip(path)
    assert "hable" in caught.value.cure
    with open_clip(path, tone_map="hable") as clip:
        frame = next(iter(clip.frames()))
        assert clip.facts.tone_map == "hable"
        assert any("tone-mapped" in note for note in clip.facts.notes)
    assert frame.rgb.dtype == np.uint16
    # Mid-grey code 0.5 is 92 cd/m2 of PQ and a twelfth of HLG's scene light: a mid-tone of sRGB.
    assert 0.3 < frame.rgb.mean() / 65535 < 0.65
    with pytest.raises(CleanplateError, match="no tone map"):
        open_clip(path, tone_map="magic")


def test_linear_light_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "linear.mkv"
    ffmpeg(
        "-f", "lavfi", "-i", "color=c=gray:s=96x64:d=0.1,format=yuv444p", "-vf",
        "setparams=color_trc=linear", "-c:v", "ffv1", path,
    )  # fmt: skip
    with pytest.raises(CleanplateError, match="not display-coded"):
        open_clip(path)


def test_tilted_colours_are_not_swapped(tmp_path: Path) -> None:
    path = tmp_path / "red.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=c=red:s=96x64:d=0.1", "-c:v", "libx264", path)
    red = read(path)[0].rgb.reshape(-1, 3).mean(axis=0)
    assert red[0] > 250
    assert max(red[1:]) < 5
    assert cv2.cvtColor(np.uint8([[red]]), cv2.COLOR_RGB2HSV)[0, 0, 0] <= 2
