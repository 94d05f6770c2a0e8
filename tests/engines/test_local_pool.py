"""The pool of processes: real workers, really killed, and parents that are killed or stopped."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import cv2
import pytest

from cleanplate.engines.cores import available_cores
from cleanplate.engines.local_pool import WorkersKilled, _Pool, map_tasks
from cleanplate.errors import CleanplateError

ROOT = Path(__file__).resolve().parents[2]
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def square(number: int) -> tuple[int, int]:
    return number**2, os.getpid()


def after_the_next(folder: Path, number: int) -> int:
    """Task 0 ends only when task 1 has ended."""
    while number == 0 and not (folder / "1").exists():
        time.sleep(0.01)
    (folder / str(number)).touch()
    return number


def after_any_other(folder: Path, number: int) -> int:
    """Task 0 ends only when a result has arrived, which the test says by the file `arrived`."""
    while number == 0 and not (folder / "arrived").exists():
        time.sleep(0.01)
    return number


def die_once(folder: Path, number: int) -> int:
    """Be killed at task 3, the first time."""
    if number == 3:
        with suppress(FileExistsError):
            (folder / "died").touch(exist_ok=False)
            os.kill(os.getpid(), signal.SIGKILL)
    return number


def always_die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def complain(number: int) -> int:
    raise CleanplateError("is damaged", file=f"{number}.tar", cure="Build it again.")


def count_to(number: int, tick: Callable[[int], None]) -> int:
    for count in range(1, number + 1):
        tick(count)
    return number


def threads_and_mark(number: int) -> tuple[int, bool]:
    return cv2.getNumThreads(), "ENGINES_TEST" in os.environ


@contextmanager
def marked(name: str) -> Iterator[None]:
    os.environ[name] = "1"
    yield


def linger(folder: Path, number: int) -> int:
    """Say who one is, and end when there is the file `go`."""
    (folder / f"{os.getpid()}.pid").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    return number


class Counter:
    """Keeps a number between the tasks of a process."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self, number: int) -> int:
        self.done += 1
        return self.done


class Lazy(Sequence[int]):
    """Tasks that count how many were taken."""

    def __init__(self, count: int):
        self.count, self.taken = count, 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: int) -> int:  # type: ignore[override]
        self.taken = max(self.taken, place + 1)
        return place


@pytest.mark.parametrize("workers", [0, 1, 2, 9])
def test_every_task_is_done_once(workers: int):
    found = list(map_tasks(square, range(5), workers))
    assert sorted((place, result[0]) for place, result in found) == [(n, n**2) for n in range(5)]
    assert (os.getpid() in {result[1] for _, result in found}) == (workers == 0)


@pytest.mark.parametrize("workers", [0, 2])
def test_no_tasks_are_no_results(workers: int):
    assert list(map_tasks(square, [], workers)) == []


def test_results_come_as_they_are_done(tmp_path: Path):
    done = []
    for place, _ in map_tasks(partial(after_any_other, tmp_path), range(4), 2):
        done.append(place)
        (tmp_path / "arrived").touch()
    assert sorted(done) == [0, 1, 2, 3]
    assert done[0] != 0


def test_results_come_in_order_where_that_is_asked_for(tmp_path: Path):
    work = partial(after_the_next, tmp_path)
    ordered = list(map_tasks(work, range(4), 2, ordered=True))
    assert ordered == [(n, n) for n in range(4)]


@posix
def test_the_task_of_a_killed_worker_is_done_again(tmp_path: Path):
    found = sorted(map_tasks(partial(die_once, tmp_path), range(8), 2))
    assert (tmp_path / "died").exists()
    assert found == [(n, n) for n in range(8)]


@posix
def test_workers_that_always_die_are_given_up():
    with pytest.raises(WorkersKilled, match="killed 3 times") as caught:
        list(map_tasks(always_die, range(4), 2))
    assert "fewer --workers" in str(caught.value)
    assert isinstance(caught.value, CleanplateError)


