"""The portions of a set shared out among processes."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import cv2

from cleanplate.errors import CleanplateError
from cleanplate.synthesis.inspection.stored_set import Chunk

Answer = TypeVar("Answer")


def over_portions(
    work: Callable[[Chunk], Answer], portions: Sequence[Chunk], workers: int
) -> Iterator[tuple[Chunk, Answer]]:
    """Give each portion with what `work` makes of it, in the order in which they are done.

    Args:
        work: can be pickled, as can its answers.
        portions: of one set.
        workers: processes; 1 = this one alone.

    Raises:
        CleanplateError: if a process is killed. What `work` raises passes through.
    """
    workers = min(workers, len(portions))
    if workers <= 1:
        for portion in portions:
            yield portion, work(portion)
        return
    # Spawned, not forked: OpenCV's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_begin)
    try:
        jobs: dict[Future[Answer], Chunk] = {pool.submit(work, one): one for one in portions}
        for job in as_completed(list(jobs)):
            # Forgotten here, so that its answer does not stay in memory.
            yield jobs.pop(job), job.result()
    except BrokenProcessPool as error:
        raise CleanplateError(
            "a worker process was killed, perhaps for want of memory", cure="Take fewer --workers."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End when the parent does, however it ends: a pool's workers would wait for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
