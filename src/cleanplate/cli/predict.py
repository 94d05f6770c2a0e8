"""`cleanplate predict`: alpha, foreground, shadow and depth of frames against their plate."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from cleanplate.cli.max_pixels import max_pixels_option
from cleanplate.errors import CleanplateError

KINDS = "alpha,foreground,depth,shadow,preview,composite"


@click.command(
    epilog="Example: cleanplate predict --plate plate.jpg frames/*.jpg -o out --background white"
)
@click.argument("frames", nargs=-1, required=True, metavar="FRAME...")
@click.option("--plate", required=True, metavar="FILE", help="The picture of the empty scene.")
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Where the files go; made if it is not there.",
)
@click.option(
    "--save",
    metavar="LIST",
    help=f"What to write, of {KINDS}. [default: all; composite only with --background]",
)
@click.option("--background", metavar="COLOUR|FILE", help="For the composite: #rrggbb, a CSS name "
              "or a picture.")  # fmt: skip
@click.option("--plate-depth", metavar="FILE", help="Depth of the plate: makes depth metric. "
              "Integers (16-bit PNG) are mm, floats (NPY, EXR) m.")  # fmt: skip
@click.option("--depth-holes", type=click.Choice(["fill", "keep"]), default="fill",
              show_default=True, help="Pixels that --plate-depth does not know: fill with the "
              "network's estimate, or keep unknown.")  # fmt: skip
@click.option("--focal", type=float, metavar="PX", help="Focal length in pixels of the plate, for "
              "distances. [default: from EXIF, else 60 degrees]")  # fmt: skip
@click.option("--align", is_flag=True, help="Register the plate to each frame (hand-held camera).")
@click.option("--fit", is_flag=True, help="Resample the plate where its size differs.")
@click.option("--working-size", type=int, metavar="N", help="Long side in pixels at which the "
              "network looks. [default: 512]")  # fmt: skip
@click.option("--bits", type=click.Choice(["8", "16"]), default="8", show_default=True,
              help="Of alpha, foreground and shadow.")  # fmt: skip
@click.option("--model", metavar="NAME|FOLDER", help="A shipped or an exported model.")
@click.option("--threads", type=int, metavar="N", help="Of the network. [default: up to 4]")
@max_pixels_option
@click.option("--force", is_flag=True, help="Go on even if the plate is plainly wrong.")
@click.option("--json", "as_json", is_flag=True, help="Write the reports to stdout as JSON.")
@click.option("--quiet", is_flag=True, help="No progress bar, no warnings, no summary.")
def command(  # noqa: PLR0917 - click passes them by name
    frames: tuple[str, ...],
    plate: str,
    output: Path,
    save: str | None,
    background: str | None,
    plate_depth: str | None,
    depth_holes: Any,
    focal: float | None,
    align: bool,
    fit: bool,
    working_size: int | None,
    bits: str,
    model: str | None,
    threads: int | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Find the subject of each FRAME, given the PLATE: a picture of the empty scene.

    FRAME is a picture, a folder or a pattern. For each, <name>.alpha.png,
    <name>.foreground.png, <name>.shadow.png, <name>.preview.jpg, the report <name>.json and,
    with --plate-depth, <name>.depth.png and .npy in metres, else <name>.disparity.npy (relative)
    and a coloured <name>.disparity.png to look at.
    """
    from cleanplate.listing import find_pictures
    from cleanplate.predict.predictor import Predictor
    from cleanplate.predict.size import WORKING_SIZE
    from cleanplate.predict.still import check_background
    from cleanplate.predict.writing import check_kinds, stems

    kinds = check_kinds(save.replace(" ", "").strip(",").split(",") if save else None, background)
    if background is not None:
        check_background(background)
    paths = find_pictures(frames)
    if not quiet:
        for remark in paths.remarks():
            click.echo(remark, err=True)
    names = stems(paths)
    predictor = Predictor(
        model,
        threads=threads,
        working_size=WORKING_SIZE if working_size is None else working_size,
        align=align,
        fit=fit,
        force=force,
        depth_holes=depth_holes,
        focal=focal,
    )
    scene = predictor.scene(plate, plate_depth)
    done: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    told: set[str] = set()
    for path, name in _progress(zip(paths, names, strict=True), len(paths), quiet):
        try:
            result = scene.predict(path)
        except CleanplateError as error:
            if len(paths) == 1:
                raise
            failed.append({"frame": str(path), "error": str(error)})
            continue
        result.report = {
            "frame": str(path),
            "plate_file": plate,
            "plate_depth_file": plate_depth,
            **result.report,
        }
        result.save(output, save=kinds, background=background, bits=int(bits), stem=name)
        if not quiet:
            for warning in result.report["health"]["warnings"]:
                tqdm.write(f"Warning: {path}: {warning}", file=sys.stderr)
            about_depth = result.report["plate_depth"] or {"warnings": []}
            for warning in about_depth["warnings"]:
                if warning not in told:  # what is said of the plate holds for every frame
                    tqdm.write(f"Warning: {plate_depth}: {warning}", file=sys.stderr)
                told.add(warning)
        done.append(result.report)
    if as_json:
        click.echo(json.dumps({"frames": done, "failed": failed}, indent=2))
    elif not quiet:
        for report in done:
            click.echo(_summary(report, output))
    if failed:
        lines = [f"{one['frame']}: {one['error']}" for one in failed]
        raise CleanplateError(f"{len(failed)} of {len(paths)} frames failed:\n" + "\n".join(lines))


def _progress(
    frames: Iterable[tuple[Path, str]], total: int, quiet: bool
) -> Iterable[tuple[Path, str]]:
    return tqdm(frames, total=total, unit="frame", disable=True if quiet else None)  # type: ignore[no-any-return,unused-ignore]


def _summary(report: dict[str, Any], output: Path) -> str:
    files = report["files"]
    return (
        f"{report['frame']}: subject on {report['alpha_mean']:.1%} of the picture, "
        f"plate {report['health']['verdict']}, {len(files)} files: {output / files[0]} ..."
        if files
        else f"{report['frame']}: report only"
    )
