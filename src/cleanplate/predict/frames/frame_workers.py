"""Frames of one plate on several processes, each with a session of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing.synchronize import Event
from typing import Any

import cv2

from cleanplate.predict.frames.frame_job import Job, Outcome, Task, not_done, process
from cleanplate.predict.scene import Scene
from cleanplate.predict.session import available_cores

KILLED = (
    "a worker process was killed, perhaps for want of memory; try fewer --workers "
    "(--skip-existing goes on where this run ended)"
)

_worker: dict[str, Any] = {}
"""What a worker keeps between frames."""


def threads_each(workers: int, threads: int | None) -> int:
    """CPU threads of each worker: `threads`, else the cores shared out, at most four each."""
    return threads or max(1, min(4, available_cores() // workers))


def process_parallel(job: Job, tasks: Sequence[Task], workers: int) -> Iterator[Outcome]:
    """Process frames on `workers` processes; outcomes come in the order of the frames.

    Processes are spawned, not forked: threads of this process (ONNX Runtime's, OpenCV's) do not
    outlive a fork. When the iteration is left, Ctrl-C included, each worker ends the frame it is
    at, so that whole files stay, and no other.
    """
    threads = threads_each(workers, job.predictor.get("threads"))
    job = replace(job, predictor={**job.predictor, "threads": threads})
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    pool = ProcessPoolExecutor(
        min(workers, len(tasks)), context, initializer=_start, initargs=(job, threads, stop)
    )
    try:
        futures: list[Future[Outcome | None]] = [pool.submit(_work, task) for task in tasks]
        why = ""
        for task, future in zip(tasks, futures, strict=True):
            try:
                outcome = future.result()
            except BrokenProcessPool:
                outcome = not_done(task, KILLED)
            if outcome is None:
                outcome = not_done(task, why)
            if outcome.final and outcome.error is not None:
                why = why or outcome.error.what
                stop.set()
            yield outcome
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _start(job: Job, threads: int, stop: Event) -> None:
    # Ctrl-C reaches the whole group of processes; the first one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(threads)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _worker.update(job=job, stop=stop)


def _end_with(parent: Any) -> None:
    """Let no worker outlive a first process that was killed."""
    parent.join()
    os._exit(1)


def _work(task: Task) -> Outcome | None:
    """Process one frame; None if the run was stopped."""
    if _worker["stop"].is_set():
        return None
    job: Job = _worker["job"]
    scene: Scene | None = _worker.get("scene")
    if scene is None:
        scene = _worker["scene"] = job.scene()
    return process(job, scene, task)
