"""Many frames at once: bad ones, what is there already, and several processes."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from cleanplate.cli import main
from cleanplate.engines.cores import available_cores
from cleanplate.files import atomic as files_module
from cleanplate.predict.frames.frame_workers import threads_each

posix = pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")


def predict(tiny: Path, *arguments: str | Path) -> int:
    return main(["predict", "--model", str(tiny), "--threads", "1", *map(str, arguments)])


@pytest.fixture
def base(files: Path) -> tuple[str | Path, ...]:
    return ("--plate", files / "plate.png", files / "frames", "-o", files / "out")


def test_a_name_too_long_is_told_and_the_others_are_done(
    tiny: Path, files: Path, base: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(files / "frames" / "one.png", files / "frames" / f"{'n' * 247}.png")
    assert predict(tiny, *base, "--json", "-") == 2
    shown = capsys.readouterr()
    told = json.loads(shown.out)
    assert [Path(one["frame"]).stem for one in told["frames"]] == ["one", "two"]
    assert [Path(one["frame"]).stem for one in told["failed"]] == ["n" * 247]
    assert "the name is too long" in shown.err
    assert "Traceback" not in shown.err
    assert (files / "out" / "two.alpha.png").exists()


def test_a_full_disk_stops_early(
    tiny: Path, files: Path, base: tuple[str, ...], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for number in range(3):
        shutil.copy(files / "frames" / "one.png", files / "frames" / f"z{number}.png")
    synced = []

    def full(path: Path) -> None:
        synced.append(path)
        if len(synced) > 4:  # one frame: claim, picture (twice), report
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(files_module, "_sync", full)
    assert predict(tiny, *base, "--save", "alpha", "--json", "-") == 2
    told = json.loads(capsys.readouterr().out)
    assert len(told["frames"]) == 1
    assert ["the disk is full" in one["error"] for one in told["failed"]] == [True] * 4
    assert ["not done" in one["error"] for one in told["failed"]] == [False, True, True, True]


def test_what_is_there_is_skipped_only_if_it_was_made_alike(
    tiny: Path, files: Path, base: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    def skipped(*options: str) -> list[str]:
        assert predict(tiny, *base, "--skip-existing", "--json", "-", *options) == 0
        return [Path(one).stem for one in json.loads(capsys.readouterr().out)["skipped"]]

    assert skipped("--save", "alpha") == []
    assert skipped("--save", "alpha") == ["one", "two"]
    assert skipped("--save", "alpha,shadow") == []
    assert skipped("--save", "shadow") == ["one", "two"]
    assert skipped("--save", "alpha", "--choke", "1") == []
    (files / "out" / "one.alpha.png").unlink()
    assert skipped("--save", "alpha", "--choke", "1") == ["two"]
    assert skipped("--save", "alpha", "--choke", "1") == ["one", "two"]


def test_the_folder_is_checked_before_the_plate_is_read(
    tiny: Path, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "file").write_text("x", encoding="utf-8")
    code = predict(tiny, "--plate", "none.png", files / "frames", "-o", files / "file" / "out")
    assert code == 2
    assert "is not a folder" in capsys.readouterr().err


def test_cores_are_shared_out_among_workers() -> None:
    cores = available_cores()
    assert threads_each(1, None) == min(4, cores)
    assert threads_each(cores, None) == 1
    assert threads_each(2 * cores, None) == 1
    assert threads_each(2, 3) == 3


def started(
    tiny: Path, *arguments: str | Path, folder: Path | None = None
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "cleanplate", "predict", "--model", tiny, *arguments]
    return subprocess.Popen(
        list(map(str, command)),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def test_workers_make_the_same_files_in_the_same_order(
    tiny: Path, files: Path, base: tuple[str | Path, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "frames" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (files / "frames" / "zero.png").write_bytes((files / "frames" / "one.png").read_bytes())
    process = started(tiny, *base[:-1], files / "shared", "--workers", "2", "--json", "-")
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 2, errors
    told = json.loads(out)
    assert [Path(one["frame"]).stem for one in told["frames"]] == ["one", "two", "zero"]
    assert [Path(one["frame"]).stem for one in told["failed"]] == ["broken"]
    threads = {one["threads"] for one in told["frames"]}
    assert threads == {threads_each(2, None)}
    assert predict(tiny, *base, "--quiet") == 2
    alone, shared = files / "out", files / "shared"
    assert {path.name for path in alone.iterdir()} == {path.name for path in shared.iterdir()}
    for path in alone.glob("*.npy"):
        np.testing.assert_array_equal(np.load(path), np.load(shared / path.name))
    for path in alone.glob("*.png"):
        assert path.read_bytes() == (shared / path.name).read_bytes()


def _with_many_frames(tiny: Path, files: Path) -> subprocess.Popen[str]:
    """Start two workers on 200 frames, and wait until something is made."""
    for number in range(198):
        shutil.copy(files / "frames" / "one.png", files / "frames" / f"more{number}.png")
    process = started(tiny, "--plate", files / "plate.png", files / "frames", "-o", files / "out",
                      "--workers", "2")  # fmt: skip
    deadline = time.monotonic() + 240
    while len(list((files / "out").glob("*.json"))) < 3 and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    return process


@posix
def test_ctrl_c_stops_all_workers_and_leaves_whole_files(tiny: Path, files: Path) -> None:
    process = _with_many_frames(tiny, files)
    try:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    made = list((files / "out").iterdir())
    assert not [path for path in made if path.name.startswith(".")]
    for path in made:
        if path.suffix == ".json":
            assert json.loads(path.read_text(encoding="utf-8"))["complete"]
    assert 0 < len(list((files / "out").glob("*.json"))) < 200


def _workers(process: subprocess.Popen[str]) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("utf-8").split()
    found = []
    for pid in map(int, children):
        with suppress(OSError):
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_the_frame_of_a_killed_worker_is_done_again(tiny: Path, files: Path) -> None:
    process = _with_many_frames(tiny, files)
    try:
        workers = _workers(process)
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        _, errors = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    whole = [path for path in (files / "out").glob("*.json") if not path.name.startswith(".")]
    assert len(whole) == 200  # SIGKILL leaves the temporary file that its worker was writing


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_workers_that_are_killed_again_and_again_are_told(tiny: Path, files: Path) -> None:
    process = _with_many_frames(tiny, files)
    try:
        while process.poll() is None:
            for worker in _workers(process):
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
            time.sleep(0.01)
        _, errors = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 2, errors
    assert "worker processes were killed 3 times" in errors
    assert "frames failed" in errors
    assert "Traceback" not in errors
