"""Ctrl-C, kills, full disks and files of other people: real processes, real limits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest

from cleanplate.errors import CleanplateError
from cleanplate.files.ownership import is_own, owned_by, read_record
from cleanplate.video import ClipWriter, FrameLayers, Output, output_of, resume_index
from tests.video.ffmpeg_program import ffmpeg, planes, times
from tests.video.scenes import scene

SCENE = scene(160, 120)
ENDLESS = """
import sys
from pathlib import Path
from tests.video.scenes import scene
from cleanplate.video import ClipWriter, output_of
folder = Path(sys.argv[1])
S = scene(160, 120)
presets = {"m.mkv": "matte"}
outputs = [output_of(folder / name, presets.get(name)) for name in sys.argv[2:]]
with ClipWriter(outputs, S.facts()) as writer:
    for index in range(100000):
        writer.write(S.layers(index))
        print(index, flush=True)
"""
ROOT = Path(__file__).resolve().parents[2]


def started(folder: Path, *names: str, code: str = ENDLESS) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder), *names], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, encoding="utf-8", cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip


def stopped(process: subprocess.Popen[str], number: int, after: int) -> int:
    """Send a signal after some frames; how many were written for sure."""
    with process:
        for line in process.stdout:
            if int(line) >= after:
                break
        process.send_signal(number)
        rest = process.stdout.read().split()
        error = process.stderr.read()
    if number == signal.SIGINT:
        assert "KeyboardInterrupt" in error, error
    return int(rest[-1]) + 1 if rest else after + 1


def write(outputs: list[Output], layers: Iterable[FrameLayers]) -> None:
    with ClipWriter(outputs, SCENE.facts()) as writer:
        for one in layers:
            writer.write(one)


def hidden(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.webm", "m.mkv"])
def test_ctrl_c_leaves_a_file_that_plays(tmp_path: Path, name: str) -> None:
    count = stopped(started(tmp_path, name), signal.SIGINT, 12)
    path = tmp_path / name
    assert len(times(path)) in (count, count + 1)
    ffmpeg("-xerror", "-err_detect", "explode", "-i", path, "-f", "null", "-")
    record = read_record(tmp_path / f"{name}.json")
    assert record["complete"] is False
    assert is_own(path, owned_by(record))
    assert not hidden(tmp_path)


def test_ctrl_c_at_any_moment(tmp_path: Path) -> None:
    """Two signals shortly after each other, at several moments: the file plays all the same."""
    for after in (0, 1, 2, 5):
        folder = tmp_path / str(after)
        folder.mkdir()
        process = started(folder, "a.mp4", "p.%03d.png")
        for line in process.stdout:
            if int(line) >= after:
                break
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.communicate()
        assert len(times(folder / "a.mp4")) >= after + 1
        assert not hidden(folder)
        record = read_record(folder / "p.png.json")
        assert all(is_own(path, owned_by(record)) for path in folder.glob("*.png"))


def test_ctrl_c_does_not_replace_what_was_whole(tmp_path: Path) -> None:
    output = output_of(tmp_path / "a.mp4")
    with ClipWriter([output], SCENE.facts()) as writer:
        for index in range(30):
            writer.write(SCENE.layers(index))
    whole = (tmp_path / "a.mp4").read_bytes()
    stopped(started(tmp_path, "a.mp4"), signal.SIGINT, 3)
    assert (tmp_path / "a.mp4").read_bytes() == whole
    assert read_record(tmp_path / "a.mp4.json")["complete"] is True
    assert 4 <= len(times(tmp_path / "a.part.mp4")) <= 10
    assert is_own(tmp_path / "a.part.mp4", owned_by(read_record(tmp_path / "a.part.mp4.json")))
    assert not hidden(tmp_path)


def test_a_kill_leaves_names_free_and_files_ours(tmp_path: Path) -> None:
    stopped(started(tmp_path, "a.mov", "p.%03d.png"), signal.SIGKILL, 5)
    assert not (tmp_path / "a.mov").exists()
    outputs = [output_of(tmp_path / "a.mov"), output_of(tmp_path / "p.%03d.png")]
    with ClipWriter(outputs, SCENE.facts()) as writer:
        writer.write(SCENE.layers(0))
    assert len(times(tmp_path / "a.mov")) == 1


@pytest.mark.parametrize("name", ["e.%03d.exr", "p.%03d.png"])
def test_a_sequence_goes_on_after_the_last_whole_file(tmp_path: Path, name: str) -> None:
    stopped(started(tmp_path, name), signal.SIGKILL, 5)
    output = output_of(tmp_path / name)
    facts = SCENE.facts()
    index = resume_index([output], facts)
    assert index >= 6
    assert output.names.path(index - 1).exists()
    assert not output.names.path(index).exists()
    before = {path.name: path.read_bytes() for path in tmp_path.glob(f"*{output.suffix}")}
    with ClipWriter([output], facts) as writer:
        for i in range(index, index + 3):
            writer.write(SCENE.layers(i))
    assert resume_index([output], facts) == index + 3
    for known, data in before.items():
        if not known.startswith("."):
            assert (tmp_path / known).read_bytes() == data
    output.names.path(2).unlink()
    assert resume_index([output], facts) == 2
    assert resume_index([output], facts, start=3) == index + 3


def test_resuming_otherwise_is_refused(tmp_path: Path) -> None:
    output = output_of(tmp_path / "p.%03d.png")
    with ClipWriter([output], SCENE.facts()) as writer:
        writer.write(SCENE.layers(0))
    with pytest.raises(CleanplateError, match="other options"):
        resume_index([output_of(tmp_path / "p.%03d.png", bits=16)], SCENE.facts())
    with pytest.raises(CleanplateError, match="other options"):
        resume_index([output], SCENE.facts(name="other.mp4"))
    with pytest.raises(CleanplateError, match="other options"):
        resume_index([output], SCENE.facts(), made_with={"model": "fast"})
    made = {"model": "fast", "size": (512, None)}
    with ClipWriter([output], SCENE.facts(), made_with=made) as writer:
        writer.write(SCENE.layers(0))
    assert resume_index([output], SCENE.facts(), made_with=made) == 1
    with pytest.raises(CleanplateError, match="cannot be resumed"):
        resume_index([output_of(tmp_path / "a.mp4")], SCENE.facts())


def test_a_fault_of_the_clip_keeps_what_was_made(tmp_path: Path) -> None:
    outputs = [output_of(tmp_path / "a.mp4"), output_of(tmp_path / "e.%d.exr")]

    def layers() -> Iterator[FrameLayers]:
        yield from (SCENE.layers(index) for index in range(3))
        raise CleanplateError("is damaged at frame 3")

    with pytest.raises(CleanplateError, match="frame 3"):
        write(outputs, layers())
    assert len(times(tmp_path / "a.mp4")) == 3
    assert read_record(tmp_path / "a.mp4.json")["complete"] is False
    assert len(list(tmp_path.glob("*.exr"))) == 3


LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from tests.video.scenes import scene
from cleanplate.errors import CleanplateError
from cleanplate.video import ClipWriter, output_of
from dataclasses import replace
folder, preset, limit = Path(sys.argv[1]), sys.argv[3] if len(sys.argv) > 3 else None, 60000
S = scene(160, 120)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
rng = np.random.default_rng(0)
try:
    with ClipWriter([output_of(folder / sys.argv[2], preset)], S.facts()) as writer:
        for index in range(400):
            noise = rng.random((120, 160, 3)).astype(np.float32)
            alpha = rng.random((120, 160)).astype(np.float32)
            noisy = {"composite": noise, "foreground_display": noise, "foreground_linear": noise}
            writer.write(replace(S.layers(index), alpha=alpha, **noisy))
except CleanplateError as error:
    print(error)
    sys.exit(2)
"""


