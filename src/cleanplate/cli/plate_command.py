"""`cleanplate plate`: a clean plate from clips that never show the scene empty at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from cleanplate.cli.json_output import JsonOutput, shows_summary
from cleanplate.cli.options import (
    Size,
    countdown_option,
    json_option,
    max_pixels_option,
    output_option,
    overwrite_option,
    quiet_option,
)
from cleanplate.errors import CleanplateError

if TYPE_CHECKING:
    from cleanplate.arrays import Coded

_EPILOG = """\b
Examples:
  cleanplate plate clip.mp4 -o plate.png
  cleanplate plate morning.mp4 evening.mp4 -o plate.png --confidence confidence.png --require 0.98
  cleanplate plate "shot.%04d.png" -o plate.png
  cleanplate plate --watch 0 -o plate.png
"""


@click.command(epilog=_EPILOG)
@click.argument("clips", nargs=-1, metavar="CLIP...")
@output_option("The plate, 16-bit PNG.", metavar="FILE", is_folder=False)
@click.option("--confidence", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Also write the confidence of each pixel as grey PNG: 255 = seen empty for "
              "certain, 0 = never.")  # fmt: skip
@click.option("--require", type=click.FloatRange(0, 1), metavar="SHARE", help="Refuse a plate of "
              "which less than this share of the pixels has a confidence of 0.98.")  # fmt: skip
@click.option("--no-stabilise", is_flag=True, help="Do not undo movement of the camera.")
@click.option("--watch", metavar="CAMERA", help="Take the plate from a camera in place of clips: a "
              "number (0 is the first), a device or an address. Its exposure and white balance are "
              "locked where the driver allows.")  # fmt: skip
@countdown_option
@click.option("--size", type=Size(), help="Size that is asked of the camera, such as 640x360.  "
              "[default: the driver's]")  # fmt: skip
@max_pixels_option
@overwrite_option
@json_option
@quiet_option
def command(
    *,
    clips: tuple[str, ...],
    output: Path,
    confidence: Path | None,
    require: float | None,
    no_stabilise: bool,
    watch: str | None,
    countdown: float,
    size: tuple[int, int] | None,
    overwrite: bool,
    json_output: JsonOutput | None,
    quiet: bool,
) -> None:
    """Estimate the empty scene from CLIPs of one locked camera, whose subjects move.

    Frames are registered and brought to one exposure; each pixel's colour is that which it shows
    most often. What always stands in the same place belongs to the plate: no clip can tell.

    --watch takes the plate from a camera: leave the picture when you are told to. The median of
    many frames is written, unless something moved.
    """
    if watch is not None:
        if clips or confidence is not None or require is not None:
            raise click.UsageError("--watch goes with neither CLIPs, --confidence nor --require.")
        report = _watch(watch, output, (countdown, size), overwrite=overwrite, quiet=quiet)
        if json_output is not None:
            json_output.write(report, overwrite=overwrite)
        if shows_summary(json_output, quiet):
            click.echo(f"{output}: the median of {report['samples']} frames")
        return
    if not clips:
        raise click.UsageError("Give CLIPs, or --watch CAMERA.")
    from cleanplate.video.clip_plate import plate_of

    def shown(numbers: Iterable[int]) -> Iterable[int]:
        bar: Iterable[int] = tqdm(list(numbers), unit="frame", disable=True if quiet else None)
        return bar

    with ExitStack() as stack:
        found = plate_of(_frames(clips, stack), stabilise=not no_stabilise, progress=shown)
    share = found.share_above(0.98)
    report = {"clips": list(clips), "output": str(output), **found.as_report()}
    if require is not None and share < require:
        if json_output is not None:
            json_output.write({**report, "output": None}, overwrite=overwrite)
        raise CleanplateError(
            f"{share:.1%} of the pixels were seen empty for certain, less than {require:.1%}",
            cure="Give a longer clip, or several; --confidence shows where, without --require.",
        )
    _write(found.estimate, output, confidence, overwrite=overwrite)
    if json_output is not None:
        json_output.write(report, overwrite=overwrite)
    if shows_summary(json_output, quiet):
        click.echo(
            f"{output}: from {found.samples} of {found.frames} frames; {share:.1%} of the pixels "
            "were seen empty for certain"
        )


def _watch(
    source: str,
    output: Path,
    asked: tuple[float, tuple[int, int] | None],
    *,
    overwrite: bool,
    quiet: bool,
) -> dict[str, Any]:
    """Take a plate from a camera, guided, and write it; give the report.

    asked: seconds of the countdown, and the camera's size.
    """
    import numpy as np

    from cleanplate.files.ownership import check_target, replacing_own
    from cleanplate.formats.pictures import write_image
    from cleanplate.live.camera_opening import open_camera
    from cleanplate.live.plate_capture import PlateCapture

    countdown, size = asked
    check_target(output, overwrite=overwrite)
    camera = open_camera(source, size=size)
    told = ""
    try:
        notes = [*camera.notes, *camera.lock()]
        for note in () if quiet else notes:
            click.echo(f"Note: {note}", err=True)
        capture = PlateCapture(countdown=countdown)
        while not capture.over:
            frame = camera.read()
            if frame is None:
                raise CleanplateError(
                    "ended before the plate was taken", file=source, cure="Lower --countdown."
                )
            capture.see(frame)
            if capture.step != told and not capture.over and not quiet:
                click.echo(capture.step, err=True)
            told = capture.step
    finally:
        camera.close()
    if capture.plate is None:
        raise CleanplateError(
            capture.reason, file=source, cure="Run it again with nobody in the picture."
        )
    with replacing_own(output, overwrite=overwrite) as temporary:
        write_image(temporary, capture.plate.astype(np.uint16) * np.uint16(257))
    return {
        "camera": source,
        "output": str(output),
        "samples": capture.count,
        "notes": notes,
    }


def _frames(clips: tuple[str, ...], stack: ExitStack) -> Iterator[Coded]:
    from cleanplate.video.clip_reader import open_clip

    for name in clips:
        clip = stack.enter_context(open_clip(name))
        for frame in clip.frames():
            yield frame.rgb


def _write(estimate: Any, output: Path, confidence: Path | None, *, overwrite: bool) -> None:
    import numpy as np

    from cleanplate.files.ownership import check_target, replacing_own
    from cleanplate.formats.pictures import write_image

    for path in (output, *(() if confidence is None else (confidence,))):
        check_target(path, overwrite=overwrite)
    with replacing_own(output, overwrite=overwrite) as temporary:
        write_image(temporary, estimate.picture)
    if confidence is not None:
        with replacing_own(confidence, overwrite=overwrite) as temporary:
            # Rounded down: 255 is certain indeed.
            write_image(temporary, np.floor(estimate.confidence * 255).astype(np.uint8))
