"""Shards as tasks of a local Ray cluster, one worker of which is killed."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from cleanplate.errors import CleanplateError, MissingExtraError
from cleanplate.synthesis.building.build import build
from cleanplate.synthesis.building.local_engine import run_here
from cleanplate.synthesis.building.ray_engine import run_ray
from tests.synthesis.small_sets import digests, small_request, unfinished, write_assets_folder


def test_without_ray_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"\[ray\]"):
        build(
            small_request(write_assets_folder(tmp_path / "s"), tmp_path / "o"),
            partial(run_ray, workers=1),
        )


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray")
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


def workers() -> list[int]:
    """Processes that this session's Ray has set to work on shards."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                title = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if title.startswith(b"ray::TaskActor") and descends(int(folder.name)):
                found.append(int(folder.name))
    return found


def descends(process: int) -> bool:
    """Whether a process comes from this one, so that no other Ray is disturbed."""
    while process > 1:
        process = int(
            Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]
        )
        if process == os.getpid():
            return True
    return False


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds workers in /proc")
def test_a_cluster_makes_the_same_bytes_though_a_worker_is_killed(cluster, tmp_path: Path):
    asset_folder = write_assets_folder(tmp_path / "asset_folder")
    few = {"count": 160, "shard_size": 40, "size": (128, 160)}
    build(small_request(asset_folder, tmp_path / "here", **few), run_here)
    out, killed = tmp_path / "there", []

    def killing(job, shards, watch):
        for number, report in enumerate(run_ray(job, shards, watch, workers=2)):
            if number == 0:
                killed.extend(workers()[:1])
                os.kill(killed[0], signal.SIGKILL)
            yield report

    outcome = build(small_request(asset_folder, out, **few), killing)
    assert killed
    assert outcome.made == 160
    assert digests(out) == digests(tmp_path / "here")
    assert unfinished(out) == []
    assert cluster.is_initialized(), "a cluster that was there before stays"


def test_a_persons_mistake_comes_back_as_one(cluster, tmp_path: Path):
    asset_folder = write_assets_folder(tmp_path / "asset_folder")

    def spoiling(job, shards, watch):
        (asset_folder / "cutouts" / "blob0.png").unlink()
        return run_ray(job, shards, watch, workers=2)

    with pytest.raises(CleanplateError, match=r"blob0\.png"):
        build(small_request(asset_folder, tmp_path / "set"), spoiling)
    assert unfinished(tmp_path / "set") == []