@pytest.mark.parametrize(
    "names",
    [
        ["a.mp4"],
        ["a.mov"],
        ["a.webm"],
        ["m.mkv", "matte"],
        ["e.%03d.exr"],
        ["p.%03d.png"],
    ],
)
def test_a_file_that_grows_too_large_leaves_no_half(tmp_path: Path, names: list[str]) -> None:
    """RLIMIT_FSIZE: the system refuses to write on, as on a full disk."""
    process = started(tmp_path, *names, code=LIMITED)
    said, error = process.communicate()
    assert process.returncode == 2, error
    assert names[0].split(".")[0] in said
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".json"]
    assert not list(tmp_path.glob("*.mp4.json"))


@pytest.fixture
def small_disk(tmp_path: Path):
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_no_half_written_file(small_disk: Path) -> None:
    code = textwrap.dedent(LIMITED).replace("limit, limit)", "1 << 30, 1 << 30)")
    for names in (["a.mov"], ["m.mkv", "matte"], ["e.%03d.exr"], ["p.%03d.png"]):
        process = started(small_disk, *names, code=code)
        said, error = process.communicate()
        assert process.returncode == 2, error
        assert "disk is full" in said or "Is the disk full" in said
        files = [path for path in small_disk.iterdir() if path.suffix != ".json"]
        assert all(path.suffix in (".exr", ".png") for path in files)
        for path in files:  # those of a sequence are whole
            assert oiio.ImageBuf(str(path)).read()
            path.unlink()
        for path in small_disk.iterdir():
            path.unlink()


