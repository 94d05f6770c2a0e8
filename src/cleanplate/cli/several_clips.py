"""Several clips of one `cleanplate video`: what is told while they are processed and after."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from cleanplate.cli.json_output import JsonOutput, shows_summary
from cleanplate.errors import CleanplateError

if TYPE_CHECKING:
    from cleanplate.engines.task_engine import TaskEngine
    from cleanplate.predict.predictor import Predictor
    from cleanplate.video.clip_batch import ClipOutcome, ClipProcess
    from cleanplate.video.clip_folder import ClipTask


def tasks_of(
    given: Sequence[str], chosen: Mapping[str, Any], quiet: bool
) -> tuple[list[ClipTask], bool]:
    """Find the clips, their plates and outputs; and whether one clip was named by itself."""
    from cleanplate.video.clip_folder import clip_tasks, find_clips

    clips = find_clips(given)
    for remark in () if quiet else clips.remarks:
        click.echo(remark, err=True)
    tasks = clip_tasks(
        clips,
        chosen["outputs"],
        chosen["presets"],
        plate=chosen["plate"],
        plate_depth=chosen["plate_depth"],
        save_plate=chosen["save_plate"],
    )
    return tasks, clips.single


def process_several(
    process: ClipProcess,
    predictor_of: Callable[[Mapping[str, Any]], Predictor],
    tasks: Sequence[ClipTask],
    chosen: dict[str, Any],
    *,
    engine: TaskEngine,
    json_output: JsonOutput | None,
    quiet: bool,
) -> None:
    """Process clips on an engine; show progress, notes and a summary, and write the JSON.

    Raises:
        CleanplateError: clips that failed; the others are done.
    """
    from cleanplate.predict.frames.frame_workers import threads_each
    from cleanplate.video.clip_batch import process_clips

    if any("-" in (task.clip, *task.outputs) for task in tasks):
        raise click.UsageError("A pipe is of this process and one clip: leave --engine ray out.")
    if json_output is not None:
        json_output.check(overwrite=chosen["overwrite"])
    _make_folders(tasks)
    threads = chosen["threads"]
    if engine.uses_ray or engine.workers:
        threads = chosen["threads"] = threads_each(engine.workers, threads)
    document: dict[str, list[Any]] = {"clips": [], "failed": []}
    bar = tqdm(unit="frame", disable=True if quiet else None)

    def shown(frames: int) -> None:
        bar.update(frames - bar.n)  # less, when a worker was killed

    with bar:
        outcomes = process_clips(
            process, tasks, chosen,
            predictor=predictor_of(chosen), engine=engine, progress=shown, threads=threads or 1,
        )  # fmt: skip
        for number, outcome in enumerate(outcomes, 1):
            bar.set_postfix_str(f"{number} of {len(tasks)} clips")
            _take(outcome, document, quiet, alone=len(tasks) == 1)
    if json_output is not None:
        json_output.write(document, overwrite=chosen["overwrite"])
    if shows_summary(json_output, quiet):
        for one in document["clips"]:
            click.echo(_line(one))
    if document["failed"]:
        failed = "\n".join(one["error"] for one in document["failed"])
        raise CleanplateError(f"{len(document['failed'])} of {len(tasks)} clips failed:\n{failed}")


def _take(
    outcome: ClipOutcome, document: dict[str, list[Any]], quiet: bool, *, alone: bool
) -> None:
    report, clip = outcome.report, outcome.task.clip
    if report is None:
        assert outcome.error is not None
        if alone:
            raise outcome.error
        named = f"{outcome.error}" if outcome.error.file else f"{clip}: {outcome.error}"
        document["failed"].append({"clip": clip, "error": named})
        return
    document["clips"].append(report)
    for sentence in () if quiet else report["notes"]:
        tqdm.write(f"Note: {clip}: {sentence}", file=sys.stderr)


def _make_folders(tasks: Sequence[ClipTask]) -> None:
    """Make the folders of the outputs, as sequences make theirs."""
    from cleanplate.files.atomic import telling_write_faults
    from cleanplate.files.ownership import check_folder

    paths = (path for task in tasks for path in (*task.outputs, *filter(None, [task.save_plate])))
    for folder in dict.fromkeys(Path(path).parent for path in paths):
        check_folder(folder)
        with telling_write_faults(folder):
            folder.mkdir(parents=True, exist_ok=True)


def _line(report: dict[str, Any]) -> str:
    text = f"{report['clip']}: {report['frames']} frames"
    if report["without_plate_count"]:
        text += (
            f", {report['without_plate_count']} of them without the plate's scene (first: frame "
            f"{report['without_plate'][0]})"
        )
    text += f"; {', '.join(report['outputs'])}"
    warnings = (
        f"\n  Warning: {one['what']} (from frame {one['first_frame']})"
        for one in report["warnings"]
    )
    return text + "".join(warnings)
