"""`cleanplate synth clips`: clips with exact truth, of plates and cutouts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from cleanplate.cli.json_output import JsonOutput, shows_summary
from cleanplate.cli.options import (
    Command,
    Size,
    assume_license_option,
    json_option,
    max_pixels_option,
    output_option,
    quiet_option,
    seed_option,
    skip_bad_option,
    workers_option,
)

_EPILOG = """\b
Examples:
  cleanplate synth clips -o clips --count 4 --frames 50
  cleanplate synth clips -o clips --plates rooms --cutouts people --count 12 --ramp 0.4
  cleanplate evaluate clips
  cleanplate video clips/000000/frames --plate clips/000000/plate.png -o out.mp4 --background white

Stopped or killed, the same command resumes.
"""

_folder = click.Path(path_type=Path, file_okay=False)


def _motion(name: str, default: float, help: str) -> Callable[[Command], Command]:
    """Make the option of a field of `ClipSettings`."""
    return click.option(
        f"--{name}",
        name.replace("-", "_"),
        type=float,
        default=default,
        show_default=True,
        metavar="X",
        help=help,
    )


@click.command(epilog=_EPILOG)
@output_option("The clips' folder.", "out")
@click.option(
    "--plates",
    multiple=True,
    type=_folder,
    metavar="DIR",
    help="Folder of plates with depth; may be repeated.  [default: procedural plates]",
)
@click.option(
    "--cutouts",
    multiple=True,
    type=_folder,
    metavar="DIR",
    help="Folder of cutouts; may be repeated.  [default: procedural cutouts]",
)
@click.option(
    "--count",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    metavar="N",
    help="Number of clips.",
)
@click.option(
    "--frames",
    type=click.IntRange(2),
    default=100,
    show_default=True,
    metavar="N",
    help="Number of frames of a clip.",
)
@click.option(
    "--size", type=Size(), default="640x360", show_default=True, help="Of a frame, in pixels."
)
@_motion("speed", 0.15, "How far a subject moves in a second, as a share of the width, at most.")
@_motion("approach", 0.15, "By how much its size changes, natural logarithm, at most.")
@_motion("noise", 2.0, "Standard deviation of the sensor's noise at full light, of 255.")
@_motion("ramp", 0.0, "Drift of the exposure over the clip, natural logarithm of light.")
@_motion("flicker", 0.0, "Amplitude of a lamp's flicker, natural logarithm of light.")
@_motion("flicker-rate", 0.13, "Of it, in periods a frame.")
@_motion("shake", 0.0, "Of the camera, standard deviation in pixels of a picture 256 high.")
@click.option(
    "--frame-rate",
    "frames_per_second",
    type=float,
    default=25.0,
    show_default=True,
    metavar="FPS",
    help="Frames per second, in which --speed is counted.",
)
@seed_option
@workers_option()
@skip_bad_option
@assume_license_option("assets")
@json_option
@max_pixels_option
@quiet_option
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    out: Path,
    plates: tuple[Path, ...],
    cutouts: tuple[Path, ...],
    workers: int | None,
    json_output: JsonOutput | None,
    quiet: bool,
    **rest: Any,
) -> None:
    """Make clips with exact truth: subjects move before a plate that stands.

    Each clip is a folder: plate.png and plate_depth.png; frames, alpha and depth as PNG sequences;
    clip.json with settings, sources and licences. The same settings, seed and assets make the same
    bytes, with any number of workers.
    """
    if json_output is not None:
        json_output.check()
    from cleanplate.engines.cores import available_cores
    from cleanplate.synthesis.building.clip_plan import ClipRequest
    from cleanplate.synthesis.building.clip_set import build_clips
    from cleanplate.synthesis.compositor.clip_composer import ClipSettings

    motion = ClipSettings(**{one.name: rest.pop(one.name) for one in fields(ClipSettings)})
    request = ClipRequest(out, plates, cutouts, motion=motion, **rest)
    total = request.count * request.frames
    disable = True if quiet else None
    try:
        with tqdm(total=total, unit=" frames", disable=disable) as bar:

            def made(frames: int) -> None:
                bar.update(frames - bar.n)

            found = build_clips(
                request,
                available_cores() if workers is None else workers,
                assets=lambda numbers: tqdm(
                    numbers, "assets", unit="asset", disable=disable, leave=False
                ),
                progress=made,
            )
    except KeyboardInterrupt:
        click.echo(f"Stopped. Finished clips stay in {out}; the same command resumes.", err=True)
        context.exit(130)
    for one in found.skipped:
        click.echo(f"skipped {one['name']}: {one['reason']}", err=True)
    if json_output is not None:
        json_output.write(found.as_json())
    if shows_summary(json_output, quiet):
        there = found.clips - found.made
        click.echo(f"{out}: {found.made} clips made, {there} were there already.", err=True)