def test_all_workers_start_with_the_first_task():
    # One that starts later may meet CPython's clean-up after another one was killed.
    with _Pool(3, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(int).result() == 0
        assert len(multiprocessing.active_children()) == 3


def test_a_persons_mistake_comes_through_whole():
    with pytest.raises(CleanplateError) as caught:
        list(map_tasks(complain, range(3), 2))
    assert caught.value.what == "is damaged"
    assert str(caught.value.file).endswith(".tar")
    assert str(caught.value).endswith("Build it again.")


@pytest.mark.parametrize("workers", [0, 2])
def test_progress_is_the_sum_of_all_counts(workers: int):
    told: list[int] = []
    results = dict(map_tasks(count_to, [5, 7, 30], workers, progress=told.append))
    assert results == {0: 5, 1: 7, 2: 30}
    assert max(told) <= 42
    if workers == 0:  # here each count is told; of workers, what they are at when one looks
        assert told == list(range(1, 43))


@pytest.mark.parametrize("workers", [0, 2])
def test_nothing_is_begun_after_the_result_that_stops(workers: int):
    found = list(
        map_tasks(square, range(500), workers, ordered=True, stop_when=lambda one: one[0] == 9)
    )
    places = [place for place, _ in found]
    assert places[:4] == [0, 1, 2, 3]
    assert len(places) <= 4 + 2 * max(workers, 1) + 2
    if workers == 0:
        assert places == [0, 1, 2, 3]


def test_a_worker_keeps_its_work_and_has_its_context(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ENGINES_TEST", raising=False)
    assert sorted(result for _, result in map_tasks(Counter(), range(4), 1)) == [1, 2, 3, 4]
    context = partial(marked, "ENGINES_TEST")
    results = list(map_tasks(threads_and_mark, range(3), 2, context=context, threads=1))
    assert {result for _, result in results} == {(1, True)}
    assert "ENGINES_TEST" not in os.environ


def test_only_a_few_tasks_are_taken_in_reserve():
    tasks = Lazy(200)
    for number, (_, _) in enumerate(map_tasks(square, tasks, 2)):
        assert tasks.taken <= number + 1 + 2 * 2 + 2
    assert tasks.taken == 200


@posix
def test_no_worker_is_left_when_the_iteration_is_left(tmp_path: Path):
    (tmp_path / "go").touch()
    results = map_tasks(partial(linger, tmp_path), range(50), 2)
    next(results)
    results.close()
    workers = [int(file.stem) for file in tmp_path.glob("*.pid")]
    assert 1 <= len(workers) <= 2
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)


SCRIPT = """
import sys
from functools import partial
from pathlib import Path
from cleanplate.engines.local_pool import map_tasks
from tests.engines.test_local_pool import linger
if __name__ == "__main__":
    list(map_tasks(partial(linger, Path(sys.argv[1])), range(9), 2))
"""


def script(tmp_path: Path) -> subprocess.Popen[str]:
    """Start a program of two workers as the head of a process group; wait for both."""
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
    return parent


@posix
def test_workers_end_with_their_parent(tmp_path: Path):
    parent = script(tmp_path)
    parent.kill()
    try:
        # The pipes' end comes when the last process that holds them has gone.
        parent.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(parent.pid, signal.SIGKILL)
        pytest.fail("workers outlive their parent")


@posix
def test_control_c_is_the_parents(tmp_path: Path):
    """It reaches the whole group; the parent alone tells of it, and the workers end their tasks."""
    parent = script(tmp_path)
    os.killpg(parent.pid, signal.SIGINT)
    (tmp_path / "go").touch()
    _, told = parent.communicate(timeout=120)
    assert parent.returncode != 0
    assert told.count("Traceback") == 1
    assert told.rstrip().endswith("KeyboardInterrupt")


@posix
def test_workers_that_die_before_they_have_read_a_large_work_are_given_up():
    """A script without a file has no main module that a worker could import.

    With work larger than a pipe holds (64 KB), the parent once waited for ever.
    """
    told = (
        "from functools import partial\n"
        "from cleanplate.engines.local_pool import map_tasks\n"
        "from tests.engines.test_local_pool import linger\n"
        "list(map_tasks(partial(linger, 'x' * 300_000), range(3), 2))\n"
    )
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-"],
        input=told,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=200,
    )
    assert "worker processes were killed 3 times" in done.stderr
    assert "__main__" in done.stderr


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no processes bound to cores")
def test_cores_are_those_that_the_process_may_use():
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert available_cores() == len(allowed)
