"""Frames of one plate on several processes, each with a session of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from cleanplate.engines.cores import available_cores
from cleanplate.engines.local_pool import WorkersKilled, map_tasks
from cleanplate.predict.frames.frame_job import Job, Outcome, Task, not_done, process
from cleanplate.predict.scene import Scene

_GOES_ON = "--skip-existing goes on where this run ended"


def threads_each(workers: int, threads: int | None) -> int:
    """CPU threads of each worker: `threads`, else the cores shared out, at most four each."""
    return threads or max(1, min(4, available_cores() // workers))


class _Frames:
    """Processes frames of a job; each process makes the plate ready once."""

    def __init__(self, job: Job):
        self.job = job
        self.scene: Scene | None = None

    def __call__(self, task: Task) -> Outcome:
        if self.scene is None:
            self.scene = self.job.scene()
        return process(self.job, self.scene, task)


def process_parallel(job: Job, tasks: Sequence[Task], workers: int) -> Iterator[Outcome]:
    """Process frames on `workers` processes; outcomes come in the order of the frames.

    See `cleanplate.engines.local_pool`: a frame whose worker is killed is done again. After a
    fault that concerns every frame, as a full disk, no other is begun. When the iteration is left,
    Ctrl-C included, each worker ends the frame it is at, so that whole files stay, and no other.
    """
    threads = threads_each(workers, job.predictor.get("threads"))
    job = replace(job, predictor={**job.predictor, "threads": threads})
    results = map_tasks(
        _Frames(job), tasks, workers,
        ordered=True, stop_when=lambda outcome: outcome.final, threads=threads,
    )  # fmt: skip
    given, why = 0, ""
    with closing(results):
        try:
            for place, outcome in results:
                yield from (not_done(task, why) for task in tasks[given:place])
                given = place + 1
                if outcome.final and outcome.error is not None:
                    why = why or outcome.error.what
                yield outcome
        except WorkersKilled as error:
            why = f"{error.what}; {error.cure} ({_GOES_ON})"
    yield from (not_done(task, why) for task in tasks[given:])
