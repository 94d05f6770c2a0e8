"""The study's own command at its smallest scale: killed in the middle, gone on with, written up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from cleanplate.errors import CleanplateError
from studies.seed import experiments, runs
from studies.seed.paper import write
from studies.seed.results import FOLDER, Results, take_over
from studies.seed.settings import REPORT, SCALES, SOUND

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "studies" / "seed.md"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")


def command(work: Path) -> list[str]:
    """The study at smoke scale."""
    words = ["run", "--scale", "smoke", "--work", str(work), "--processes", "2", "--quiet"]
    return [sys.executable, "-m", "studies.seed", *words]


def environment() -> dict[str, str]:
    paths = [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
def test_the_smoke_study_survives_a_kill_and_gives_every_part(tmp_path: Path):
    work = tmp_path / "a study"
    process = subprocess.Popen(
        command(work), cwd=tmp_path, env=environment(), start_new_session=True
    )
    while len(list(work.glob("runs/[!.]*.json"))) < 5 and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = {file: file.stat().st_mtime_ns for file in work.glob("runs/[!.]*.json")}
    done = subprocess.run(
        command(work),
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {file: file.stat().st_mtime_ns for file in before} == before, "nothing is done twice"
    assert not list(work.glob("runs/.*")), "nothing half written"

    results = Results(work / "results" / "smoke.json")
    for row in experiments.rows():
        assert results.seeds(row.part, row.name) == 1, (row.part, row.name)
    for name in ("blank", "courses", "suspects", "fusions", "costs", "depths"):
        assert (work / "results" / "images" / f"{name}.png").stat().st_size > 5000
    for one in results.runs("longer", "the report's"):
        assert len(one["course"]["seen"]) == len(one["course"]["depth"])
    for one in results.runs("anchors", "sound"):
        assert {"known", "known, batch statistics", "train, batch statistics"} <= set(
            one["figures"]
        )
    clock = results.told["clock"]
    assert clock["seconds"] > 0
    assert clock["threads"] == 1
    write(results, tmp_path / "seed.md", "images")
    text = (tmp_path / "seed.md").read_text(encoding="utf-8")
    assert "32 x 32 px" in text
    assert "nan" not in text


def test_known_figures_are_taken_over_but_not_over_what_is_done(tmp_path: Path):
    known = FOLDER / "small.json"
    results = Results(known)
    workspace = runs.Workspace(results.scale, tmp_path, {})
    anchor = runs.Run(REPORT, 0)
    workspace.keep(anchor, {"seed": 0, "figures": {"known": {"iou": 0.5}}, "course": {}})
    taken = take_over(workspace, known)
    assert taken == len(list(workspace.work.glob("runs/*.json"))) - 1
    assert take_over(workspace, known) == 0
    assert workspace.read(anchor)["figures"] == {"known": {"iou": 0.5}}
    other = runs.Run(SOUND, 1)
    there = results.runs("anchors", "sound")[1]
    assert workspace.read(other)["figures"] == there["figures"]
    # Figures alone do not do where pictures are drawn from the weights.
    assert workspace.is_done(other)
    assert not workspace.is_done(replace(other, keep=True))
    with pytest.raises(CleanplateError, match="another scale"):
        take_over(runs.Workspace(SCALES["full"], tmp_path / "full", {}), known)


def test_a_folder_is_of_one_scale(tmp_path: Path):
    small = SCALES["small"]
    for _ in range(2):
        runs.claim_folder(small, tmp_path)
    runs.claim_folder(replace(small, device="cuda"), tmp_path)
    with pytest.raises(CleanplateError, match="another folder with --work"):
        runs.claim_folder(replace(small, size=64), tmp_path)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "assignment-train.npz").touch()
    with pytest.raises(CleanplateError, match="another folder with --work"):
        runs.claim_folder(small, tmp_path / "old")


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path):
    (tmp_path / "runs").mkdir()
    half, whole = tmp_path / "runs" / ".abc-0-12345678.json", tmp_path / "runs" / "abc-0.json"
    half.touch()
    whole.touch()
    assert list(runs.carry_out(runs.Workspace(SCALES["smoke"], tmp_path, {}), [], 1)) == []
    assert not half.exists()
    assert whole.exists()


def test_the_clock_goes_on_where_it_was(tmp_path: Path):
    runs.Clock(tmp_path).note(2, 1)
    (tmp_path / "clock.json").write_text(
        json.dumps({"seconds": 1000.0, "processes": 2, "threads": 1}), encoding="utf-8"
    )
    clock = runs.Clock(tmp_path)
    clock.note(4, 2)
    told = clock.read()
    assert 1000 <= told["seconds"] < 1100
    assert (told["processes"], told["threads"]) == (4, 2)


def test_the_paper_is_what_the_committed_results_say(tmp_path: Path):
    """Every number in it comes from studies/seed/results, by `python -m studies.seed paper`."""
    write(Results(FOLDER / "small.json"), tmp_path / "seed.md", "../images/seed")
    assert (tmp_path / "seed.md").read_text(encoding="utf-8") == DOCUMENT.read_text(
        encoding="utf-8"
    )
