"""Shards made by processes of this machine, or by this one."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import wait as wait_for
from multiprocessing.sharedctypes import RawArray
from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import telling_write_faults
from cleanplate.files.json_files import read_json
from cleanplate.files.lock import shared
from cleanplate.synthesis.building.plan import read_plan
from cleanplate.synthesis.building.shard_job import Job, Report, make_shard

_BREAKS = 3
"""Times in a row that a worker may be killed before a shard gets done."""
_LOOK = 0.25
"""Seconds between looks at how far the workers are."""
_ASSETS = ".assets.json"
"""Where the workers of a build find out where the plan's assets lie."""


class _Stopped(Exception):
    """The build ends before this shard is made."""


def run_here(job: Job, shards: Sequence[int], watch: Callable[[int], None]) -> Generator[Report]:
    """Make shards one after the other in this process.

    Raises:
        CleanplateError: as `job.make_shard`.
    """
    made = 0
    for shard in shards:
        before = made
        report = make_shard(job, shard, lambda count, before=before: watch(before + count))  # type: ignore[misc]
        made += report.samples
        yield report


def run_local(
    job: Job, shards: Sequence[int], watch: Callable[[int], None], workers: int
) -> Generator[Report]:
    """Make shards of the plan in `job.out` in `workers` processes, each one shard at a time.

    If a worker is killed (as by a system short of memory), new ones start and its shard is made
    again. When this ends, however it ends, no worker is left, nor is anything of an unfinished
    shard.

    Raises:
        CleanplateError: as `job.make_shard`, or if workers are killed again and again.
    """
    # Samples made of each shard, and a last one that is 1 when workers shall stop.
    told = RawArray("q", len(shards) + 1)
    left = list(range(len(shards)))
    breaks = 0
    with _told_where(job):
        while left:
            for place in left:
                told[place] = 0
            try:
                for place, report in _pool(job, shards, left, told, watch, workers=workers):
                    left.remove(place)
                    breaks = 0
                    yield report
            except BrokenProcessPool as error:
                breaks += 1
                if breaks >= _BREAKS:
                    raise CleanplateError(
                        f"worker processes were killed {breaks} times before a shard was done",
                        file=job.out,
                        cure="Perhaps memory ran out: use fewer --workers. A script that builds "
                        "needs `if __name__ == '__main__':` around it. What is made stays; the "
                        "same command goes on.",
                    ) from error


@contextmanager
def _told_where(job: Job) -> Generator[None]:
    """Leave a note of where the assets lie, as long as there are workers to read it.

    What a process is handed as it starts goes through a pipe. One that dies before it has read
    all of that, and of some hundred assets it is more than a pipe holds, lets its parent wait
    for ever (CPython's `popen_spawn_posix` keeps the reading end open itself while it writes).
    """
    note = job.out / _ASSETS
    files = [[str(file) for file in some] for some in (job.plate_files, job.cutout_files)]
    with telling_write_faults(note):
        note.write_text(json.dumps(files), encoding="utf-8")
    try:
        yield
    finally:
        with suppress(OSError):
            note.unlink()


def _pool(
    job: Job,
    shards: Sequence[int],
    left: Sequence[int],
    told: Any,
    watch: Callable[[int], None],
    *,
    workers: int,
) -> Generator[tuple[int, Report]]:
    """Run one pool until all shards are made or it breaks."""
    workers = min(workers, len(left))
    context = multiprocessing.get_context("spawn")
    waiting = list(reversed(left))
    running: dict[Future[Report], int] = {}
    pool = ProcessPoolExecutor(workers, context, _start, (job.out, told))
    try:
        while waiting or running:
            # One in reserve for each worker; a queue of all would only hold memory.
            while waiting and len(running) < 2 * workers:
                place = waiting.pop()
                with _undisturbed():
                    running[pool.submit(_make, shards[place], place)] = place
            done, _ = wait(running, timeout=_LOOK, return_when=FIRST_COMPLETED)
            watch(sum(told[:-1]))
            for future in done:
                yield running.pop(future), future.result()
    finally:
        told[len(told) - 1] = 1
        pool.shutdown(wait=True, cancel_futures=True)
        told[len(told) - 1] = 0


@contextmanager
def _undisturbed() -> Generator[None]:
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
    """What a worker process keeps between shards."""

    job: Job
    told: Any
    lock = ExitStack()


def _start(out: Path, told: Any) -> None:
    """Set up a worker: Ctrl-C is its parent's to handle, whose end is its own end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _Worker.lock.enter_context(shared(out))
    plan = read_plan(out)
    assert plan is not None
    plates, cutouts = read_json(out / _ASSETS)
    _Worker.job = Job(out, plan, tuple(map(Path, plates)), tuple(map(Path, cutouts)))
    _Worker.told = told


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait_for([parent.sentinel])
    os._exit(1)


def _make(shard: int, place: int) -> Report:
    told = _Worker.told

    def tick(count: int) -> None:
        told[place] = count
        if told[len(told) - 1]:
            raise _Stopped

    return make_shard(_Worker.job, shard, tick)


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not every system lets processes be bound to cores
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
