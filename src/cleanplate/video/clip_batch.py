"""Clips of one run on the workers of an engine, each with a session of its own."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cleanplate.engines.task_engine import TaskEngine, every_outcome
from cleanplate.errors import CleanplateError, MissingExtraError
from cleanplate.predict.frames.frame_job import is_final
from cleanplate.predict.predictor import Predictor
from cleanplate.predict.scene import Scene
from cleanplate.video.clip import ClipFrame
from cleanplate.video.clip_folder import ClipTask

Shown = Callable[[Iterable[ClipFrame], "int | None"], Iterator[ClipFrame]]
"""Passes the frames of a clip on, given their number, and shows how many are done."""


class ClipProcess(Protocol):
    """Processes one clip and writes its outputs; it is sent to workers by its name."""

    def __call__(
        self, task: ClipTask, chosen: Mapping[str, Any], scene: Scene | None, shown: Shown
    ) -> dict[str, Any]:
        """Give the report."""


@dataclass(frozen=True)
class ClipOutcome:
    """The outcome of one clip: a report or an error.

    final: whether no other clip can be done either, as on a full disk.
    """

    task: ClipTask
    report: dict[str, Any] | None = None
    error: CleanplateError | None = None
    final: bool = False


class _Clips:
    """Processes clips of a run; each process opens the model once.

    ready: the scene, where all clips have one plate, else the predictor; of other processes,
        pickled.
    """

    def __init__(
        self, process: ClipProcess, chosen: Mapping[str, Any], ready: bytes | Scene | Predictor
    ):
        self.process, self.chosen, self.ready = process, chosen, ready

    def __call__(self, task: ClipTask, tick: Callable[[int], None]) -> ClipOutcome:
        if isinstance(self.ready, bytes):
            self.ready = pickle.loads(self.ready)
        try:
            scene = self.ready
            if isinstance(scene, Predictor):
                scene = scene.scene(task.plate, task.plate_depth)
            assert isinstance(scene, Scene)
            return ClipOutcome(task, self.process(task, self.chosen, scene, _ticking(tick)))
        except MissingExtraError:
            raise
        except CleanplateError as error:
            return ClipOutcome(task, error=error, final=is_final(error))


def process_clips(
    process: ClipProcess,
    tasks: Sequence[ClipTask],
    chosen: Mapping[str, Any],
    *,
    predictor: Predictor,
    engine: TaskEngine,
    progress: Callable[[int], None],
    threads: int = 1,
) -> Iterator[ClipOutcome]:
    """Process clips on the engine's workers; outcomes come in the order of the clips.

    See `cleanplate.engines`: a clip whose worker is killed is done again from its begin. After a
    fault that concerns every clip, as a full disk, no other is begun. When the iteration is left,
    Ctrl-C included, each worker ends its files after the frame it is at.

    Args:
        process: as `ClipProcess`.
        tasks: of `clip_folder.clip_tasks`.
        chosen: options that `process` gets.
        predictor: with the threads of one worker.
        engine: where the clips are processed.
        progress: is told the number of frames that are done.
        threads: of a worker.

    Raises:
        CleanplateError: the plate of all clips cannot be read; as `ray_cluster.map_tasks`.
        MissingExtraError: without PyAV or Ray.
    """
    ready: Scene | Predictor = predictor
    if len({(task.plate, task.plate_depth) for task in tasks}) == 1:
        ready = predictor.scene(tasks[0].plate, tasks[0].plate_depth)
    here = not (engine.uses_ray or engine.workers)
    results = engine.map_tasks(
        _Clips(process, chosen, ready if here else pickle.dumps(ready)), tasks,
        ordered=True, progress=progress, stop_when=lambda outcome: outcome.final,
        threads=threads,
    )  # fmt: skip
    yield from every_outcome(results, tasks, _not_done)


def _ticking(tick: Callable[[int], None]) -> Shown:
    def shown(frames: Iterable[ClipFrame], total: int | None) -> Iterator[ClipFrame]:
        for number, frame in enumerate(frames, 1):
            yield frame
            tick(number)

    return shown


def _not_done(task: ClipTask, why: str) -> ClipOutcome:
    return ClipOutcome(task, error=CleanplateError(f"not done: {why}", file=task.clip))
