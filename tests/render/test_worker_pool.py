"""The worker pool with real processes, killed for real; a script replaces Blender."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from cleanplate import CleanplateError
from cleanplate.cli.synth.render_command import command
from cleanplate.errors import install_command
from cleanplate.render import worker_pool
from cleanplate.render.worker_pool import RenderRequest
from tests.render.library import OUTDOORS, THINGS, write_catalogues

SOURCE = Path(worker_pool.__file__).parent.parent.parent
# Started by a shell: the path of an interpreter may have a space, which a `#!` line cannot.
PLAYED = """\
#!/bin/sh
'''exec' "{python}" "$0" "$@"
'''
import os, sys, signal, time
sys.path.insert(0, {source!r})
if sys.argv[1] == "-c":
    sys.exit(int(os.environ.get("NO_BLENDER", 0)))
import types
import numpy as np
from pathlib import Path
from cleanplate.render import blender_worker as worker
from cleanplate.render.rendered_items import RenderedItem, Rejected, jpeg

class Plates:
    def __init__(self, library, seed, size):
        self.seed, self.size, self.kinds = seed, size, library.scenes
    def render(self, index):
        with open(os.environ["DIARY"], "a") as diary:
            diary.write(f"{{index}}\\n")
        if os.environ.get("BROKEN"):
            raise RuntimeError("the model is damaged")
        if index == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        if index == 5:
            raise Rejected("too dark", {{"bare": 2}})
        time.sleep(float(os.environ.get("PAUSE", 0)))
        rng = np.random.default_rng([self.seed, index])
        picture = rng.random((*self.size, 3)).astype(np.float32)
        return RenderedItem({{"index": index, "kinds": self.kinds}}, {{".jpg": jpeg(picture)}})

