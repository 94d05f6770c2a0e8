"""Which presets go into which files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cleanplate.errors import CleanplateError
from cleanplate.video import PRESETS, ClipWriter, output_of
from tests.video.scenes import scene


@pytest.mark.parametrize(
    ("path", "preset"),
    [
        ("a.mp4", "h264"),
        ("a.MOV", "prores4444"),
        ("a.webm", "vp9"),
        ("shot.%04d.png", "png"),
        ("shot.%d.exr", "exr"),
        ("-", "rgba"),
    ],
)
def test_suffix_says_what_is_meant(path: str, preset: str) -> None:
    assert output_of(path).preset.name == preset


@pytest.mark.parametrize(
    ("path", "preset"),
    [
        ("a.mp4", "prores4444"),
        ("a.webm", "h264"),
        ("a.mov", "vp9"),
        ("a.mp4", "depth"),
        ("a.avi", "h264"),
        ("a.png", "exr"),
        ("a.mp4", "png"),
        ("a.mkv", None),
        ("a", None),
        ("a.gif", None),
        ("-", "h264"),
    ],
)
def test_other_pairs_are_refused_with_a_list(path: str, preset: str | None) -> None:
    with pytest.raises(CleanplateError) as caught:
        output_of(path, preset)
    assert all(name in caught.value.cure for name in PRESETS)


def test_folder_gets_numbered_names(tmp_path: Path) -> None:
    for preset in ("png", "exr"):
        output = output_of(tmp_path / "frames", preset)
        assert output.path == tmp_path / "frames" / f"%06d.{preset}"
        assert output.names.name(12) == f"000012.{preset}"


@pytest.mark.parametrize(
    ("path", "how", "message"),
    [
        ("a.%d.png", {"premultiplied": True}, "straight"),
        ("a.%d.exr", {"space": "display"}, "no space display"),
        ("a.mov", {"bits": 8}, "no bits 8"),
        ("a.%d.exr", {"compression": "piz"}, "no compression"),
        ("a.mov", {"preset": "prores"}, "no preset"),
        ("a.png", {}, "no pattern"),
        ("a.%d.%d.png", {}, "no pattern"),
    ],
)
def test_impossible_wishes_are_refused(path: str, how: dict, message: str) -> None:
    with pytest.raises(CleanplateError, match=message):
        output_of(path, **how)


def test_defaults_are_what_each_format_expects() -> None:
    assert output_of("a.mov").premultiplied
    assert output_of("a.%d.exr").premultiplied
    assert not output_of("a.webm").premultiplied
    assert not output_of("a.%d.png").premultiplied
    assert output_of("a.%d.exr").space == "linear"
    assert output_of("a.mov").space == "display"


def test_needs_name_the_layers_that_are_written(tmp_path: Path) -> None:
    facts = scene().facts()
    outputs = [output_of(tmp_path / "a.mp4"), output_of(tmp_path / "m.mkv", "matte")]
    assert ClipWriter(outputs, facts).needs == {"composite", "alpha"}
    exr = output_of(tmp_path / "a.%d.exr", with_depth=True)
    assert exr.needs == {"foreground_linear", "alpha", "depth"}
    assert output_of(tmp_path / "a.mov").needs == {"foreground_display", "alpha"}


def test_without_pyav_the_extra_is_named() -> None:
    code = (
        "import sys\nsys.modules['av'] = None\n"
        "from cleanplate.video import PRESETS, output_of\noutput_of('a.mov')\n"
        "from cleanplate.errors import MissingExtraError\n"
        "try:\n    from cleanplate.video import open_clip\n"
        "except MissingExtraError as error:\n    print(error.extra, 'av' in error.what)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.split() == [b"video", b"True"]


def test_one_path_twice_is_refused(tmp_path: Path) -> None:
    outputs = [output_of(tmp_path / "a.mov"), output_of(tmp_path / "a.mov", "matte")]
    with pytest.raises(CleanplateError, match="two outputs"):
        ClipWriter(outputs, scene().facts())
    with pytest.raises(CleanplateError, match="nothing to write"):
        ClipWriter([], scene().facts())
