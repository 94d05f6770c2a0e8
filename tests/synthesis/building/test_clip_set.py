"""Clips as files: the same bytes each time, whole or not there, read back as they were made."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cleanplate.cli import main
from cleanplate.errors import CleanplateError
from cleanplate.pairs.clip_truth import find_clips, holds_clips
from cleanplate.synthesis.building import clip_set
from cleanplate.synthesis.building.clip_plan import ClipRequest
from cleanplate.synthesis.building.clip_set import build_clips
from cleanplate.synthesis.compositor.clip_composer import ClipSettings


def request(out: Path, **changes) -> ClipRequest:
    return ClipRequest(out, **{"count": 2, "frames": 3, "size": (48, 64), "seed": 3, **changes})


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def hidden(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir() if one.name.startswith(".0")]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("made") / "clips"
    result = build_clips(request(out))
    assert (result.clips, result.made, result.frames) == (2, 2, 3)
    return out


def test_clips_are_read_as_they_were_made(made: Path):
    assert holds_clips(made)
    clips = find_clips(made)
    assert [clip.name for clip in clips] == ["000000", "000001"]
    clip = clips[1]
    job = clip_set.ClipJob(made, _plan(made), (), ())
    composer, number = clip_set.composer_of(job), clip.facts["drawn"]
    plate, disparity = composer.plate(number, (48, 64))
    assert np.array_equal(clip.plate(), plate)
    assert np.abs(clip.plate_depth() - 1 / disparity).max() <= 0.00051
    frames = list(clip.frames())
    assert len(frames) == clip.frame_count == 3
    for read, sample in zip(frames, composer.frames(number, (48, 64), 3), strict=True):
        assert np.array_equal(read.frame, sample["frame"])
        assert np.abs(read.alpha - sample["alpha"]).max() <= 0.5 / 65535 + 1e-7
        assert np.abs(read.depth - 1 / sample["disparity"]).max() <= 0.00051
    assert clip.focal == pytest.approx(clip.facts["camera"]["fx"])
    assert clip.facts["credits"] == [], "procedural assets contain no work of others"
    assert 0.02 <= frames[0].alpha.mean() <= 0.6


def _plan(out: Path):
    from cleanplate.synthesis.building.clip_plan import make_clip_plan

    return make_clip_plan(request(out), iter)[0]


def test_any_number_of_workers_makes_the_same_bytes(made: Path, tmp_path: Path):
    build_clips(request(tmp_path / "other"), workers=2)
    assert contents(tmp_path / "other") == contents(made)


def test_a_clip_that_is_missing_is_made_again_and_the_others_stay(made: Path, tmp_path: Path):
    out = tmp_path / "clips"
    build_clips(request(out))
    stays = (out / "000001" / "clip.json").stat().st_mtime_ns
    (out / "000000").rename(tmp_path / "gone")
    told: list[int] = []
    assert build_clips(request(out), progress=told.append).made == 1
    assert told == [3, 4, 5, 6]
    assert (out / "000001" / "clip.json").stat().st_mtime_ns == stays
    assert contents(out) == contents(made)


def test_an_error_leaves_nothing_of_its_clip(tmp_path: Path, monkeypatch):
    def full(path: Path, data: bytes) -> None:
        if path.parent.name == "depth" and path.name == "0001.png":
            raise OSError(28, "No space left on device")
        path.write_bytes(data)

    monkeypatch.setattr(clip_set, "_put", full)
    with pytest.raises(CleanplateError, match="disk is full"):
        build_clips(request(tmp_path / "clips"))
    assert sorted(one.name for one in (tmp_path / "clips").iterdir()) == [".lock", "clips.json"]


def test_other_plans_and_other_folders_are_refused(made: Path, tmp_path: Path):
    with pytest.raises(CleanplateError, match=r"another plan.*motion"):
        build_clips(request(made, motion=ClipSettings(ramp=0.3)))
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(CleanplateError, match="not empty"):
        build_clips(request(tmp_path))
    assert [one.name for one in tmp_path.iterdir() if one.name != ".lock"] == ["mine.txt"]
    with pytest.raises(CleanplateError, match="no folder of clips"):
        find_clips(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"size": (8, 64)}, "too small"), ({"frames": 1}, "two frames"), ({"count": 0}, "one clip")],
)
def test_impossible_requests_are_refused(tmp_path: Path, changes, message):
    with pytest.raises(CleanplateError, match=message):
        build_clips(request(tmp_path / "clips", **changes))


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_command_leaves_whole_clips_and_goes_on(tmp_path: Path, number: int):
    out = tmp_path / "clips"
    call = ["synth", "clips", "-o", str(out), "--count", "3", "--frames", "6", "--size", "64x48"]
    call += ["--workers", "1", "--quiet"]
    started = subprocess.Popen([sys.executable, "-m", "cleanplate", *call], env=dict(os.environ))
    try:
        until = time.monotonic() + 120
        while not (out / "000000").exists() and started.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.01)
        started.send_signal(number)
        code = started.wait(60)
    finally:
        started.kill()
        started.wait()
    assert code in (130, -signal.SIGKILL, 0)
    for clip in find_clips(out):
        assert len(list(clip.frames())) == 6
    if number == signal.SIGINT:
        assert hidden(out) == []
    assert main(call) == 0
    assert len(find_clips(out)) == 3
    assert hidden(out) == []
    whole = tmp_path / "whole"
    assert main([*call[:3], str(whole), *call[4:]]) == 0
    assert contents(whole) == contents(out)


def test_the_command_tells_what_was_made(made: Path, tmp_path: Path, capsys):
    call = ["synth", "clips", "-o", str(tmp_path / "c"), "--count", "1", "--frames", "2"]
    call += ["--size", "64x48", "--ramp", "0.4", "--flicker-rate", "0.2", "--workers", "0"]
    assert main([*call, "--json", "-"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["clips"], told["made"]) == (1, 1)
    facts = find_clips(tmp_path / "c")[0].facts
    assert (facts["settings"]["ramp"], facts["settings"]["flicker_rate"]) == (0.4, 0.2)
    assert main([*call, "--noise", "-1"]) == 2
    assert "noise" in capsys.readouterr().err
