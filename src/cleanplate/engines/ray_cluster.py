"""Tasks of a Ray cluster, whose nodes all see the same files. The only module that imports Ray."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing, nullcontext
from typing import Any, NamedTuple, TypeVar

from cleanplate.engines.local_pool import Context, Results, in_order
from cleanplate.errors import CleanplateError, require

Task = TypeVar("Task")
Result = TypeVar("Result")

_RETRIES = 5
"""Times that Ray does a task again whose worker or node went away."""


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
    address: str | None = None,
) -> Results[Result]:
    """Give the result of each task with its place, as `local_pool.map_tasks` does.

    Args:
        work: as there; it and the tasks mean the same on every node.
        tasks: one Ray task of one core each.
        workers: cores of the cluster that is started here for it, without an address.
        ordered: as there.
        progress: is told the sum of all counts when a task is done.
        stop_when: as there.
        context: entered for each task.
        address: of a running cluster; "auto" finds the one of this machine.

    Raises:
        MissingExtraError: without Ray.
        TaskLost: if the cluster gives a task up.
        CleanplateError: if the cluster is not reached; as `work` raises it.
    """
    ray = require("ray", "ray")
    results = _map_cluster(
        ray, _Shipped(work, progress is not None, context), tasks,
        workers=workers, address=address,
        progress=progress or (lambda _: None), stop_when=stop_when or (lambda _: False),
    )  # fmt: skip
    with closing(in_order(results) if ordered else results) as wanted:
        yield from wanted


class _Shipped(NamedTuple):
    """What is sent to the cluster once."""

    work: Callable[..., Any]
    ticks: bool
    context: Context | None


class _Answer(NamedTuple):
    """The result of a task and its last count, or a person's mistake as what, file and cure."""

    result: Any
    done: int = 0
    fault: tuple[str, str | None, str | None] | None = None


def _map_cluster(
    ray: Any,
    shipped: _Shipped,
    tasks: Sequence[Any],
    *,
    workers: int,
    address: str | None,
    progress: Callable[[int], None],
    stop_when: Callable[[Any], bool],
) -> Generator[tuple[int, Any]]:
    ours = not ray.is_initialized()
    if ours:
        _start(ray, workers, address)
    task = ray.remote(num_cpus=1, max_retries=_RETRIES)(_run_task)
    waiting, count = list(range(len(tasks)))[::-1], 0
    running: dict[Any, int] = {}
    try:
        work = ray.put(shipped)
        while waiting or running:
            room = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
            while waiting and len(running) < room:
                place = waiting.pop()
                running[task.remote(work, tasks[place])] = place
            done, _ = ray.wait(list(running), num_returns=1, timeout=1.0)
            for reference in done:
                place = running.pop(reference)
                answer = _answer(ray, reference)
                count += answer.done
                progress(count)
                if stop_when(answer.result):
                    waiting.clear()
                yield place, answer.result
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


def _answer(ray: Any, reference: Any) -> _Answer:
    try:
        answer: _Answer = ray.get(reference)
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


def _run_task(shipped: _Shipped, task: Any) -> _Answer:
    """Do a task; a person's mistake is an answer, because Ray would wrap the exception."""
    count = 0

    def tick(done: int) -> None:
        nonlocal count
        count = done

    try:
        with nullcontext() if shipped.context is None else shipped.context():
            result = shipped.work(task, tick) if shipped.ticks else shipped.work(task)
    except CleanplateError as error:
        file = None if error.file is None else str(error.file)
        return _Answer(None, fault=(error.what, file, error.cure))
    return _Answer(result, count)
