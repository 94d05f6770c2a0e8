"""Shards made as tasks of a Ray cluster, whose nodes all see the set's folder and the assets."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

from cleanplate.errors import CleanplateError, require
from cleanplate.files.lock import shared
from cleanplate.synthesis.building.shard_job import Job, Report, make_shard

_RETRIES = 5
"""Times that Ray makes a shard again whose worker or node went away."""


def run_ray(
    job: Job,
    shards: Sequence[int],
    watch: Callable[[int], None],
    *,
    workers: int,
    address: str | None = None,
) -> Generator[Report]:
    """Make shards as Ray tasks of one core each.

    Args:
        job: its folders are the same on every node.
        shards: numbers of the shards.
        watch: is told the samples made, whenever a shard is done.
        workers: cores of the cluster that is started here for it, without an address.
        address: of a running cluster; "auto" finds the one of this machine.

    Raises:
        CleanplateError: as `job.make_shard`; if the cluster is not reached, or gives a shard up.
        MissingExtraError: without Ray.
    """
    ray = require("ray", "ray")
    ours = not ray.is_initialized()
    if ours:
        _start(ray, workers, address)
    task = ray.remote(num_cpus=1, max_retries=_RETRIES)(_make)
    waiting, made = list(reversed(shards)), 0
    running: dict[Any, int] = {}
    try:
        shipped = ray.put(job)
        while waiting or running:
            room = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
            while waiting and len(running) < room:
                shard = waiting.pop()
                running[task.remote(shipped, shard)] = shard
            done, _ = ray.wait(list(running), num_returns=1, timeout=1.0)
            for reference in done:
                shard = running.pop(reference)
                report = _result(ray, reference, shard, job)
                made += report.samples
                watch(made)
                yield report
    finally:
        for reference in running:
            ray.cancel(reference, force=True)
        if running:
            ray.wait(list(running), num_returns=len(running), timeout=10.0)
        if ours:
            ray.shutdown()


def _start(ray: Any, workers: int, address: str | None) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address is None:
        options |= {"num_cpus": max(1, workers), "include_dashboard": False, "address": "local"}
    else:
        options["address"] = address
    try:
        ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise CleanplateError(
            f"no Ray cluster is reached ({error})",
            cure="Start one with `ray start --head`, or leave --ray-address out to have one here.",
        ) from error


def _result(ray: Any, reference: Any, shard: int, job: Job) -> Report:
    try:
        outcome = ray.get(reference)
    except ray.exceptions.RayTaskError:
        raise  # a bug, with its traceback
    except ray.exceptions.RayError as error:
        raise CleanplateError(
            f"Ray gave up on shard {shard} ({type(error).__name__})",
            file=job.out,
            cure="See to the cluster's memory and nodes. What is made stays; "
            "the same command goes on.",
        ) from error
    if isinstance(outcome, Report):
        return outcome
    what, file, cure = outcome
    raise CleanplateError(what, file=file, cure=cure)


def _make(job: Job, shard: int) -> Report | tuple[str, str | None, str | None]:
    """Make a shard; a person's mistake is a result, because Ray would wrap the exception."""
    try:
        with shared(job.out):
            return make_shard(job, shard, lambda _: None)
    except CleanplateError as error:
        return error.what, None if error.file is None else str(error.file), error.cure
