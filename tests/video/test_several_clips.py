"""`cleanplate video` on several clips: in this process, on two processes, on a local Ray."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("av")

from cleanplate.cli import main
from cleanplate.formats.pictures import write_image
from cleanplate.video import clip_batch, open_clip
from tests.predict.tiny_model import write_model
from tests.video import locked_camera
from tests.video.locked_camera import plate_picture

posix = pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray")
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> Path:
    """Three clips and a file that is none, their plate, a model, and what single runs make."""
    folder = tmp_path_factory.mktemp("several")
    (folder / "clips").mkdir()
    for number, name in enumerate("acd"):
        locked_camera.write_clip(folder / "clips" / f"{name}.mp4", 5 + number, gain=1 + number / 20)
    for record in (folder / "clips").glob("*.json"):
        record.unlink()  # what Cleanplate wrote is no clip of a folder
    (folder / "clips" / "b.mp4").write_bytes(b"no clip at all")
    write_image(folder / "plate.png", plate_picture())
    write_model(folder / "tiny")
    for name in "acd":
        single = ["-o", folder / "single" / name, "--preset", "png"]
        assert main(arguments(folder, f"clips/{name}.mp4", *single)) == 0
    return folder


def arguments(folder: Path, clips: str, *more) -> list[str]:
    return [
        *("video", str(folder / clips), "--plate", str(folder / "plate.png")),
        *("--model", str(folder / "tiny"), "--threads", "1", "--quiet", *map(str, more)),
    ]


def content(folder: Path) -> dict[str, object]:
    """Bytes of each picture and, without its seal, of each report."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".json":
            report = json.loads(path.read_text("utf-8"))
            found[path.relative_to(folder).as_posix()] = {**report, "seal": None}
        elif path.is_file():
            found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found


