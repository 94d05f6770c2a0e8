"""`cleanplate predict`: alpha, foreground, shadow and depth of frames against their plate."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click
from tqdm import tqdm

from cleanplate.cli.json_output import JsonOutput, shows_summary
from cleanplate.cli.options import (
    depth_settings,
    engine_options,
    json_option,
    matte_options,
    max_pixels_option,
    may_be_metric,
    model_options,
    output_option,
    plate_depth_options,
    quiet_option,
    task_engine,
    workers_option,
    writing_options,
)
from cleanplate.errors import CleanplateError

if TYPE_CHECKING:
    from cleanplate.engines.task_engine import TaskEngine
    from cleanplate.predict.frames.frame_job import Job, Outcome, Task

_EPILOG = """\b
Examples:
  cleanplate predict --plate plate.jpg frame.jpg -o out --background white
  cleanplate predict --plate plate.jpg frames -o out --workers 4 --skip-existing
  cleanplate predict --plate plate.jpg frames -o out --engine ray --ray-address auto
  cleanplate predict --plate plate.jpg frames/*.png -o out --foreground-space display
  cleanplate predict --plate plate.jpg - -o - --save alpha < frame.jpg > alpha.png
"""
Outcomes: TypeAlias = dict[str, list[Any]]
"""Reports of frames, and names and errors of others, under "frames", "skipped" and "failed"."""

_LISTED = 20
"""Most failures that are listed one by one."""


@click.command(epilog=_EPILOG)
@click.argument("frames", nargs=-1, required=True, metavar="FRAME...")
@click.option("--plate", required=True, metavar="FILE",
              help="Clean plate: the picture of the empty scene.")  # fmt: skip
@plate_depth_options
@click.option("--depth-holes", type=click.Choice(["fill", "keep"]), default="fill",
              show_default=True, help="Pixels that --plate-depth does not know: fill with "
              "the network's estimate, or keep unknown.")  # fmt: skip
@output_option(
    "Folder of the files, created if missing; - writes one PNG to the standard output.",
    metavar="FOLDER|-",
    is_folder=False,
)
@writing_options
@matte_options
@model_options
@max_pixels_option
@click.option("--fit", is_flag=True, help="Resample the plate to the frame's size where they "
              "differ.")  # fmt: skip
@click.option("--force", is_flag=True, help="Predict even if plate health refuses the plate.")
@workers_option(default=0, help="Processes that share the frames; 0 works in this one.", ray=True)
@engine_options
@json_option
@quiet_option
def command(
    *,
    frames: tuple[str, ...],
    plate: str,
    plate_depth: str | None,
    output: Path,
    workers: int,
    engine_name: str,
    ray_address: str | None,
    json_output: JsonOutput | None,
    quiet: bool,
    **chosen: Any,
) -> None:
    """Predict alpha, foreground, shadow and depth of each FRAME, given its clean plate.

    FRAME is a picture, a folder or a pattern; - is one picture on the standard input. Per frame,
    <name>.alpha.png, <name>.foreground.png, <name>.shadow.png, <name>.preview.jpg, the report
    <name>.json and, with --plate-depth, <name>.depth.png and .npy in metres, else
    <name>.disparity.npy (relative) and its colour map <name>.disparity.png.

    Existing files are replaced only if Cleanplate wrote them and they were not changed since. The
    plate and Cleanplate's own files among the frames are left out. Frames that fail are listed at
    the end, and the others are processed (exit code 2).
    """
    from cleanplate.predict.frames.frame_job import STDOUT

    engine = task_engine(engine_name, workers, ray_address)
    if engine.uses_ray and "-" in (*frames, str(output)):
        raise click.UsageError("A pipe is of this process: leave --engine ray out.")
    job = _job(plate, plate_depth, output, chosen)
    to_stdout = output == STDOUT
    if to_stdout:
        _check_stdout(job, json_output)
    job.check()
    if json_output is not None:
        json_output.check(overwrite=chosen["overwrite"])
    paths = _frames(frames, job, quiet)
    outcomes = (
        _write_stdout(job, paths, quiet)
        if to_stdout
        else _predict_all(job, _named(paths), engine, quiet)
    )
    if json_output is not None:
        json_output.write(outcomes, overwrite=chosen["overwrite"])
    if shows_summary(json_output, quiet) and not to_stdout:
        _summarise(outcomes, output)
    if outcomes["failed"]:
        raise CleanplateError(_failures(outcomes["failed"], len(paths)))


def _predict_all(job: Job, tasks: list[Task], engine: TaskEngine, quiet: bool) -> Outcomes:
    """Predict and write all frames; a single one that fails raises its error."""
    said: set[str] = set()
    outcomes: Outcomes = {"frames": [], "skipped": [], "failed": []}
    for outcome in _progress(_outcomes(job, tasks, engine), len(tasks), quiet):
        if outcome.report is not None:
            outcomes["frames"].append(outcome.report)
            if not quiet:
                _warn(outcome.report, said)
        elif outcome.error is None:
            outcomes["skipped"].append(str(outcome.frame))
        elif len(tasks) == 1:
            raise outcome.error
        else:
            failure = {"frame": str(outcome.frame), "error": str(outcome.error)}
            outcomes["failed"].append(failure)
    return outcomes


def _job(plate: str, plate_depth: str | None, output: Path, chosen: dict[str, Any]) -> Job:
    from cleanplate.predict.frames.frame_job import Job
    from cleanplate.predict.output.rendered_image import check_background
    from cleanplate.predict.output.writing import Writing
    from cleanplate.predict.session import providers_for

    save, background = chosen["save"], chosen["background"]
    kinds = save.replace(" ", "").strip(",").split(",") if save else None
    writing = Writing.of(
        kinds,
        background,
        bits=int(chosen["bits"]),
        premultiplied=chosen["premultiplied"],
        overwrite=chosen["overwrite"],
    )
    if background is not None:
        check_background(background)
    provider = chosen["provider"]
    return Job(
        plate=plate,
        plate_depth=plate_depth,
        output=output,
        writing=writing,
        predictor={
            "model": chosen["model"],
            "threads": chosen["threads"],
            "working_size": chosen["working_size"],
            "align": chosen["align"] or "auto",
            "fit": chosen["fit"],
            "providers": None if provider is None else providers_for(provider),
            "force": chosen["force"],
            "depth_holes": chosen["depth_holes"],
            **depth_settings(chosen),
        },
        known_mask=chosen["known_mask"],
        controls={name: chosen[name] for name in ("choke", "feather", "despill")},
        foreground_space=chosen["foreground_space"],
        skip_existing=chosen["skip_existing"],
    )


def _frames(given: tuple[str, ...], job: Job, quiet: bool) -> list[Path]:
    """Find the frames; print which of the pictures are left out."""
    from cleanplate.predict.frames.frame_selection import find_frames

    background = job.writing.background
    others = {
        "the plate": job.plate,
        "the plate's depth": job.plate_depth,
        "the known mask": job.known_mask,
        "the background": None if background is None else str(background),
    }
    found = find_frames(given, others)
    left_out = [f"Left out: {found.summary()}."] if found.left_out else []
    for remark in () if quiet else (*found.remarks, *left_out):
        click.echo(remark, err=True)
    return found.paths


def _named(paths: list[Path]) -> list[Task]:
    from cleanplate.predict.frames.frame_names import stems
    from cleanplate.predict.frames.frame_selection import STDIN

    names = ["frame"] if paths == [STDIN] else stems(paths)
    return list(zip(paths, names, strict=True))


def _outcomes(job: Job, tasks: list[Task], engine: TaskEngine) -> Iterator[Outcome]:
    # Either makes the scene first: errors of plate and model come once, and at once.
    if engine.uses_ray or (engine.workers > 1 and len(tasks) > 1):
        from cleanplate.predict.frames.frame_workers import process_parallel

        return process_parallel(job, tasks, engine)
    from cleanplate.predict.frames.frame_job import process_all

    return process_all(job, job.scene(), tasks)


def _check_stdout(job: Job, json_output: JsonOutput | None) -> None:
    if json_output is not None and json_output.is_stdout:
        raise click.UsageError("--json - and -o - both write to the standard output.")
    if len(job.writing.kinds) != 1:
        raise click.UsageError("-o - writes one picture: name it with --save.")
    metric = may_be_metric({"plate_depth": job.plate_depth, **job.predictor})
    if job.writing.kinds == ("depth",) and not metric:
        raise click.UsageError("Relative disparity has no PNG: give --plate-depth, or a folder.")
    if sys.stdout.isatty():
        raise click.UsageError("-o - writes a PNG, which no terminal can show: redirect it.")


def _write_stdout(job: Job, paths: list[Path], quiet: bool) -> Outcomes:
    from cleanplate.predict.output.result_files import as_png

    if len(paths) != 1:
        raise click.UsageError(f"-o - writes the picture of one frame, and these are {len(paths)}.")
    result = job.predict(job.scene(), paths[0])
    if not quiet:
        _warn(result.report, set())
    sys.stdout.buffer.write(as_png(result, job.writing))
    sys.stdout.buffer.flush()
    return {"frames": [result.report], "skipped": [], "failed": []}


def _progress(outcomes: Iterator[Outcome], total: int, quiet: bool) -> Iterable[Outcome]:
    return tqdm(outcomes, total=total, unit="frame", disable=True if quiet else None)  # type: ignore[no-any-return,unused-ignore]


def _warn(report: dict[str, Any], said: set[str]) -> None:
    """Print a report's warnings; those of the plate's depth, which are `said`, only once."""
    for warning in report["health"]["warnings"]:
        tqdm.write(f"Warning: {report['frame']}: {warning}", file=sys.stderr)
    about_depth = report["plate_depth"] or {"warnings": []}
    for warning in about_depth["warnings"]:
        if warning not in said:
            source = report["plate_depth_file"] or "the plate's estimated depth"
            tqdm.write(f"Warning: {source}: {warning}", file=sys.stderr)
        said.add(warning)


def _failures(failed: list[dict[str, str]], total: int) -> str:
    lines = [f"{one['frame']}: {one['error']}" for one in failed[:_LISTED]]
    if len(failed) > _LISTED:
        lines.append(f"... and {len(failed) - _LISTED} more (--json lists all)")
    return f"{len(failed)} of {total} frames failed:\n" + "\n".join(lines)


def _summarise(outcomes: Outcomes, output: Path) -> None:
    for report in outcomes["frames"]:
        click.echo(_summary(report, output))
    if outcomes["skipped"]:
        click.echo(f"{len(outcomes['skipped'])} frames were there already.")


def _summary(report: dict[str, Any], output: Path) -> str:
    files = report["files"]
    return (
        f"{report['frame']}: subject on {report['alpha_mean']:.1%} of the picture, "
        f"plate {report['health']['verdict']}, {len(files)} files: {output / files[0]} ..."
        if files
        else f"{report['frame']}: report only"
    )
