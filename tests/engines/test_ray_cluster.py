"""Actors of a local Ray cluster of two cores: really killed, stopped, and told of mistakes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import cv2
import pytest

from cleanplate.engines import ray_cluster
from cleanplate.engines.local_pool import map_tasks as map_local
from cleanplate.engines.ray_cluster import TaskLost, map_tasks
from cleanplate.errors import CleanplateError
from tests.engines.test_local_pool import (
    ROOT,
    Counter,
    after_the_next,
    always_die,
    complain,
    count_to,
    die_once,
    posix,
    square,
)


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray")
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


@contextmanager
def counted(folder: Path) -> Iterator[None]:
    """Leave a file for each time that this is entered, named by the process."""
    (folder / f"{os.getpid()}-{time.monotonic_ns()}.entered").touch()
    yield
    (folder / "left").touch()


def broken_context() -> None:
    raise CleanplateError("cannot be entered", file="model.onnx", cure="Fetch it.")


def process_and_threads(number: int) -> tuple[int, int]:
    time.sleep(0.05)  # so that both workers get some
    return os.getpid(), cv2.getNumThreads()


def folder_and_limit(number: int) -> tuple[str, str | None]:
    return os.getcwd(), os.environ.get("CLEANPLATE_MAX_PIXELS")


def tick_for_ever(folder: Path, number: int, tick: Callable[[int], None]) -> int:
    (folder / f"{number}.begun").touch()
    for count in range(1, 100_000):
        tick(count)
        time.sleep(0.01)
    return number


@pytest.mark.parametrize("ordered", [True, False])
def test_results_are_those_of_the_local_pool(cluster, tmp_path: Path, ordered: bool):
    local, shared = tmp_path / "local", tmp_path / "shared"
    local.mkdir()
    shared.mkdir()
    expected = list(map_local(partial(after_the_next, local), range(7), 2, ordered=ordered))
    found = list(map_tasks(partial(after_the_next, shared), range(7), 2, ordered=ordered))
    assert sorted(found) == sorted(expected)
    assert ([place for place, _ in found] == list(range(7))) == ordered


def test_no_tasks_are_no_results(cluster):
    assert list(map_tasks(square, [], 2)) == []


def test_each_worker_is_one_process_that_enters_its_context_once(cluster, tmp_path: Path):
    context = partial(counted, tmp_path)
    found = list(map_tasks(process_and_threads, range(20), 2, context=context))
    processes = {process for _, (process, _) in found}
    entered = [int(file.name.partition("-")[0]) for file in tmp_path.glob("*.entered")]
    assert len(processes) == 2
    assert os.getpid() not in processes
    assert sorted(entered) == sorted(processes)
    assert {threads for _, (_, threads) in found} == {1}
    assert not (tmp_path / "left").exists()


def test_a_worker_keeps_its_work_between_tasks(cluster):
    assert sorted(result for _, result in map_tasks(Counter(), range(4), 1)) == [1, 2, 3, 4]


def test_relative_paths_and_limits_mean_the_same_in_a_cluster_that_was_there_before(
    cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLEANPLATE_MAX_PIXELS", "12345")
    found = list(map_tasks(folder_and_limit, range(2), 1))
    assert found == [(n, (str(tmp_path), "12345")) for n in range(2)]


@posix
def test_the_task_of_a_killed_worker_is_done_again(cluster, tmp_path: Path):
    context = partial(counted, tmp_path)
    found = list(map_tasks(partial(die_once, tmp_path), range(8), 2, ordered=True, context=context))
    assert (tmp_path / "died").exists()
    assert found == [(n, n) for n in range(8)]
    assert len(list(tmp_path.glob("*.entered"))) == 3, "the new process entered it as well"


@posix
def test_a_task_that_kills_every_worker_is_given_up(cluster, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ray_cluster, "_RETRIES", 1)
    with pytest.raises(TaskLost, match="Ray gave up on a task"):
        list(map_tasks(always_die, range(2), 1))


def test_a_persons_mistake_comes_through_whole(cluster):
    with pytest.raises(CleanplateError) as caught:
        list(map_tasks(complain, range(3), 2))
    assert caught.value.what == "is damaged"
    assert str(caught.value.file).endswith(".tar")
    assert str(caught.value).endswith("Build it again.")


def test_a_mistake_in_the_context_comes_through_whole(cluster):
    with pytest.raises(CleanplateError, match=r"model\.onnx: cannot be entered"):
        list(map_tasks(square, range(3), 2, context=broken_context))  # type: ignore[arg-type]


def test_a_bug_comes_with_its_traceback(cluster):
    with pytest.raises(TypeError, match="unsupported operand"):
        list(map_tasks(square, ["text"], 2))  # type: ignore[list-item]


def test_progress_is_the_sum_of_all_counts(cluster):
    told: list[int] = []
    results = dict(map_tasks(count_to, [5, 7, 30], 2, progress=told.append))
    assert results == {0: 5, 1: 7, 2: 30}
    assert told[-1] == 42


def test_nothing_is_begun_after_the_result_that_stops(cluster):
    found = list(map_tasks(square, range(200), 2, stop_when=lambda one: one[0] == 9))
    assert 4 <= len(found) <= 6


def test_progress_within_a_task_is_told_and_leaving_ends_it_at_a_tick(cluster, tmp_path: Path):
    """The tasks would take a quarter of an hour; the third is never begun."""

    class Left(Exception):
        pass

    def look(count: int) -> None:
        if count > 0:
            raise Left

    work = partial(tick_for_ever, tmp_path)
    with pytest.raises(Left):
        list(map_tasks(work, range(3), 2, progress=look))
    assert {file.name for file in tmp_path.glob("*.begun")} <= {"0.begun", "1.begun"}


def test_workers_that_no_node_has_room_for_are_refused(cluster):
    with pytest.raises(CleanplateError, match="has 3 cores; the largest has 2"):
        list(map_tasks(square, range(3), 1, threads=3))


def test_workers_beyond_the_cluster_wait_and_the_work_is_done(cluster):
    found = list(map_tasks(square, range(9), 5, ordered=True))
    assert [result[0] for _, result in found] == [n**2 for n in range(9)]


def test_a_cluster_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch):
    ray = pytest.importorskip("ray")

    def slow(**options: object) -> None:
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", slow)
    with pytest.raises(CleanplateError, match=r"no Ray cluster is reached \(The current node"):
        list(map_tasks(square, range(2), 2))


SCRIPT = """
import sys
from functools import partial
from pathlib import Path
from cleanplate.engines.ray_cluster import map_tasks
from tests.engines.test_local_pool import linger
if __name__ == "__main__":
    list(map_tasks(partial(linger, Path(sys.argv[1])), range(9), 2))
"""


@posix
@pytest.mark.slow
def test_control_c_ends_the_program_when_the_tasks_at_work_are_done(tmp_path: Path):
    """It reaches the whole process group, as in a terminal; no worker outlives the program."""
    pytest.importorskip("ray")
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py"), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
    )
    while len(list(tmp_path.glob("*.pid"))) < 2:
        assert parent.poll() is None, parent.communicate()[1]
        time.sleep(0.01)
    os.killpg(parent.pid, signal.SIGINT)
    (tmp_path / "go").touch()
    try:
        _, told = parent.communicate(timeout=120)
    finally:
        parent.kill()
    assert parent.returncode != 0
    assert told.rstrip().endswith("KeyboardInterrupt")
    workers = [int(file.stem) for file in tmp_path.glob("*.pid")]
    assert len(workers) == 2, "none was killed and started again"
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)