def pictures(folder: Path) -> dict[str, bytes]:
    """Bytes of each picture that has its name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*.png"))
        if not path.name.startswith(".")
    }


ENGINES = {
    "here": [],
    "processes": ["--workers", "2"],
    "ray": ["--engine", "ray", "--workers", "2"],
}


@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_files_as_of_single_runs_and_a_bad_clip_is_named(
    cluster, given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: str
):
    out, report = tmp_path / "out", tmp_path / "report.json"
    more = ["-o", out, "--preset", "png", "--json", report, *ENGINES[engine]]
    assert main(arguments(given, "clips", *more)) == 2
    told = capsys.readouterr()
    assert "1 of 4 clips failed" in told.err
    assert "b.mp4" in told.err
    assert "Traceback" not in told.err
    document = json.loads(report.read_text("utf-8"))
    assert [Path(one["clip"]).stem for one in document["clips"]] == ["a", "c", "d"]
    assert [one["frames"] for one in document["clips"]] == [5, 6, 7]
    assert [Path(one["clip"]).stem for one in document["failed"]] == ["b"]
    assert content(out) == content(given / "single")


def test_a_plate_for_each_clip_and_several_outputs(given: Path, tmp_path: Path):
    plates = tmp_path / "plates"
    plates.mkdir()
    for name in "ac":
        write_image(plates / f"{name}.png", plate_picture())
    command = arguments(given, "clips/a.mp4", "-o", tmp_path / "m", "--preset", "matte",
                        "-o", tmp_path / "{name}.seen.mp4", "--preset", "h264",
                        "--background", "red")  # fmt: skip
    command[2:2] = [str(given / "clips" / "c.mp4")]
    command[command.index("--plate") + 1] = str(plates / "{name}.png")
    assert main(command) == 0
    for made, frames in {"m/a.mkv": 5, "m/c.mkv": 6, "a.seen.mp4": 5, "c.seen.mp4": 6}.items():
        with open_clip(tmp_path / made) as clip:
            assert len(list(clip.frames())) == frames


def test_clips_that_are_done_are_left_by_resume(given: Path, tmp_path: Path):
    out, report = tmp_path / "out", tmp_path / "report.json"
    for name in "ac":
        shutil.copytree(given / "single" / name, out / name)
    (out / "c" / "000004.png").unlink()
    more = ["-o", out, "--preset", "png", "--resume", "--json", report]
    assert main(arguments(given, "clips/[ac].mp4", *more)) == 0
    made = json.loads(report.read_text("utf-8"))["clips"]
    assert [one["frames"] for one in made] == [0, 2]
    assert made[0]["notes"] == ["all frames were there already"]
    assert pictures(out).keys() == {name for name in pictures(given / "single") if name[0] != "d"}


def test_mistakes_are_told_before_anything_is_written(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for more, said in (
        (["-o", tmp_path / "x.mov"], "one output for several clips"),
        (["-o", tmp_path, "--preset", "vp9", "--preset", "png"], "name one each"),
        (["-o", tmp_path / "{name}.mp4"], "--background"),
        (["-o", tmp_path / "{name}.mov", "--ray-address", "auto"], "--engine ray"),
    ):
        assert main(arguments(given, "clips", *more)) == 2
        assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert main(arguments(given, "clips/a.mp4", "-o", "-", "--engine", "ray")) == 2
    assert "leave --engine ray out" in capsys.readouterr().err


class Dying(clip_batch._Clips):
    """Is killed at the fourth frame of `c`, the first time."""

    def __call__(self, task, tick):
        marker = Path(os.environ["CLEANPLATE_TEST_FOLDER"])

        def ticking(count: int) -> None:
            if task.name == "c" and count == 4 and not (marker / "died").exists():
                (marker / "died").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            tick(count)

        return super().__call__(task, ticking)


@posix
@pytest.mark.parametrize("engine", ["processes", "ray"])
def test_the_clip_of_a_killed_worker_is_done_again(
    cluster, given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
):
    monkeypatch.setenv("CLEANPLATE_TEST_FOLDER", str(tmp_path))
    monkeypatch.setattr(clip_batch, "_Clips", Dying)
    out = tmp_path / "out"
    command = arguments(given, "clips/[acd].mp4", "-o", out, "--preset", "png", *ENGINES[engine])
    assert main(command) == 0
    assert (tmp_path / "died").exists()
    # SIGKILL leaves the temporary file that its worker was writing, and names that it had claimed.
    assert pictures(out) == pictures(given / "single")
    reports = [json.loads(path.read_text("utf-8")) for path in out.rglob("*.json")]
    assert [report["complete"] for report in reports] == [True] * 3


@posix
@pytest.mark.slow
@pytest.mark.parametrize("engine", ["processes", "ray"])
def test_ctrl_c_leaves_files_that_play(given: Path, tmp_path: Path, engine: str):
    if engine == "ray":
        pytest.importorskip("ray")
    (tmp_path / "clips").mkdir()
    clip = locked_camera.write_clip(tmp_path / "long.mp4", 300)
    for name in "abc":
        shutil.copy(clip, tmp_path / "clips" / f"{name}.mp4")
    out = tmp_path / "out"
    command = arguments(given, "none", "-o", out, "--preset", "h264", "--background", "red",
                        *ENGINES[engine])  # fmt: skip
    command[1] = str(tmp_path / "clips")
    process = subprocess.Popen(
        [sys.executable, "-m", "cleanplate", *command],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
    )
    try:
        while len(list(out.glob(".*"))) < 2:
            assert process.poll() is None, process.communicate()[1].decode()
            time.sleep(0.02)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=240)
    finally:
        process.kill()
    assert process.returncode == 130, errors.decode()
    assert b"Traceback" not in errors
    assert not list(out.glob(".*"))
    made = sorted(out.glob("*.mp4"))
    assert len(made) == 2, "the third clip was not begun"
    for path in made:
        with open_clip(path) as clip:
            assert 0 < len(list(clip.frames())) <= 300
