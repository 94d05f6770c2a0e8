"""`-`: a frame on the standard input, one picture on the standard output."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cleanplate.formats.pictures import read_alpha, read_image, read_rgba


def piped(tiny: Path, files: Path, *arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:  # fmt: skip # noqa: E501
    command = [sys.executable, "-m", "cleanplate", "predict", "--model", str(tiny), "--threads",
               "1", "--plate", str(files / "plate.png"), *arguments]  # fmt: skip
    return subprocess.run(command, input=data, capture_output=True, check=False, timeout=120)


def test_a_frame_in_a_matte_out(tiny: Path, files: Path, tmp_path: Path) -> None:
    frame = files / "frames" / "one.png"
    done = piped(tiny, files, "-", "-o", "-", "--save", "alpha", data=frame.read_bytes())
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    (tmp_path / "alpha.png").write_bytes(done.stdout)
    alpha = read_alpha(tmp_path / "alpha.png")
    assert alpha.shape == (120, 160)
    assert alpha.max() == 1
    assert alpha.min() == 0


def test_a_frame_from_the_input_goes_to_a_folder_by_the_name_frame(tiny: Path, files: Path) -> None:
    frame = files / "frames" / "one.png"
    out = files / "out"
    done = piped(tiny, files, "-", "-o", str(out), "--save", "alpha", data=frame.read_bytes())
    assert done.returncode == 0, done.stderr
    assert {path.name for path in out.iterdir()} == {"frame.alpha.png", "frame.json"}


@pytest.mark.parametrize("kind", ["foreground", "preview", "composite"])
def test_each_kind_is_a_png(tiny: Path, files: Path, tmp_path: Path, kind: str) -> None:
    options = ["--background", "white"] if kind == "composite" else []
    frame = str(files / "frames" / "one.png")
    done = piped(tiny, files, frame, "-o", "-", "--save", kind, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"\x89PNG")
    (tmp_path / "out.png").write_bytes(done.stdout)
    assert read_image(tmp_path / "out.png").size > 0
    if kind == "foreground":
        assert read_rgba(tmp_path / "out.png")[1] is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-", "-o", "-"], b"name it with --save"),
        (["-", "-o", "-", "--save", "alpha,shadow"], b"name it with --save"),
        (["-", "-o", "-", "--save", "depth"], b"--plate-depth"),
        (["-", "-o", "-", "--save", "alpha", "--json", "-"], b"both write to the standard output"),
        (["-", "frame.png", "-o", "out"], b"stands alone"),
        (["{frames}", "-o", "-", "--save", "alpha"], b"these are 2"),
        (["-", "-o", "-", "--save", "alpha"], b"standard input"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written_to_the_output(
    tiny: Path, files: Path, arguments: list[str], message: bytes
) -> None:
    given = [argument.format(frames=files / "frames") for argument in arguments]
    done = piped(tiny, files, *given, data=b"no picture")
    assert done.returncode == 2
    assert message in done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout == b""
    assert np.all([not path.name.startswith("out") for path in files.iterdir()])
