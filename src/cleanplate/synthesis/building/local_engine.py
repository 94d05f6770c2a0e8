"""Shards made by processes of this machine, or by this one."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial

from cleanplate.engines.local_pool import WorkersKilled, map_tasks
from cleanplate.errors import CleanplateError
from cleanplate.files.lock import shared
from cleanplate.synthesis.building.shard_job import Job, Report, make_shard


def run_here(job: Job, shards: Sequence[int], watch: Callable[[int], None]) -> Generator[Report]:
    """Make shards one after the other in this process.

    Raises:
        CleanplateError: as `shard_job.make_shard`.
    """
    return run_local(job, shards, watch, workers=0)


def run_local(
    job: Job, shards: Sequence[int], watch: Callable[[int], None], workers: int
) -> Generator[Report]:
    """Make shards of the plan in `job.out` in `workers` processes, each one shard at a time.

    See `cleanplate.engines.local_pool`: a shard whose worker is killed is made again. When this
    ends, however it ends, no worker is left, nor is anything of an unfinished shard.

    Args:
        job: the plan and its folders.
        shards: numbers of the shards.
        watch: is told the samples made so far.
        workers: number of processes; 0 = this one.

    Raises:
        CleanplateError: as `shard_job.make_shard`, or if workers are killed again and again.
    """
    results = map_tasks(
        partial(make_shard, job), shards, workers, progress=watch, context=partial(shared, job.out)
    )
    with closing(results):
        try:
            for _, report in results:
                yield report
        except WorkersKilled as error:
            raise CleanplateError(
                error.what,
                file=job.out,
                cure=f"{error.cure} What is made stays; the same command goes on.",
            ) from error
