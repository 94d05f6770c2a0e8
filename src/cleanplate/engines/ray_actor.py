"""The actor that is a worker of a Ray cluster, and what goes to it and comes back."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any, NamedTuple

import cv2

from cleanplate.engines.local_pool import Context
from cleanplate.errors import CleanplateError, require


class Shipped(NamedTuple):
    """What is sent to the cluster once.

    folder: the working folder, so that relative paths mean the same.
    variables: of the environment, which an actor of a cluster that runs already does not inherit.
    """

    work: Callable[..., Any]
    ticks: bool
    context: Context | None
    threads: int
    folder: str
    variables: dict[str, str]


class Answer(NamedTuple):
    """The result of a task and its last count, or a person's mistake as what, file and cure."""

    result: Any = None
    done: int = 0
    fault: tuple[str, str | None, str | None] | None = None


class _Stopped(Exception):
    """The caller wants no more results, and this task is not done."""


class TaskActor:
    """A worker. Its `stop` and `count` are called from a second thread, while it is at a task.

    What it needs comes with every call, as a list of one reference: a fault in the constructor
    would be told without its kind and traceback, and one that Ray started again has nothing left.
    """

    def __init__(self) -> None:
        self._shipped: Shipped | None = None
        self._held = ExitStack()
        self._count = 0
        self._stopping = False

    def enter(self, shipped: list[Any]) -> Answer:
        """Make ready for tasks."""
        return _answered(self._ready, shipped)

    def run(self, shipped: list[Any], task: Any) -> Answer:
        """Do a task."""
        return _answered(self._done, shipped, task)

    def stop(self) -> None:
        """Begin no task any more, and end the one at work at its next tick."""
        self._stopping = True

    def count(self) -> int:
        """Tell how much of the task at work is done."""
        return self._count

    def _ready(self, shipped: list[Any]) -> Answer:
        self._work(shipped[0])
        return Answer()

    def _work(self, reference: Any) -> Shipped:
        """Give the work; the first time, the context is entered."""
        if self._shipped is None:
            shipped: Shipped = require("ray", "ray").get(reference)
            cv2.setNumThreads(shipped.threads)
            os.environ.update(shipped.variables)
            with suppress(OSError):  # of a node that has no such folder, absolute paths are left
                os.chdir(shipped.folder)
            if shipped.context is not None:
                self._held.enter_context(shipped.context())
            self._shipped = shipped
        return self._shipped

    def _done(self, shipped: list[Any], task: Any) -> Answer:
        self._count = 0
        work, ticks, *_ = self._work(shipped[0])
        if self._stopping:
            raise _Stopped
        result = work(task, self._tick) if ticks else work(task)
        return Answer(result, done=self._count)

    def _tick(self, count: int) -> None:
        self._count = count
        if self._stopping:
            raise _Stopped


def _answered(method: Callable[..., Answer], *arguments: Any) -> Answer:
    """Call a method; a person's mistake is an answer, because Ray would wrap the exception."""
    try:
        return method(*arguments)
    except _Stopped:
        return Answer()  # which nobody reads
    except CleanplateError as error:
        file = None if error.file is None else str(error.file)
        return Answer(fault=(error.what, file, error.cure))
