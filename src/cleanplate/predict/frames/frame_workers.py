"""Frames of one plate on several processes or a Ray cluster, each worker with one session."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import replace

from cleanplate.engines.cores import available_cores
from cleanplate.engines.task_engine import TaskEngine, every_outcome
from cleanplate.predict.frames.frame_job import Job, Outcome, Task, not_done, process
from cleanplate.predict.scene import Scene

_GOES_ON = "--skip-existing goes on where this run ended"


def threads_each(workers: int, threads: int | None) -> int:
    """CPU threads of each worker: `threads`, else the cores shared out, at most four each.

    0 workers are one for each core, as a Ray cluster has them: one thread each.
    """
    return threads or max(1, min(4, available_cores() // (workers or available_cores())))


class _Frames:
    """Processes frames of a job; each process opens the model once.

    scene: the plate as it was read once, pickled.
    """

    def __init__(self, job: Job, scene: bytes):
        self.job = job
        self.scene: bytes | Scene = scene

    def __call__(self, task: Task) -> Outcome:
        if isinstance(self.scene, bytes):
            self.scene = pickle.loads(self.scene)
        assert isinstance(self.scene, Scene)
        return process(self.job, self.scene, task)


def process_parallel(job: Job, tasks: Sequence[Task], engine: TaskEngine) -> Iterator[Outcome]:
    """Process frames on the engine's workers; outcomes come in the order of the frames.

    See `cleanplate.engines`: a frame whose worker is killed is done again. After a fault that
    concerns every frame, as a full disk, no other is begun. When the iteration is left, Ctrl-C
    included, each worker ends the frame it is at, so that whole files stay, and no other.

    Raises:
        CleanplateError: as `Job.scene`, before workers start; if a Ray cluster is not reached.
        MissingExtraError: without Ray.
    """
    threads = threads_each(engine.workers, job.predictor.get("threads"))
    job = replace(job, predictor={**job.predictor, "threads": threads})
    results = engine.map_tasks(
        _Frames(job, pickle.dumps(job.scene())), tasks,
        ordered=True, stop_when=lambda outcome: outcome.final, threads=threads,
    )  # fmt: skip
    yield from every_outcome(results, tasks, not_done, goes_on=_GOES_ON)