module = types.ModuleType("played")
module.Plates = Plates
sys.modules["played"] = module
worker.RENDERERS["plates"] = ("played", "Plates")
worker.main(Path(sys.argv[3]))
"""


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """An asset folder, an interpreter that plays Blender, and a diary of the items it began."""
    write_catalogues(tmp_path / "assets", OUTDOORS, THINGS)
    python = tmp_path / "python"
    python.write_text(PLAYED.format(python=sys.executable, source=str(SOURCE)), encoding="utf-8")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("DIARY", str(tmp_path / "diary"))
    return tmp_path


def rendering(stage, count=26, **changes) -> RenderRequest:
    values = {"task": "plates", "seed": 1, "size": (24, 32)} | changes
    return RenderRequest(assets=stage / "assets", out=stage / "out", count=count, **values)


def diary(stage) -> list[int]:
    return [int(line) for line in (stage / "diary").read_text(encoding="utf-8").split()]


def pictures(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.glob("*.jpg")}


def test_a_crash_costs_one_item_and_a_rejection_none_twice(stage):
    job = rendering(stage)
    done = list(worker_pool.render_items(job, processes=2, python=str(stage / "python")))
    assert done[-1] == 26
    account = job.count_items()
    assert account.accepted == 24
    assert account.reasons == {"crashed": 1, "too dark": 1}
    assert account.tries == {"bare": 2}
    begun = diary(stage)
    assert begun.count(3) == 2  # a second chance, not a third
    assert sorted(set(begun)) == list(range(26))
    assert len(begun) == 27
    # Done is done: the same again starts nobody.
    assert list(worker_pool.render_items(job, python=str(stage / "python"))) == [26]
    assert len(diary(stage)) == 27


def test_items_do_not_depend_on_the_number_of_processes(stage):
    python = str(stage / "python")
    list(worker_pool.render_items(rendering(stage), processes=3, python=python))
    one = pictures(stage / "out")
    (stage / "out").rename(stage / "before")
    list(worker_pool.render_items(rendering(stage), processes=1, python=python))
    assert pictures(stage / "out") == one


def test_only_some_kinds_of_scenes(stage):
    python = str(stage / "python")
    some = rendering(stage, 2, scenes=("tabletop", "outdoor"))
    list(worker_pool.render_items(some, processes=1, python=python))
    record = json.loads((stage / "out" / "00001.json").read_text(encoding="utf-8"))
    assert record["kinds"] == ["tabletop", "outdoor"]
    with pytest.raises(CleanplateError, match="holds another rendering: scenes"):
        list(worker_pool.render_items(rendering(stage, 2), python=python))
    plan = json.loads((stage / "out" / worker_pool.PLAN).read_text(encoding="utf-8"))
    del plan["scenes"]  # as written before there was a choice
    (stage / "out" / worker_pool.PLAN).write_text(json.dumps(plan), encoding="utf-8")
    assert list(worker_pool.render_items(rendering(stage, 2), python=python)) == [2]


def test_cutouts_stand_in_no_scene(stage):
    arguments = ["cutouts", "--assets", str(stage / "assets"), "-o", str(stage / "out")]
    ran = CliRunner().invoke(command, [*arguments, "--scenes", "room"])
    assert ran.exit_code == 2
    assert "--scenes" in ran.stderr


def test_killed_it_goes_on_where_it_was(stage, monkeypatch):
    monkeypatch.setenv("PAUSE", "0.15")
    arguments = ["plates", "--assets", str(stage / "assets"), "-o", str(stage / "out")]
    arguments += ["--count", "14", "--size", "32x24", "--python", str(stage / "python"), "--quiet"]
    line = [sys.executable, "-m", "cleanplate", "synth", "render", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    killed = subprocess.Popen(line, env=environment, start_new_session=True)
    until(lambda: len(list((stage / "out").glob("*.json"))) > 4)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    # The workers see that nobody waits for them, and end after the item they are at.
    until(lambda: settled(stage / "diary"))
    begun = len(diary(stage))
    assert begun < 14
    before = pictures(stage / "out")
    again = subprocess.run([*line, "--json", "-"], env=environment, check=True, capture_output=True)
    account = json.loads(again.stdout)
    assert (account["accepted"], account["rejected"]) == (12, 2)
    after = pictures(stage / "out")
    assert len(after) == 12
    assert before.items() <= after.items()
    assert not list((stage / "out").glob(".*"))
    assert Path(account["sheets"][0]).stat().st_size > 1000


def until(holds, seconds=30.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def settled(path: Path) -> bool:
    size = path.stat().st_size
    time.sleep(0.6)
    return path.stat().st_size == size


def test_the_same_failure_again_and_again_is_told(stage, monkeypatch):
    monkeypatch.setenv("BROKEN", "1")
    with pytest.raises(CleanplateError, match="the model is damaged"):
        list(worker_pool.render_items(rendering(stage), python=str(stage / "python")))


def test_an_interpreter_without_blender_is_named(stage, monkeypatch):
    monkeypatch.setenv("NO_BLENDER", "1")
    with pytest.raises(CleanplateError, match="has no Blender") as caught:
        list(worker_pool.render_items(rendering(stage), python=str(stage / "python")))
    assert install_command("render", f"{stage / 'python'} -m pip") in str(caught.value)
    with pytest.raises(CleanplateError, match="cannot be started"):
        list(worker_pool.render_items(rendering(stage), python=str(stage / "nothing")))


def test_another_rendering_in_the_folder_is_not_mixed_in(stage):
    python = str(stage / "python")
    list(worker_pool.render_items(rendering(stage, count=2), python=python))
    with pytest.raises(CleanplateError, match="seed 1 there, 2 asked for"):
        list(worker_pool.render_items(rendering(stage, seed=2), python=python))
    list(
        worker_pool.render_items(rendering(stage, count=3), python=python)
    )  # more of the same is no other


def test_the_command_says_how_it_went(stage):
    arguments = ["plates", "--assets", str(stage / "assets"), "-o", str(stage / "out")]
    arguments += ["--count", "7", "--size", "32x24", "--python", str(stage / "python")]
    ran = CliRunner().invoke(command, arguments)
    assert ran.exit_code == 0
    assert "5 rendered, 2 rejected" in ran.stderr
    assert "too dark 1" in ran.stderr
    assert "bare 2" in ran.stderr
    assert ran.stdout == ""


def test_help_shows_an_example():
    ran = CliRunner().invoke(command, ["--help"])
    assert "cleanplate synth render plates --assets" in textwrap.dedent(ran.output)
