"""Tasks on actors of a Ray cluster, whose nodes all see the same files.

The only module that imports Ray. Ray itself places the actors, starts one again whose process or
node went away, and does the task again that it was at.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from typing import Any, NamedTuple, TypeVar

from cleanplate.engines.cores import available_cores
from cleanplate.engines.local_pool import Context, Results, in_order
from cleanplate.engines.ray_actor import Answer, Shipped, TaskActor
from cleanplate.errors import CleanplateError, require

Task = TypeVar("Task")
Result = TypeVar("Result")

_RETRIES = 5
"""Times that Ray does a task again whose worker or node went away."""
_LOOK = 1.0
"""Seconds between two looks at the progress of the workers."""
_ANSWER_WITHIN = 10.0
"""Seconds in which a worker that is there has heard that it shall stop."""


class TaskLost(CleanplateError):
    """Ray gave up a task whose workers or nodes went away again and again."""


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
    address: str | None = None,
) -> Results[Result]:
    """Give the result of each task with its place, as `local_pool.map_tasks` does.

    Each worker is an actor: one process that keeps work and context between its tasks. It works in
    this process's folder and knows its environment variables `CLEANPLATE_...`.

    Args:
        work: as there; it and the tasks mean the same on every node.
        tasks: as there.
        workers: number of actors, as many as there are tasks at most. Those that find no room in
            the cluster wait for it. 0 = as many as the cluster's cores have room for.
        ordered: as there.
        progress: as there; it is told once a second.
        stop_when: as there.
        context: as there.
        threads: of OpenCV in each worker, and the cores that are set aside for it.
        address: of a running cluster; "auto" finds the one of this machine. Without it, one with
            room for the workers is started here, unless this process has one already.

    Raises:
        MissingExtraError: without Ray.
        TaskLost: if the cluster gives a task up.
        CleanplateError: if the cluster is not reached, or has no node with so many cores; as
            `work` raises it.
    """
    ray = require("ray", "ray")
    results = _map_cluster(
        ray, _shipped(work, progress is not None, context, threads), tasks,
        workers=workers, address=address, progress=progress, stop_when=stop_when,
    )  # fmt: skip
    with closing(in_order(results) if ordered else results) as wanted:
        yield from wanted


def _shipped(
    work: Callable[..., Any], ticks: bool, context: Context | None, threads: int
) -> Shipped:
    variables = {k: v for k, v in os.environ.items() if k.startswith("CLEANPLATE_")}
    return Shipped(work, ticks, context, threads, os.getcwd(), variables)


class _Running(NamedTuple):
    """What an actor is at: the place of a task, or None as it starts."""

    actor: Any
    place: int | None


def _map_cluster(
    ray: Any,
    shipped: Shipped,
    tasks: Sequence[Any],
    *,
    workers: int,
    address: str | None,
    progress: Callable[[int], None] | None,
    stop_when: Callable[[Any], bool] | None,
) -> Generator[tuple[int, Any]]:
    """Give each actor one task after the other; one for which there is none is let go.

    Whatever waits for a place in the cluster gets that of an actor that was let go, so that a task
    is done in the end though the node of its actor is gone.
    """
    ours = not ray.is_initialized()
    if ours:
        _start(ray, workers * shipped.threads or max(shipped.threads, available_cores()), address)
    waiting, counts = list(range(len(tasks)))[::-1], dict.fromkeys(range(len(tasks)), 0)
    running: dict[Any, _Running] = {}
    try:
        _check_nodes(ray, shipped.threads)
        make = ray.remote(
            num_cpus=shipped.threads,
            max_restarts=-1,
            max_task_retries=_RETRIES,
            max_concurrency=2,
        )(TaskActor)
        work = [ray.put(shipped)]
        while waiting or _busy(running):
            room = workers or _room(ray, shipped.threads)
            while len(running) < min(room, len(waiting) + len(_busy(running))):
                actor = make.remote()
                running[actor.enter.remote(work)] = _Running(actor, None)
                del actor  # Ray ends an actor to which no handle is left
            done, _ = ray.wait(list(running), num_returns=1, timeout=_LOOK)
            for reference in done:
                actor, place = running.pop(reference)
                answer = _answer(ray, reference)
                if stop_when is not None and place is not None and stop_when(answer.result):
                    waiting.clear()
                if waiting:
                    following = waiting.pop()
                    begun = actor.run.remote(work, tasks[following])
                    running[begun] = _Running(actor, following)
                del actor
                if place is not None:
                    counts[place] = answer.done
                    if progress is not None:
                        progress(sum(counts.values()))
                    yield place, answer.result
            if progress is not None and not done:
                _look(ray, _busy(running), counts)
                progress(sum(counts.values()))
    finally:
        try:
            _stop(ray, running)
        finally:
            if ours:
                ray.shutdown()


def _busy(running: dict[Any, _Running]) -> list[_Running]:
    return [one for one in running.values() if one.place is not None]


def _start(ray: Any, cores: int, address: str | None) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address is None:
        options |= {"num_cpus": cores, "include_dashboard": False, "address": "local"}
    else:
        options["address"] = address
    try:
        ray.init(**options)
    except Exception as error:  # Ray raises this very class where its start takes too long
        raise CleanplateError(
            f"no Ray cluster is reached ({error})",
            cure="Start one with `ray start --head`, or leave --ray-address out to have one here.",
        ) from error


def _check_nodes(ray: Any, threads: int) -> None:
    """Refuse workers that no node has room for; a cluster without cores may still get some."""
    cores = (node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"])
    most = int(max(cores, default=0))
    if 0 < most < threads:
        raise CleanplateError(
            f"no node of the Ray cluster has {threads} cores; the largest has {most}",
            cure="Give each worker fewer --threads.",
        )


def _room(ray: Any, threads: int) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)) // threads)


def _look(ray: Any, busy: Iterable[_Running], counts: dict[int, int]) -> None:
    """Ask what is done of the tasks at work; an actor that is being started again says nothing."""
    asked = {one.actor.count.remote(): one.place for one in busy}
    if not asked:
        return
    ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=_LOOK)
    for reference in ready:
        try:
            counts[asked[reference]] = ray.get(reference)  # type: ignore[index,unused-ignore]
        except ray.exceptions.RayError:
            continue  # that of the task tells it


def _answer(ray: Any, reference: Any) -> Answer:
    try:
        answer: Answer = ray.get(reference)
    except ray.exceptions.RayTaskError:
        raise  # a bug, with its traceback
    except ray.exceptions.RayError as error:
        raise TaskLost(
            f"Ray gave up on a task ({type(error).__name__})",
            cure="See to the cluster's memory and nodes.",
        ) from error
    if answer.fault is not None:
        what, file, cure = answer.fault
        raise CleanplateError(what, file=file, cure=cure)
    return answer


def _stop(ray: Any, running: dict[Any, _Running]) -> None:
    """Let tasks at work come to their end or their next tick; no actor is left.

    Those that do not hear it, because their node is gone, are not waited for.
    """
    try:
        told = {
            one.actor.stop.remote(): task for task, one in running.items() if one.place is not None
        }
        if told:
            heard, _ = ray.wait(list(told), num_returns=len(told), timeout=_ANSWER_WITHIN)
            ending = [told[reference] for reference in heard]
            if ending:
                ray.wait(ending, num_returns=len(ending))
    finally:
        for one in running.values():
            ray.kill(one.actor)
