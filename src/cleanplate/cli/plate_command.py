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
"""


@click.command(epilog=_EPILOG)
@click.argument("clips", nargs=-1, required=True, metavar="CLIP...")
@output_option("The plate, 16-bit PNG.", metavar="FILE", is_folder=False)
@click.option("--confidence", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Also write the confidence of each pixel as grey PNG: 255 = seen empty for "
              "certain, 0 = never.")  # fmt: skip
@click.option("--require", type=click.FloatRange(0, 1), metavar="SHARE", help="Refuse a plate of "
              "which less than this share of the pixels has a confidence of 0.98.")  # fmt: skip
@click.option("--no-stabilise", is_flag=True, help="Do not undo movement of the camera.")
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
    overwrite: bool,
    json_output: JsonOutput | None,
    quiet: bool,
) -> None:
    """Estimate the empty scene from CLIPs of one locked camera, whose subjects move.

    Frames are registered and brought to one exposure; each pixel's colour is that which it shows
    most often. What always stands in the same place belongs to the plate: no clip can tell.
    """
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
