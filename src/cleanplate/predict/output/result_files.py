"""The files of a result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Plane
from cleanplate.bands import bands
from cleanplate.depth import colour_map, write_depth, write_disparity
from cleanplate.depth.depth_codec import EMPTY, EXCHANGE, RECORD, fits
from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import telling_write_faults
from cleanplate.files.ownership import (
    fingerprint,
    owned_by,
    read_record,
    replacing_own,
    write_sealed,
)
from cleanplate.files.picture_text import with_text
from cleanplate.formats.pictures import to_uint8, to_uint16, write_alpha, write_image
from cleanplate.matte import premultiply
from cleanplate.predict.output.rendered_image import composite, preview
from cleanplate.predict.output.writing import NEEDED, Writing
from cleanplate.predict.result_data import ResultData
from cleanplate.predict.stage_timer import StageTimer


class Written(NamedTuple):
    """What `write_result` wrote: paths, the report last, and the report."""

    paths: list[Path]
    report: dict[str, Any]


def write_result(result: ResultData, folder: Path, stem: str, writing: Writing) -> Written:
    """Write a result's files; see `Result.save`.

    The report comes first, as a claim on the names (so that what a killed run leaves is
    recognised by the next one), and last, with size and SHA-256 of each.
    """
    writing = writing.within(result.outputs)
    for kind in writing.kinds:
        getattr(result, NEEDED.get(kind, "alpha"))  # raises, before anything is written
    writing.check(folder, stem, metric=result.metric)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CleanplateError(
            f"the folder cannot be made: {error.strerror}", file=folder, cure="choose another"
        ) from error
    path = folder / f"{stem}.json"
    names = writing.names(stem, metric=result.metric)
    before = owned_by(read_record(path))
    # Files of an earlier run that this one does not write stay ours.
    owns = {name: known for name, known in before.items() if (folder / name).exists()}
    earlier, fresh = dict(owns), not path.exists()
    owns |= dict.fromkeys(names)
    timer = StageTimer(result.report["seconds"])
    report = {**result.report, "files": names, "foreground": _foreground_report(result, writing)}
    if f"{stem}.depth.png" in names:
        report |= _depth_report(result, f"{stem}.depth.png")

    def write_report(complete: bool, owns: Mapping[str, Any], files: list[str]) -> None:
        content = {**report, "files": files, "seconds": timer.seconds(), "complete": complete}
        write_sealed(path, content, owns, overwrite=writing.overwrite)

    write_report(False, owns, names)
    written: dict[str, Any] = {}
    try:
        for name, write in _writers(result, names, writing, timer):
            file = folder / name
            with (
                replacing_own(file, before, overwrite=writing.overwrite) as temporary,
                telling_write_faults(file),
            ):
                write(temporary)
                known = fingerprint(temporary)
            written[name] = known
        write_report(True, owns | written, names)
    except BaseException:
        with suppress(CleanplateError, OSError):
            if fresh and not written:
                path.unlink()
            else:
                write_report(False, earlier | written, list(written))
        raise
    paths = [*(folder / name for name in names), path]
    return Written(paths, {**report, "seconds": timer.seconds()})


def as_png(result: ResultData, writing: Writing) -> bytes:
    """Encode the one picture that `writing` names as PNG."""
    (kind,) = writing.kinds
    if kind == "preview":
        return preview(result, writing.background).png()
    names, timer = writing.names("one", metric=result.metric), StageTimer()
    # By way of a file: the writers know formats by their names.
    with TemporaryDirectory() as folder:
        for name, write in _writers(result, names, writing, timer):
            if name.endswith(".png"):
                write(Path(folder) / name)
                return (Path(folder) / name).read_bytes()
    raise AssertionError(kind)


def is_complete(folder: Path, stem: str, names: Iterable[str], options: Mapping[str, Any]) -> bool:
    """Whether files of these names were written to the end with these options, and still stand."""
    record = read_record(folder / f"{stem}.json")
    if record is None or not record.get("complete") or record.get("options") != options:
        return False
    owns = owned_by(record)
    try:
        return all(owns[name]["bytes"] == (folder / name).stat().st_size for name in names)
    except (OSError, KeyError, TypeError):
        return False


def _writers(
    result: ResultData, names: list[str], writing: Writing, timer: StageTimer
) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Give each file's name and the function that writes it, timed; made one after the other."""
    for name in names:
        kind, suffix = name.split(".")[-2:]
        if kind == "preview":
            with timer.stage("preview"):
                image = preview(result, writing.background)
            write: Callable[[Path], None] = partial(image.write, quality=90)
        elif kind == "composite":
            assert writing.background is not None
            with timer.stage("composite"):
                image = composite(result, writing.background)
            write = partial(image.write, quality=95)
        elif kind == "foreground":
            write = partial(_write_foreground, result, writing)
        elif kind == "depth":
            write = partial(_swapped, _write_depth, result.depth)
        elif kind == "disparity":
            disparity = result.disparity
            if suffix == "npy":
                write = partial(_swapped, write_disparity, disparity)
            else:
                write = partial(_swapped, write_image, coloured(disparity))
        else:
            plane = result.alpha if kind == "alpha" else result.shadow
            write = partial(_swapped, partial(write_alpha, bits=writing.bits), plane)
        with timer.stage("write"):
            yield name, write


