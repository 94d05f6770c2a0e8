"""Shards made on actors of a Ray cluster, whose nodes all see the set's folder and the assets."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial

from cleanplate.engines.ray_cluster import TaskLost, map_tasks
from cleanplate.errors import CleanplateError
from cleanplate.files.lock import shared
from cleanplate.synthesis.building.shard_job import Job, Report, make_shard


def run_ray(
    job: Job,
    shards: Sequence[int],
    watch: Callable[[int], None],
    *,
    workers: int,
    address: str | None = None,
) -> Generator[Report]:
    """Make shards on Ray actors of one core each.

    Args:
        job: its folders are the same on every node.
        shards: numbers of the shards.
        watch: is told the samples made, whenever a shard is done.
        workers: number of actors; 0 = one for each core of the cluster.
        address: of a running cluster; "auto" finds the one of this machine.

    Raises:
        CleanplateError: as `shard_job.make_shard`; if the cluster is not reached, or gives a
            shard up.
        MissingExtraError: without Ray.
    """
    results = map_tasks(
        partial(make_shard, job), shards, workers,
        progress=watch, context=partial(shared, job.out), address=address,
    )  # fmt: skip
    with closing(results):
        try:
            for _, report in results:
                yield report
        except TaskLost as error:
            cure = f"{error.cure} What is made stays; the same command goes on."
            raise CleanplateError(error.what, file=job.out, cure=cure) from error
