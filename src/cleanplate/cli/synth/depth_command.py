"""`cleanplate synth depth`: make plates of photographs, with depth from a network."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from tqdm import tqdm

from cleanplate.cli.json_output import JsonOutput, shows_summary
from cleanplate.cli.options import (
    json_option,
    license_options,
    max_pixels_option,
    output_option,
    quiet_option,
    rebuild_option,
    skip_bad_option,
    threads_option,
)
from cleanplate.errors import CleanplateError

if TYPE_CHECKING:
    from cleanplate.depth.depth_estimators import Convention, DepthEstimator
    from cleanplate.synthesis.ingest.plate_from_photo import PhotoSettings

_EPILOG = """\b
Examples:
  cleanplate synth depth rooms --model depth-anything/Depth-Anything-V2-Small-hf
  cleanplate synth depth rooms -o plates --model midas.onnx --convention disparity --far inf
"""


@click.command(epilog=_EPILOG)
@click.argument("photos", nargs=-1, required=True, metavar="PHOTOS...")
@click.option(
    "--model",
    required=True,
    metavar="NAME|FOLDER|FILE.onnx",
    help="Depth-estimation model of transformers, by hub name or folder, or one ONNX file.",
)
@output_option(
    "Make plates here: photo, depth and json.  [default: add to the photos' own folder]",
    required=False,
)
@click.option(
    "--convention",
    type=click.Choice(["metric", "disparity", "relative-depth"]),
    help="What the model's output means.  [default: as the model says]",
)
@click.option("--near", type=float, metavar="METRES", help="To the nearest part of the scene, for "
              "models of relative depth.  [default: 1.5, assumed]")  # fmt: skip
@click.option("--far", type=float, metavar="METRES", help="To the farthest; inf where there is "
              "sky.  [default: 8, assumed]")  # fmt: skip
@click.option("--camera-height", type=float, metavar="METRES", help="Scale the depth so that its "
              "floor lies so far below the camera.")  # fmt: skip
@click.option("--fov", type=float, metavar="DEGREES", help="What the photos show along their "
              "longer side.  [default: from EXIF]")  # fmt: skip
@click.option("--long-side", type=click.IntRange(16), metavar="PIXELS", help="Make plates no "
              "larger than this (with -o).")  # fmt: skip
@click.option("--colours", type=click.Choice(["imagenet", "half", "unit", "bytes"]), help="How an "
              "ONNX file wants its colours.  [default: as it says, else imagenet]")  # fmt: skip
@click.option("--side", type=click.IntRange(1), metavar="PIXELS", help="Short side at which an "
              "ONNX file of open size looks.  [default: as it says, else 384]")  # fmt: skip
@click.option("--multiple", type=click.IntRange(1), metavar="PIXELS", help="Of what its sides are "
              "multiples.  [default: as it says, else 32]")  # fmt: skip
@license_options
@threads_option
@max_pixels_option
@rebuild_option
@skip_bad_option
@json_option
@quiet_option
def command(
    *,
    photos: tuple[str, ...],
    model: str,
    output: Path | None,
    convention: str | None,
    near: float | None,
    far: float | None,
    camera_height: float | None,
    fov: float | None,
    long_side: int | None,
    colours: str | None,
    side: int | None,
    multiple: int | None,
    license_: str | None,
    source: str | None,
    attribution: str | None,
    threads: int | None,
    rebuild: bool,
    skip_bad: bool,
    json_output: JsonOutput | None,
    quiet: bool,
) -> None:
    """Make plates of PHOTOS (files, folders, patterns): empty scenes with depth.

    For each, NAME_depth.png (16 bit, millimetres along the optical axis, 65535 = infinitely far)
    and NAME.json with intrinsics, the camera over the floor if one is found, and the provenance of
    the depth. A photo that has depth is skipped, so that the same command resumes. An unusable
    photo is named, the others are processed, and the exit code is 2.
    """
    from cleanplate.files.listing import find_pictures
    from cleanplate.synthesis.assets.asset_folder import without_depth_and_alpha
    from cleanplate.synthesis.ingest.plate_from_photo import (
        PhotoSettings,
        existing_depth,
        plate_path,
        write_plate_from_photo,
    )

    if long_side is not None and output is None:
        raise click.UsageError("--long-side is for plates in a folder of their own: give -o.")
    if json_output is not None:
        json_output.check()
    credit = {"license": license_, "source": source, "attribution": attribution}
    settings = PhotoSettings(
        near=near,
        far=far,
        fov=fov,
        camera_height=camera_height,
        long_side=long_side,
        credit={key: text for key, text in credit.items() if text},
    )
    listed = find_pictures(photos)
    found = without_depth_and_alpha(listed)
    if not quiet:
        for remark in listed.remarks():
            click.echo(remark, err=True)
    places = [plate_path(photo, output, settings) for photo in found]
    _check_names(found, places)
    wanted: list[Path] = []
    kept: list[Path] = []
    for photo, place in zip(found, places, strict=True):
        (wanted if rebuild or existing_depth(place) is None else kept).append(photo)
    made: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    if wanted:
        estimator = _depth_estimator(
            model,
            cast("Convention | None", convention),
            {"colours": colours, "side": side, "multiple": multiple},
            threads,
        )
        if not quiet:
            click.echo(_promise(estimator, settings), err=True)
        bar = tqdm(wanted, unit="photo", disable=True if quiet else None)
        for photo in cast("Iterable[Path]", bar):
            try:
                made.append(
                    {
                        "photo": str(photo),
                        **write_plate_from_photo(photo, estimator, output, settings),
                    }
                )
            except CleanplateError as error:
                failed.append({"photo": str(photo), "error": str(error)})
                tqdm.write(f"Skipped: {error}", file=sys.stderr)
    if json_output is not None:
        json_output.write({"plates": made, "kept": [str(p) for p in kept], "failed": failed})
    if shows_summary(json_output, quiet):
        click.echo(_summary(made, len(kept), len(failed)))
    if failed and not (skip_bad and (made or kept)):
        raise CleanplateError(
            f"{len(failed)} of {len(found)} photos could not be used, see above",
            cure="Repair them or leave them out; with --skip-bad this is not an error.",
        )


def _check_names(photos: list[Path], places: list[Path]) -> None:
    counts = Counter(place.with_suffix("") for place in places)
    for photo, place in zip(photos, places, strict=True):
        if counts[place.with_suffix("")] > 1:
            raise CleanplateError(
                f"another photo would also make the plate {place.stem!r}",
                file=photo,
                cure="Rename one of them, or write them to different folders.",
            )


def _depth_estimator(
    model: str,
    convention: Convention | None,
    onnx: dict[str, Any],
    threads: int | None,
) -> DepthEstimator:
    if model.lower().endswith(".onnx"):
        from cleanplate.depth.depth_estimators import OnnxDepthEstimator

        return OnnxDepthEstimator(model, convention=convention, threads=threads, **onnx)
    if any(value is not None for value in onnx.values()):
        raise click.UsageError("--colours, --side and --multiple are for ONNX files.")
    from cleanplate.training.depth_estimator import TransformersDepthEstimator

    return TransformersDepthEstimator(model, convention=convention, threads=threads)


def _promise(estimator: DepthEstimator, settings: PhotoSettings) -> str:
    """Say what the model's numbers mean, and what was assumed to make metres of them."""
    name = estimator.metadata["model"]
    if estimator.convention == "metric":
        return f"{name} gives metres."
    near, far = settings.depth_range
    text = (
        f"{name} gives {estimator.convention.replace('-', ' ')} without a scale: the scene is "
        f"assumed to reach from {near:g} m to {far:g} m"
    )
    if settings.camera_height is not None:
        return f"{text}, then scaled to a camera {settings.camera_height:g} m over the floor."
    if len(settings.assumed) == 2:
        from cleanplate.synthesis.ingest.metric_scaling import DEFAULT_CAMERA_HEIGHT

        text += (
            f", and where a floor is found, the camera to stand {DEFAULT_CAMERA_HEIGHT:g} m over it"
        )
        return f"{text} (assumed: --near, --far or --camera-height say better)."
    return f"{text}{' (one of them assumed)' if settings.assumed else ''}."


def _summary(made: list[dict[str, Any]], kept: int, failed: int) -> str:
    floors = sum("camera_height" in one for one in made)
    lenses = sum("fx" in one for one in made)
    parts = [f"{len(made)} plates made, {lenses} with a known lens, {floors} with a floor"]
    if kept:
        parts.append(f"{kept} had a depth already")
    if failed:
        parts.append(f"{failed} could not be used")
    if lenses < len(made):
        parts.append("without a lens nothing can stand in a plate: --fov gives one")
    return "; ".join(parts)
