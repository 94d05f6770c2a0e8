"""A job of many frames against one plate: its options, and the outcome of each frame."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.files.ownership import check_folder
from cleanplate.formats.pictures import read_image
from cleanplate.matte import MixingSpace
from cleanplate.predict.frames.frame_selection import STDIN
from cleanplate.predict.output.adjustment import (
    adjust,
    check_controls,
    check_known_size,
    known_of,
)
from cleanplate.predict.output.result_files import is_complete, write_result
from cleanplate.predict.output.writing import Writing
from cleanplate.predict.predictor import Predictor
from cleanplate.predict.result import Result
from cleanplate.predict.scene import Scene

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Faults after which no other frame can be written either."""

STDOUT = Path("-")
"""As a job's output: nothing is written to a folder."""

Task = tuple[Path, str]
"""A frame, and the stem of its files."""


@dataclass(frozen=True)
class Job:
    """All options of a run: plate, predictor, controls, and what is written.

    predictor: arguments of `Predictor`.
    controls: `choke`, `feather` and `despill`, as `adjust` takes them.
    """

    plate: str
    plate_depth: str | None
    output: Path
    writing: Writing
    predictor: dict[str, Any] = field(default_factory=dict)
    known_mask: str | None = None
    controls: dict[str, float] = field(default_factory=dict)
    foreground_space: MixingSpace = "linear"
    skip_existing: bool = False

    def options(self) -> dict[str, Any]:
        """Give the options that decide the files' content, for the report."""
        model = self.predictor.get("model")
        return {
            **{k: v for k, v in self.predictor.items() if k != "threads"},
            "model": None if model is None else str(model),
            "plate": self.plate,
            "plate_depth": self.plate_depth,
            "known_mask": self.known_mask,
            **self.controls,
            "foreground_space": self.foreground_space,
            "premultiplied": self.writing.premultiplied,
            "background": None if self.writing.background is None else str(self.writing.background),
            "bits": self.writing.bits,
        }

    def check(self) -> None:
        """Refuse controls that cannot be and a folder that cannot take files, before any work."""
        if self.output != STDOUT:
            check_folder(self.output)
        check_controls(
            self.controls.get("choke", 0),
            self.controls.get("feather", 0),
            self.controls.get("despill", 0),
            self.foreground_space,
        )
        if self.known_mask is not None:
            known_of(self.known_mask)

    def scene(self) -> Scene:
        """Prepare the plate.

        Raises:
            CleanplateError: as `Predictor` and `Predictor.scene`; or the known mask is of another
                size than the plate.
        """
        scene = Predictor(**self.predictor).scene(self.plate, self.plate_depth)
        if self.known_mask is not None:
            check_known_size(known_of(self.known_mask), scene.size)
        return scene

    def predict(self, scene: Scene, path: Path) -> Result:
        """Find the subject of one frame, controls included; nothing is written."""
        writing = self.writing.within(scene.outputs)
        placed = [name for name in ("subjects",) if name in scene.outputs]
        outputs = {*placed, *writing.outputs(scene.outputs)}
        frame = _from_stdin() if path == STDIN else path
        if self.known_mask or any(self.controls.values()) or self.foreground_space != "linear":
            # The outputs are computed once, of the adjusted matte.
            result = adjust(
                scene.predict(frame, outputs=placed),
                known_mask=self.known_mask,
                foreground_space=self.foreground_space,
                outputs=outputs,
                **self.controls,
            )
        else:
            result = scene.predict(frame, outputs=outputs)
        report = {
            "frame": str(path),
            "plate_file": self.plate,
            "plate_depth_file": self.plate_depth,
            "options": self.options(),
            **result.report,
        }
        return replace(result, report=report)


@dataclass(frozen=True)
class Outcome:
    """The outcome of one frame: a report, an error, or neither if its files were there already.

    final: whether no other frame can be done either, as on a full disk.
    """

    frame: Path
    report: dict[str, Any] | None = None
    error: CleanplateError | None = None
    final: bool = False

    @property
    def skipped(self) -> bool:
        """Whether its files were there already."""
        return self.report is None and self.error is None


def process(job: Job, scene: Scene, task: Task) -> Outcome:
    """Predict and write one frame; a `CleanplateError` becomes part of the outcome."""
    path, stem = task
    metric, writing = scene.metric, job.writing.within(scene.outputs)
    try:
        names = writing.names(stem, metric=metric)
        if job.skip_existing and is_complete(job.output, stem, names, job.options()):
            return Outcome(path)
        # Before the work: nothing is worth computing that may not be written.
        writing.check(job.output, stem, metric=metric)
        written = write_result(job.predict(scene, path), job.output, stem, writing)
    except CleanplateError as error:
        return Outcome(path, error=error, final=is_final(error))
    return Outcome(path, written.report)


def process_all(job: Job, scene: Scene, tasks: Sequence[Task]) -> Iterator[Outcome]:
    """Process frames one after the other; after a full disk the rest is not tried."""
    last: CleanplateError | None = None
    for task in tasks:
        if last is not None:
            yield not_done(task, last.what)
            continue
        outcome = process(job, scene, task)
        if outcome.final:
            last = outcome.error
        yield outcome


def not_done(task: Task, why: str) -> Outcome:
    """Give the outcome of a frame that was not tried."""
    return Outcome(task[0], error=CleanplateError(f"not done: {why}", file=task[0]))


def is_final(error: CleanplateError) -> bool:
    """Whether an error is of a disk on which nothing else can be written either."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _FULL:
            return True
        cause = cause.__cause__
    return False


def _from_stdin() -> Any:
    data = sys.stdin.buffer.read()
    try:
        return read_image(io.BytesIO(data))
    except CleanplateError as error:
        raise CleanplateError(error.what, file="standard input", cure=error.cure) from error
