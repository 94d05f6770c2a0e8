"""Tasks shared among processes of this machine: the one pool of the whole package."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import wait as wait_for
from multiprocessing.sharedctypes import RawArray
from typing import Any, TypeVar

import cv2

from cleanplate.errors import CleanplateError

Task = TypeVar("Task")
Result = TypeVar("Result")
Results = Generator[tuple[int, Result]]
"""Place of a task in its sequence, and its result."""

Context = Callable[[], AbstractContextManager[object]]

_BREAKS = 3
"""Times in a row that a worker may be killed before any task gets done."""
_LOOK = 0.25
"""Seconds between two looks at the progress of the workers."""
_RESERVE = 2
"""Tasks handed out for each worker, the one that it works on included."""


class WorkersKilled(CleanplateError):
    """Workers were killed again and again, as by a system short of memory."""

    def __init__(self, times: int):
        super().__init__(
            f"worker processes were killed {times} times before a task was done",
            cure="Perhaps memory ran out: use fewer --workers. A script that starts workers "
            "needs `if __name__ == '__main__':` around it.",
        )


class _Stopped(Exception):
    """The caller wants no more results, and this task is not done."""


def map_tasks(
    work: Callable[..., Result],
    tasks: Sequence[Task],
    workers: int,
    *,
    ordered: bool = False,
    progress: Callable[[int], None] | None = None,
    stop_when: Callable[[Result], bool] | None = None,
    context: Context | None = None,
    threads: int = 1,
) -> Results[Result]:
    """Give the result of each task with its place, on `workers` processes.

    Workers are spawned, not forked: threads of this process (OpenCV's, ONNX Runtime's) do not
    outlive a fork. Ctrl-C is this process's to handle, and workers end when it ends, however that
    comes. If a worker is killed, new ones start and do its task again. When the iteration is
    left, no task is begun any more, those that are at work come to their end (or to their next
    `tick`), and no worker is left.

    Args:
        work: called as `work(task)`, with `progress` as `work(task, tick)`; `tick(count)` says how
            much of the task is done. It is sent to each worker once, so that it may keep something
            between tasks; it must be picklable, as tasks and results must be.
        tasks: are read one after the other, when a worker needs one soon.
        workers: number of processes, as many as there are tasks at most; 0 = this process.
        ordered: give results in the order of the tasks, not as they are done.
        progress: is told the sum of all counts; less than before if a worker was killed.
        stop_when: after a result for which it is true no task is begun any more. Results of tasks
            that are at work then are still given.
        context: entered in each worker as it starts, and never left. Not used with 0 workers.
        threads: of OpenCV in each worker.

    Raises:
        WorkersKilled: if workers are killed three times before a task gets done.
        Exception: what `work` raises passes through.
    """
    if workers < 1:
        yield from _map_here(work, tasks, progress, stop_when)
        return
    results = _map_pool(
        work, tasks, workers, progress=progress, stop_when=stop_when, setup=(context, threads)
    )
    with closing(in_order(results) if ordered else results) as wanted:
        yield from wanted


def in_order(results: Results[Result]) -> Results[Result]:
    """Give results by their place; those behind a place that never comes are given at the end."""
    early: dict[int, Result] = {}
    due = 0
    with closing(results):
        for place, result in results:
            early[place] = result
            while due in early:
                yield due, early.pop(due)
                due += 1
    yield from sorted(early.items(), key=lambda item: item[0])


def _map_here(
    work: Callable[..., Result],
    tasks: Sequence[Task],
    progress: Callable[[int], None] | None,
    stop_when: Callable[[Result], bool] | None,
) -> Results[Result]:
    before = 0
    for place, task in enumerate(tasks):
        count = 0

        def tick(done: int) -> None:
            nonlocal count
            count = done
            if progress is not None:
                progress(before + done)  # noqa: B023 - called before the next task begins

        result = work(task) if progress is None else work(task, tick)
        before += count
        yield place, result
        if stop_when is not None and stop_when(result):
            return


def _map_pool(
    work: Callable[..., Result],
    tasks: Sequence[Task],
    workers: int,
    *,
    progress: Callable[[int], None] | None,
    stop_when: Callable[[Result], bool] | None,
    setup: tuple[Context | None, int],
) -> Results[Result]:
    """Start pools until every task has its result, or workers are killed too often."""
    counts = RawArray("q", len(tasks) + 1)  # of each task; the last is 1 when workers shall stop
    start = (_shipped((work, progress is not None, *setup)), counts)
    left = dict.fromkeys(range(len(tasks)))
    breaks, stopped = 0, False
    while left and not stopped:
        for place in left:
            counts[place] = 0
        try:
            results = _one_pool(
                start, tasks, list(left), workers, progress=progress, stop_when=stop_when
            )
            for place, result in results:
                del left[place]
                breaks = 0
                stopped = stopped or (stop_when is not None and stop_when(result))
                yield place, result
        except BrokenProcessPool as error:
            breaks += 1
            if breaks >= _BREAKS:
                raise WorkersKilled(breaks) from error
        else:
            return


def _shipped(content: object) -> Any:
    """Put a pickle into shared memory.

    What a process is handed as it starts goes through a pipe. One that dies before it has read
    more than a pipe holds lets its parent wait for ever (CPython's `popen_spawn_posix` keeps the
    reading end open itself while it writes).
    """
    data = pickle.dumps(content)
    memory = RawArray("c", len(data))
    memory.raw = data
    return memory


def _one_pool(
    start: tuple[Any, Any],
    tasks: Sequence[Task],
    left: Iterable[int],
    workers: int,
    *,
    progress: Callable[[int], None] | None,
    stop_when: Callable[[Result], bool] | None,
) -> Results[Result]:
    """Run one pool until all tasks are done or it breaks."""
    counts = start[1]
    waiting = list(left)[::-1]
    workers = min(workers, len(waiting))
    running: dict[Future[tuple[bool, Result]], int] = {}
    pool = _Pool(workers, multiprocessing.get_context("spawn"), initializer=_start, initargs=start)
    try:
        while waiting or running:
            while waiting and len(running) < _RESERVE * workers:
                place = waiting.pop()
                with _uninterrupted():
                    running[pool.submit(_run, place, tasks[place])] = place
            done, _ = wait(running, timeout=_LOOK, return_when=FIRST_COMPLETED)
            if progress is not None:
                progress(sum(counts[:-1]))
            # First what is done: a broken pool must not cost results.
            for future in sorted(done, key=_is_broken):
                place = running.pop(future)
                finished, result = future.result()
                if not finished:
                    continue
                if stop_when is not None and stop_when(result):
                    counts[len(counts) - 1] = 1
                    waiting.clear()
                yield place, result
    finally:
        counts[len(counts) - 1] = 1
        pool.shutdown(wait=True, cancel_futures=True)
        counts[len(counts) - 1] = 0


class _Pool(ProcessPoolExecutor):
    """A pool that starts all of its processes with the first task, not one with each task.

    The executor adds a process without a lock while its own thread, which has seen that another
    one was killed, goes through them (CPython 3.11: "dictionary changed size during iteration").
    Before the first task that thread is not there yet.
    """

    def _adjust_process_count(self) -> None:
        while len(self._processes) < self._max_workers:  # type: ignore[attr-defined]
            self._spawn_process()  # type: ignore[attr-defined]


def _is_broken(future: Future[Any]) -> bool:
    return isinstance(future.exception(), BrokenProcessPool)


@contextmanager
def _uninterrupted() -> Generator[None]:
    """Start processes: they never get Ctrl-C, and here it waits until they are started.

    Ctrl-C goes to all processes of a terminal. A worker that it meets while it is still importing
    would die with a traceback, before it could say that the signal is not for it; one whose parent
    is interrupted before it has been told what to do would miss that. A mask is inherited, but
    does not keep a signal from the parent's other threads: therefore the handler as well.
    """
    if sys.platform == "win32":  # which has no masks
        yield
        return
    # It would lift the mask when it starts, so it must be there before.
    resource_tracker.ensure_running()
    came: list[int] = []
    main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, lambda number, _: came.append(number)) if main else None
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if main:
            signal.signal(signal.SIGINT, handler)
    if came:
        signal.raise_signal(signal.SIGINT)


class _Worker:
    """What a worker process keeps between tasks."""

    work: Callable[..., Any]
    ticks: bool
    counts: Any
    held = ExitStack()


def _start(shipped: Any, counts: Any) -> None:
    """Set up a worker: Ctrl-C is its parent's to handle, whose end is its own end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _Worker.counts = counts
    _Worker.work, _Worker.ticks, context, threads = pickle.loads(shipped.raw)
    cv2.setNumThreads(threads)
    if context is not None:
        _Worker.held.enter_context(context())


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait_for([parent.sentinel])
    os._exit(1)


def _run(place: int, task: Any) -> tuple[bool, Any]:
    """Do a task; give whether it was done, and its result."""
    counts = _Worker.counts

    def tick(count: int) -> None:
        counts[place] = count
        if counts[len(counts) - 1]:
            raise _Stopped

    if counts[len(counts) - 1]:
        return False, None
    try:
        return True, _Worker.work(task, tick) if _Worker.ticks else _Worker.work(task)
    except _Stopped:
        return False, None
