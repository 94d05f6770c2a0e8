"""`cleanplate predict`, in this process and as a real one that is stopped or runs out of disk."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cleanplate.cli import main
from cleanplate.depth import read_depth, write_depth
from cleanplate.formats.pictures import read_alpha, read_image, write_image
from tests.predict.conftest import Pair, textured

FILES = {"alpha.png", "foreground.png", "disparity.npy", "disparity.png", "shadow.png",
         "preview.jpg", "json"}  # fmt: skip


def predict(tiny: Path, *arguments: str | Path) -> int:
    return main(["predict", "--model", str(tiny), "--threads", "1", *map(str, arguments)])


def test_a_folder_of_frames(tiny: Path, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = predict(tiny, "--plate", files / "plate.png", files / "frames", "-o", files / "out")
    assert code == 0
    written = {path.name for path in (files / "out").iterdir()}
    assert written == {f"{stem}.{kind}" for stem in ("one", "two") for kind in FILES}
    shown = capsys.readouterr()
    assert "one.png" in shown.out
    assert "two.png" in shown.out
    report = json.loads((files / "out" / "one.json").read_text(encoding="utf-8"))
    assert report["frame"] == str(files / "frames" / "one.png")
    assert report["plate_file"] == str(files / "plate.png")


def test_what_to_save_and_how(tiny: Path, files: Path, pair: Pair) -> None:
    write_depth(files / "depth.png", np.full(pair.alpha.shape, 3.5, np.float32))
    code = predict(
        tiny, "--plate", files / "plate.png", files / "frames" / "one.png", "-o", files / "out",
        "--save", "depth,composite, alpha", "--background", "#ff0000", "--bits", "16",
        "--plate-depth", files / "depth.png", "--quiet",
    )  # fmt: skip
    assert code == 0
    assert {path.name for path in (files / "out").iterdir()} == {
        "one.alpha.png", "one.depth.png", "one.depth.npy", "one.composite.png", "one.json",
    }  # fmt: skip
    alpha = read_alpha(files / "out" / "one.alpha.png")
    outside = alpha < 0.5
    np.testing.assert_allclose(read_depth(files / "out" / "one.depth.npy")[outside], 3.5)
    composite = read_image(files / "out" / "one.composite.png")
    assert (composite[alpha == 0] == (255, 0, 0)).all()


def test_reports_for_machines(tiny: Path, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--plate", files / "plate.png", files / "frames", "-o", files / "out")
    assert predict(tiny, *arguments, "--json", "-", "--save", "alpha") == 0
    content = json.loads(capsys.readouterr().out)
    assert [Path(one["frame"]).name for one in content["frames"]] == ["one.png", "two.png"]
    assert content["failed"] == []
    assert content["frames"][0]["files"] == ["one.alpha.png"]


def test_quiet_is_quiet(tiny: Path, files: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ("--plate", files / "plate.png", files / "frames", "-o", files / "out")
    assert predict(tiny, *arguments, "--quiet") == 0
    shown = capfd.readouterr()
    assert shown.out == shown.err == ""


def test_one_bad_frame_among_many(
    tiny: Path, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "frames" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    write_image(files / "frames" / "other.png", textured(120, 160, 99))
    code = predict(tiny, "--plate", files / "plate.png", files / "frames", "-o", files / "out")
    assert code == 2
    shown = capsys.readouterr()
    assert "2 of 4 frames failed" in shown.err
    assert "broken.png" in shown.err
    assert "other.png" in shown.err
    assert "not the frame's plate" in shown.err
    assert (files / "out" / "one.alpha.png").exists()
    assert (files / "out" / "two.alpha.png").exists()
    assert not list((files / "out").glob("other*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--save", "normals"], "cannot save normals"),
        (["--save", "composite"], "needs a background"),
        (["--background", "nocolour"], "neither a file nor a colour"),
        (["--working-size", "3"], "working size"),
        (["--plate-depth", "missing.png"], "missing.png"),
        (["--threads", "0"], "0 threads"),
    ],
)
def test_mistakes_are_told_before_any_work(
    tiny: Path, files: Path, arguments: list[str], message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    given = ("--plate", files / "plate.png", files / "frames", "-o", files / "out", *arguments)
    assert predict(tiny, *given) == 2
    assert message in capsys.readouterr().err
    assert not (files / "out").exists()


def test_frames_of_one_name_do_not_overwrite_each_other(tiny: Path, files: Path) -> None:
    shutil.copytree(files / "frames", files / "later")
    code = predict(
        tiny, "--plate", files / "plate.png", files / "frames", files / "later", "-o",
        files / "out", "--save", "alpha", "--quiet",
    )  # fmt: skip
    assert code == 0
    mattes = {path.name for path in (files / "out").glob("*.alpha.png")}
    assert mattes == {f"{folder}_{stem}.alpha.png" for folder in ("frames", "later")
                      for stem in ("one", "two")}  # fmt: skip


def _started(tiny: Path, files: Path, *extra: str, **popen: object) -> subprocess.Popen[str]:
    command = [
        sys.executable, "-m", "cleanplate", "predict", "--model", str(tiny), "--threads", "1",
        "--plate", str(files / "plate.png"), str(files / "frames"), "-o", str(files / "out"),
        *extra,
    ]  # fmt: skip
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        **popen,  # type: ignore[call-overload]
    )  # fmt: skip


def _all_whole(folder: Path) -> int:
    """Check that every file in `folder` can be read; return how many there are."""
    files = list(folder.iterdir())
    for path in files:
        assert not path.name.startswith("."), f"left behind: {path.name}"
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".npy":
            np.load(path)
        else:
            read_image(path)
    return len(files)


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
def test_ctrl_c_leaves_whole_files_only(tiny: Path, files: Path) -> None:
    for i in range(200):
        shutil.copy(files / "frames" / "one.png", files / "frames" / f"more{i}.png")
    process = _started(tiny, files)
    try:
        deadline = time.monotonic() + 60
        while len(list((files / "out").glob("*.json"))) < 2 and time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert 0 < _all_whole(files / "out") < 200 * len(FILES)


@pytest.mark.skipif(os.name == "nt", reason="resource limits as POSIX has them")
def test_a_full_disk_is_told_and_leaves_whole_files_only(tiny: Path, files: Path) -> None:
    import resource

    limit = 30_000  # bytes a file: the matte fits, the disparity (76,928) does not

    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    process = _started(tiny, files, "--save", "alpha,depth", preexec_fn=small_disk)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2, errors
    assert "Traceback" not in errors
    assert "disparity.npy" in errors
    assert "2 of 2 frames failed" in errors  # the limit is one of each file, not of the disk
    assert {path.name for path in (files / "out").iterdir()} == {
        "one.alpha.png", "one.json", "two.alpha.png", "two.json",
    }  # fmt: skip
    assert _all_whole(files / "out") == 4


def test_doubtful_depth_is_warned_of_once_and_holes_can_be_kept(
    tiny: Path, files: Path, pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    depth = np.full(pair.alpha.shape, 4752.0, np.float32)
    depth[:20] = np.nan
    np.save(files / "depth.npy", depth)
    arguments = ["--plate", files / "plate.png", files / "frames", "-o", files / "out",
                 "--save", "depth", "--plate-depth", files / "depth.npy"]  # fmt: skip
    assert predict(tiny, *arguments, "--depth-holes", "keep") == 0
    shown = capsys.readouterr()
    assert shown.err.count("is it in millimetres") == 1
    assert shown.err.count("says of no pixel") == 2
    assert np.isnan(np.load(files / "out" / "one.depth.npy")[:20]).all()
    assert predict(tiny, *arguments, "--quiet") == 0
    assert capsys.readouterr().err == ""
    assert not np.isnan(np.load(files / "out" / "one.depth.npy")).any()


@pytest.mark.parametrize("name", ["cpu", "CPU", "CPUExecutionProvider"])
def test_the_report_says_which_execution_provider_ran(tiny: Path, files: Path, name: str) -> None:
    code = predict(
        tiny, "--plate", files / "plate.png", files / "frames" / "one.png", "-o", files / "out",
        "--provider", name, "--save", "alpha", "--quiet",
    )  # fmt: skip
    assert code == 0
    report = json.loads((files / "out" / "one.json").read_text(encoding="utf-8"))
    assert report["providers"] == ["CPUExecutionProvider"]


@pytest.mark.filterwarnings("ignore:Specified provider:UserWarning")
def test_an_execution_provider_that_cannot_start_is_an_error(
    tiny: Path, files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """ONNX Runtime was built with it, but falls back to the CPU: its libraries are missing."""
    import onnxruntime

    there = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: there)
    code = predict(
        tiny, "--plate", files / "plate.png", files / "frames", "-o", files / "out",
        "--provider", "cuda",
    )  # fmt: skip
    assert code == 2
    assert "could not be started" in capsys.readouterr().err
    assert not (files / "out").exists()
