"""The choice of where tasks are run: this process, others of this machine, or a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from cleanplate.engines import local_pool, ray_cluster
from cleanplate.engines.local_pool import Context, Results
from cleanplate.errors import CleanplateError

Task = TypeVar("Task")
Result = TypeVar("Result")

LOST = (local_pool.WorkersKilled, ray_cluster.TaskLost)
"""What `TaskEngine.map_tasks` raises when workers went away again and again."""


class TaskOutcome(Protocol):
    """The result of a task that may have failed.

    final: whether no other task can be done either, as on a full disk.
    """

    @property
    def error(self) -> CleanplateError | None:
        """Why it failed, if it did."""

    @property
    def final(self) -> bool:
        """See the class."""


Outcome = TypeVar("Outcome", bound=TaskOutcome)


@dataclass(frozen=True)
class TaskEngine:
    """Where tasks are run.

    workers: processes or actors; 0 = this process, with Ray one actor for each core.
    uses_ray: whether they are run on a Ray cluster.
    address: of a running Ray cluster; None = one is started here.
    """

    workers: int = 0
    uses_ray: bool = False
    address: str | None = None

    def map_tasks(
        self,
        work: Callable[..., Result],
        tasks: Sequence[Task],
        *,
        ordered: bool = False,
        progress: Callable[[int], None] | None = None,
        stop_when: Callable[[Result], bool] | None = None,
        context: Context | None = None,
        threads: int = 1,
    ) -> Results[Result]:
        """Give the result of each task with its place; see `local_pool.map_tasks`.

        Raises:
            CleanplateError: one of `LOST`; as `ray_cluster.map_tasks`; as `work` raises it.
        """
        mapped: Any = local_pool.map_tasks
        if self.uses_ray:
            mapped = partial(ray_cluster.map_tasks, address=self.address)
        results: Results[Result] = mapped(
            work, tasks, self.workers,
            ordered=ordered, progress=progress, stop_when=stop_when, context=context,
            threads=threads,
        )  # fmt: skip
        return results


def every_outcome(
    results: Results[Outcome],
    tasks: Sequence[Task],
    not_done: Callable[[Task, str], Outcome],
    *,
    goes_on: str = "",
) -> Iterator[Outcome]:
    """Give one outcome for each task, in their order, also for those that were not begun.

    Args:
        results: ordered, of `TaskEngine.map_tasks`.
        tasks: all of them.
        not_done: makes the outcome of a task that was not done, given the reason.
        goes_on: how a person goes on when workers went away.
    """
    given, why = 0, ""
    with closing(results):
        try:
            for place, outcome in results:
                yield from (not_done(task, why) for task in tasks[given:place])
                given = place + 1
                if outcome.final and outcome.error is not None:
                    why = why or outcome.error.what
                yield outcome
        except LOST as error:
            why = f"{error.what}; {error.cure}" + (f" ({goes_on})" if goes_on else "")
    yield from (not_done(task, why) for task in tasks[given:])