def _write_depth(path: Path, depth: Plane) -> None:
    write_depth(path, depth, convention=EXCHANGE, warn=False)  # warned of in the report


def _foreground_report(result: ResultData, writing: Writing) -> dict[str, str]:
    """Describe the foreground's colour."""
    alpha = "premultiplied" if writing.premultiplied else "straight"
    return {"space": result.foreground_space, "alpha": alpha}


def _depth_report(result: ResultData, name: str) -> dict[str, Any]:
    """Name the convention of the depth PNG, and warn if the PNG is empty."""
    about = result.report["plate_depth"]
    warning = f"{name}: {EMPTY}"
    if not fits(result.depth) and warning not in about["warnings"]:
        about = {**about, "warnings": [*about["warnings"], warning]}
    return {RECORD: EXCHANGE.name, "plate_depth": about}


def _swapped(write: Callable[[Path, Any], None], array: Any, path: Path) -> None:
    write(path, array)


def _write_foreground(result: ResultData, writing: Writing, path: Path) -> None:
    """Write RGBA, with a comment on how its colour is to be mixed."""
    write_image(path, foreground_rgba(result, writing.bits, premultiplied=writing.premultiplied))
    alpha = "premultiplied" if writing.premultiplied else "straight"
    values = "linear light" if result.foreground_space == "linear" else "display (sRGB) values"
    text = f"{alpha} alpha; colour solved for mixing in {values}"
    path.write_bytes(with_text(path.read_bytes(), text))


def foreground_rgba(
    result: ResultData, bits: int, *, premultiplied: bool = False
) -> npt.NDArray[Any]:
    """(H, W, 4) uint8 or uint16: colour, straight or multiplied by alpha, and alpha."""
    coded = to_uint8 if bits == 8 else to_uint16
    foreground = result.foreground
    if premultiplied:
        foreground = premultiply(foreground, result.alpha, space=result.foreground_space)
    pixels = np.empty((*result.alpha.shape, 4), np.uint8 if bits == 8 else np.uint16)
    for rows in bands(pixels.shape):
        pixels[rows, :, :3] = coded(foreground[rows])
        pixels[rows, :, 3] = coded(result.alpha[rows])
    return pixels


def coloured(disparity: Plane) -> npt.NDArray[np.uint8]:
    """Colour-map disparity, near bright, from 1st to 99th percentile: (H, W, 3)."""
    step = max(1, round(disparity.size**0.5 / 1000))  # a million pixels give the range
    low, high = np.percentile(disparity[::step, ::step], [1, 99])
    pixels = np.empty((*disparity.shape, 3), np.uint8)
    for rows in bands(pixels.shape):
        pixels[rows] = colour_map(disparity[rows], low=float(low), high=float(high))
    return pixels
