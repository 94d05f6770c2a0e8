"""`cleanplate synth cutouts`: extract cutouts from pictures, photographs and clips."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import click
from tqdm import tqdm

from cleanplate.cli.json_output import JsonOutput, shows_summary
from cleanplate.cli.options import (
    align_option,
    json_option,
    license_options,
    max_pixels_option,
    model_option,
    output_option,
    quiet_option,
    rebuild_option,
    threads_option,
)
from cleanplate.errors import CleanplateError

if TYPE_CHECKING:
    from cleanplate.cli.synth.clip_subjects import Clip
    from cleanplate.synthesis.ingest.cutout_extraction import (
        ExtractedCutout,
        ExtractionSettings,
        MattedPicture,
    )
    from cleanplate.synthesis.ingest.cutout_writer import CutoutFolderWriter

Source: TypeAlias = "tuple[Path, list[Path], Callable[[], tuple[MattedPicture, dict[str, Any]]]]"
"""The picture, every file that decides the cutout, and what reads them."""

_EPILOG = """\b
Examples:
  cleanplate synth cutouts stickers/*.png -o cutouts --kind object --license CC0-1.0 --source mine
  cleanplate synth cutouts photos --masks mattes -o cutouts --kind person --height 1.75 ...
  cleanplate synth cutouts clip/*.jpg --plate plate.jpg --every 10 -o cutouts --no-license
"""
_CLIP_PART = 0.05
_FILE_PART = 0.005


@click.command(epilog=_EPILOG)
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURES...")
@output_option("Where cutouts go.")
@click.option("--masks", type=click.Path(path_type=Path), metavar="FOLDER", help="PICTURES are "
              "photographs; their masks have the same names here.")  # fmt: skip
@click.option("--plate", type=click.Path(path_type=Path), metavar="FILE", help="PICTURES are "
              "frames of a clip; this is its empty scene.")  # fmt: skip
@click.option("--plate-depth", type=click.Path(path_type=Path), metavar="FILE", help="Depth of the "
              "plate: cutouts get a distance and a size.")  # fmt: skip
@click.option("--fov", type=click.FloatRange(0, 180, min_open=True, max_open=True),
              metavar="DEGREES", help="What frames show along their longer side.  [default: as the "
              "plate's json says]")  # fmt: skip
@click.option("--relief", is_flag=True, help="Keep the depth within the subject too, as predicted; "
              "without, subjects are flat.")  # fmt: skip
@click.option("--every", type=click.IntRange(1), metavar="N", help="Take each Nth frame.")
@align_option
@model_option
@threads_option
@click.option("--height", type=click.FloatRange(0, 100, min_open=True), metavar="METRES",
              help="Height of each subject, complete.")  # fmt: skip
@click.option("--kind", metavar="WORD", help="person, animal, vehicle, object, ...")
@click.option("--cut", metavar="SIDES", help="Which borders cut the subject: none, or a list such "
              "as left,bottom.  [default: measured]")  # fmt: skip
@click.option("--margin", type=click.IntRange(0), default=3, show_default=True, metavar="PIXELS",
              help="Transparent margin around the subject.")  # fmt: skip
@click.option("--smallest", type=click.IntRange(8), default=48, show_default=True,
              metavar="PIXELS", help="Least long side of a subject.")  # fmt: skip
@click.option("--smallest-part", type=click.FloatRange(0, 1), metavar="SHARE", help="Of the "
              "largest part; smaller are specks.  [default: 0.005, of clips 0.05]")  # fmt: skip
@click.option("--long-side", type=click.IntRange(48), metavar="PIXELS", help="Make cutouts no "
              "larger than this.")  # fmt: skip
@license_options
@click.option("--no-license", is_flag=True, help="Go on where licence or source is not known.")
@max_pixels_option
@rebuild_option
@json_option
@quiet_option
def command(
    *,
    pictures: tuple[str, ...],
    output: Path,
    masks: Path | None,
    plate: Path | None,
    plate_depth: Path | None,
    fov: float | None,
    relief: bool,
    every: int | None,
    align: str | None,
    model: str | None,
    threads: int | None,
    height: float | None,
    kind: str | None,
    cut: str | None,
    margin: int,
    smallest: int,
    smallest_part: float | None,
    long_side: int | None,
    license_: str | None,
    source: str | None,
    attribution: str | None,
    no_license: bool,
    rebuild: bool,
    json_output: JsonOutput | None,
    quiet: bool,
) -> None:
    """Make cutouts of PICTURES (files, folders, patterns), for `synth build`.

    PICTURES have alpha; or --masks gives it; or they are frames and --plate their empty scene, and
    the matte is predicted. Pictures that give no cutout are listed with the reason; damaged ones
    too, and the exit code is then 2. A cutout of the same file is not made twice; one of another
    file with the same name gets a number.
    """
    from cleanplate.synthesis.ingest.cutout_extraction import ExtractionSettings
    from cleanplate.synthesis.ingest.cutout_writer import CutoutFolderWriter

    _check_forms(masks, plate, {"--plate-depth": plate_depth, "--fov": fov, "--every": every,
                                "--relief": relief or None,
                                "--align": align, "--model": model,
                                "--threads": threads})  # fmt: skip
    if json_output is not None:
        json_output.check()
    usual = _CLIP_PART if plate else _FILE_PART
    settings = ExtractionSettings(
        height=height,
        kind=kind,
        cut=_sides(cut),
        margin=margin,
        smallest=smallest,
        smallest_part=usual if smallest_part is None else smallest_part,
        long_side=long_side,
        relief=relief,
    )
    sources = _sources(pictures, masks, plate, quiet=quiet)[:: every or 1]
    given = {"license": license_, "source": source, "attribution": attribution}
    credits = [_credit(one[0], given, no_license) for one in sources]
    if plate is not None:
        from cleanplate.cli.synth.clip_subjects import Clip
        from cleanplate.predict.predictor import Predictor

        clip = Clip(
            Predictor(model, threads=threads, align=align or "auto"), plate, plate_depth, fov
        )
        sources = _frames(sources, clip, [plate, *([plate_depth] if plate_depth else [])])
    bar = tqdm(
        zip(sources, credits, strict=True),
        total=len(sources),
        unit="picture",
        disable=True if quiet else None,
    )
    writer = CutoutFolderWriter(output, rebuild=rebuild)
    done = _make(
        cast("Iterable[tuple[Source, dict[str, Any] | CleanplateError]]", bar),
        writer,
        settings,
        distinct=plate is not None,
        quiet=quiet,
    )
    if json_output is not None:
        json_output.write(done)
    if shows_summary(json_output, quiet):
        click.echo(_summary(done, output))
    if not done["cutouts"] and not done["kept"]:
        reasons = [one["error"] for one in done["failed"]]
        reasons += [f"{one['file']}: {one['reason']}" for one in done["refused"]]
        raise CleanplateError("\n".join(["no picture makes a cutout", *reasons[:10]]))
    if done["failed"]:
        raise CleanplateError(
            f"{len(done['failed'])} of {len(sources)} pictures could not be used, see above",
            cure="Repair them or leave them out.",
        )


def _credit(
    path: Path, given: Mapping[str, str | None], unlicensed: bool
) -> dict[str, Any] | CleanplateError:
    """Give a picture's credit, or the error of its JSON, which is reported in its turn.

    Raises:
        CleanplateError: if it has no licence or source.
    """
    from cleanplate.synthesis.ingest.cutout_sources import UnlicensedError, find_credit

    try:
        return find_credit(path, given, unlicensed=unlicensed)
    except UnlicensedError:
        raise
    except CleanplateError as error:
        return error


def _make(
    sources: Iterable[tuple[Source, dict[str, Any] | CleanplateError]],
    writer: CutoutFolderWriter,
    settings: ExtractionSettings,
    *,
    distinct: bool,
    quiet: bool,
) -> dict[str, list[dict[str, Any]]]:
    """Extract each cutout; a refused or damaged picture does not stop the others."""
    from cleanplate.files.digest import digest
    from cleanplate.synthesis.ingest.cutout_extraction import Refused, extract_cutout
    from cleanplate.synthesis.ingest.near_duplicates import (
        DUPLICATE_DISTANCE,
        cutout_thumbnail,
        thumbnail_distance,
    )
    from cleanplate.synthesis.ingest.plate_from_photo import read_photo_metadata

    done: dict[str, list[dict[str, Any]]] = {"cutouts": [], "kept": [], "refused": [], "failed": []}
    thumbnails = []
    for (path, files, read), credit in sources:
        made: ExtractedCutout | None = None
        try:
            if isinstance(credit, CleanplateError):
                raise credit
            made_of = digest(files)
            name = writer.find(made_of)
            if name is not None:
                done["kept"].append({"file": str(path), "name": name})
                thumbnails.append(cutout_thumbnail(writer.read_rgba8(name)))
                continue
            matted, how = read()
            made = extract_cutout(matted, settings)
            thumbnail = cutout_thumbnail(made.rgba)
            if distinct and any(
                thumbnail_distance(thumbnail, other) < DUPLICATE_DISTANCE for other in thumbnails
            ):
                raise Refused("nearly the same as one before")
            kept = {k: v for k, v in read_photo_metadata(path).items() if k in ("kind", "pose")}
        except (Refused, CleanplateError) as error:
            # No subject, or one too small, is what many pictures have; a damaged one is a fault.
            refused = isinstance(error, Refused)
            if refused:
                done["refused"].append({"file": str(path), "reason": str(error)})
            else:
                done["failed"].append({"file": str(path), "error": str(error)})
            if not quiet or not refused:
                word = "Refused" if refused else "Failed"
                tqdm.write(f"{word}: {path.name}: {error}", file=sys.stderr)
            continue
        thumbnails.append(thumbnail)
        metadata = {**kept, **credit, "made_from": {"file": path.name, **how}}
        name = writer.write(made, path.stem, made_of, metadata)
        done["cutouts"].append({"file": str(path), "name": name, **metadata, **made.metadata})
    return done


def _check_forms(masks: Path | None, plate: Path | None, of_clips: Mapping[str, object]) -> None:
    if masks and plate:
        raise click.UsageError("--masks is for photographs, --plate for frames of a clip.")
    stray = [name for name, value in of_clips.items() if value is not None]
    if stray and plate is None:
        raise click.UsageError(f"{stray[0]} is for frames of a clip: give --plate.")


def _sides(listed: str | None) -> frozenset[str] | None:
    from cleanplate.synthesis.ingest.matte_geometry import SIDES

    if listed is None:
        return None
    sides = frozenset(part for part in listed.replace(" ", "").split(",") if part) - {"none"}
    if sides - set(SIDES):
        raise click.UsageError(f"--cut knows none, {', '.join(SIDES)}; not {listed!r}.")
    return sides


def _sources(
    pictures: tuple[str, ...], masks: Path | None, plate: Path | None, *, quiet: bool
) -> list[Source]:
    from cleanplate.files.listing import find_pictures
    from cleanplate.synthesis.assets.asset_folder import without_depth_and_alpha
    from cleanplate.synthesis.ingest.cutout_extraction import Refused
    from cleanplate.synthesis.ingest.cutout_sources import from_photo, from_rgba, list_masks

    listed = find_pictures(pictures)
    found = without_depth_and_alpha(listed)
    if not quiet:
        for remark in listed.remarks():
            click.echo(remark, err=True)
    if plate is not None:
        found = [path for path in found if path.resolve() != plate.resolve()]
    if masks is None:
        return [(path, [path], lambda path=path: from_rgba(path)) for path in found]  # type: ignore[misc]
    there = list_masks(masks)

    def lacking() -> tuple[MattedPicture, dict[str, Any]]:
        raise Refused("no mask has its name")

    return [
        (path, [path, there[path.stem]], lambda path=path: from_photo(path, there[path.stem]))  # type: ignore[misc]
        if path.stem in there
        else (path, [path], lacking)
        for path in found
    ]


def _frames(sources: list[Source], clip: Clip, deciding: list[Path]) -> list[Source]:
    """Let prediction give the frames' mattes."""
    return [
        (path, [path, *deciding], lambda path=path: clip.subject_of(path))  # type: ignore[misc]
        for path, *_ in sources
    ]


def _summary(done: dict[str, list[dict[str, Any]]], output: Path) -> str:
    parts = [f"{len(done['cutouts'])} cutouts in {output}"]
    if done["kept"]:
        parts.append(f"{len(done['kept'])} were there already")
    if done["refused"]:
        parts.append(f"{len(done['refused'])} refused")
    if done["failed"]:
        parts.append(f"{len(done['failed'])} could not be used")
    return ", ".join(parts)
