"""The choice of where tasks are run: this process, others of this machine, or a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from cleanplate.engines import local_pool, ray_cluster
from cleanplate.engines.local_pool import Context, Results

Task = TypeVar("Task")
Result = TypeVar("Result")

LOST = (local_pool.WorkersKilled, ray_cluster.TaskLost)
"""What `TaskEngine.map_tasks` raises when workers went away again and again."""


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