def test_files_of_others_are_not_replaced(tmp_path: Path) -> None:
    for name, preset in (("a.mov", None), ("m.mkv", "matte")):
        (tmp_path / name).write_bytes(b"somebody's")
        with pytest.raises(CleanplateError, match="did not write it"):
            ClipWriter([output_of(tmp_path / name, preset)], SCENE.facts())
        assert (tmp_path / name).read_bytes() == b"somebody's"
        with ClipWriter([output_of(tmp_path / name, preset)], SCENE.facts(), overwrite=True) as w:
            w.write(SCENE.layers())
        assert len(times(tmp_path / name)) == 1


def test_pictures_of_others_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "p.003.png").write_bytes(b"somebody's")
    with pytest.raises(CleanplateError, match="did not write it"):
        write([output_of(tmp_path / "p.%03d.png")], map(SCENE.layers, range(5)))
    assert (tmp_path / "p.003.png").read_bytes() == b"somebody's"


def test_a_changed_file_is_not_replaced_and_an_own_one_is(tmp_path: Path) -> None:
    output = output_of(tmp_path / "a.mov")
    for _ in range(2):
        with ClipWriter([output], SCENE.facts()) as writer:
            writer.write(SCENE.layers())
    with open(tmp_path / "a.mov", "ab") as stream:
        stream.write(b"\0")
    with pytest.raises(CleanplateError, match="changed since"):
        ClipWriter([output], SCENE.facts())


def test_an_earlier_longer_sequence_is_said(tmp_path: Path) -> None:
    output = output_of(tmp_path / "p.%03d.png")
    for count in (5, 2):
        with ClipWriter([output], SCENE.facts()) as writer:
            for index in range(count):
                writer.write(SCENE.layers(index))
    assert "earlier run" in " ".join(writer.warnings)
    assert json.loads((tmp_path / "p.png.json").read_text("utf-8"))["frames"] == 2
    assert len(list(tmp_path.glob("*.png"))) == 5


def test_an_output_that_fails_does_not_take_the_others_along(tmp_path: Path) -> None:
    outputs = [output_of(tmp_path / "a.mp4"), output_of(tmp_path / "p.%03d.png")]

    def layers() -> Iterator[FrameLayers]:
        for index in range(80):
            if index == 63:  # after the names up to here were looked at
                (tmp_path / "p.070.png").write_bytes(b"somebody's")
            yield SCENE.layers(index)

    with pytest.raises(CleanplateError, match="did not write it"):
        write(outputs, layers())
    assert len(times(tmp_path / "a.mp4")) in (64, 65, 70, 71)
    (luma, *_) = planes(tmp_path / "a.mp4", "yuv420p", SCENE.size)[-1]
    assert np.ptp(luma) > 50


def test_no_folder_is_said_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(CleanplateError, match="folder does not exist"):
        ClipWriter([output_of(tmp_path / "none" / "a.mp4")], SCENE.facts())
    (tmp_path / "d.mov").mkdir()
    with pytest.raises(CleanplateError, match="is a folder"):
        ClipWriter([output_of(tmp_path / "d.mov")], SCENE.facts())
