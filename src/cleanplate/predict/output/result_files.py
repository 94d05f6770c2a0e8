"""The files of a result."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Plane
from cleanplate.bands import bands
from cleanplate.depth import colour_map, write_depth, write_disparity
from cleanplate.depth.depth_codec import EMPTY, EXCHANGE, RECORD, fits
from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import telling_write_faults
from cleanplate.files.ownership import (
    check_replaceable,
    fingerprint,
    owned_by,
    read_record,
    replacing_own,
    write_sealed,
)
from cleanplate.files.picture_text import with_text
from cleanplate.formats.pictures import to_uint8, to_uint16, write_alpha, write_image
from cleanplate.matte import premultiply
from cleanplate.predict.output.rendered_image import BackgroundSource

if TYPE_CHECKING:
    from cleanplate.predict.result import Result

KINDS = ("alpha", "foreground", "depth", "shadow", "preview", "composite")
DEFAULT_KINDS = KINDS[:-1]
_RELATIVE = (".disparity.npy", ".disparity.png")


def check_kinds(save: Iterable[str] | None, background: object) -> tuple[str, ...]:
    """Check which kinds of files to write, and put them in the order of `KINDS`.

    Raises:
        CleanplateError: an unknown kind, or a composite without a background.
    """
    if save is None:
        return KINDS if background is not None else DEFAULT_KINDS
    wanted = set(save)
    unknown = sorted(wanted - set(KINDS))
    if unknown:
        raise CleanplateError(
            f"cannot save {', '.join(unknown)}", cure=f"choose of: {', '.join(KINDS)}"
        )
    if "composite" in wanted and background is None:
        raise CleanplateError(
            "a composite needs a background",
            cure="--background colour|picture (in Python, background=...)",
        )
    return tuple(kind for kind in KINDS if kind in wanted)


@dataclass(frozen=True)
class Writing:
    """What to write of a result, and how; see `Result.save`."""

    kinds: tuple[str, ...] = DEFAULT_KINDS
    background: BackgroundSource | None = None
    bits: int = 8
    premultiplied: bool = False
    overwrite: bool = False

    @classmethod
    def of(
        cls, save: Iterable[str] | None, background: BackgroundSource | None = None, **how: Any
    ) -> Writing:
        """Check what was asked for.

        Raises:
            CleanplateError: an unknown kind, no background for a composite, impossible bits.
        """
        chosen = cls(check_kinds(save, background), background, **how)
        if chosen.bits not in (8, 16):
            raise CleanplateError(f"{chosen.bits} bits are not possible", cure="choose 8 or 16")
        return chosen

    def names(self, stem: str, *, metric: bool) -> list[str]:
        """Names of the files, without the report."""
        found: list[str] = []
        for kind in self.kinds:
            if kind == "depth":
                endings = (".depth.png", ".depth.npy") if metric else _RELATIVE
                found += [stem + ending for ending in endings]
            else:
                found.append(f"{stem}.{kind}.{'jpg' if kind == 'preview' else 'png'}")
        return found

    def check(self, folder: Path, stem: str, *, metric: bool) -> None:
        """Refuse, before any work, to write over files that are not ours.

        Raises:
            CleanplateError: naming the file.
        """
        report = folder / f"{stem}.json"
        paths = [folder / name for name in self.names(stem, metric=metric)]
        check_replaceable([*paths, report], owned_by(read_record(report)), overwrite=self.overwrite)


def save_result(result: Result, folder: Path, stem: str, writing: Writing) -> list[Path]:
    """Write a result's files; see `Result.save`.

    The report comes first, as a claim on the names (so that a run that is killed leaves nothing
    that the next one would take for somebody else's), and last, with size and SHA-256 of each.
    """
    writing.check(folder, stem, metric=result.metric)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CleanplateError(
            f"the folder cannot be made: {error.strerror}", file=folder, cure="choose another"
        ) from error
    report = folder / f"{stem}.json"
    names = writing.names(stem, metric=result.metric)
    before = owned_by(read_record(report))
    # Files of an earlier run that this one does not write stay ours.
    owns = {name: known for name, known in before.items() if (folder / name).exists()}
    earlier, fresh = dict(owns), not report.exists()
    owns |= dict.fromkeys(names)
    result.report["files"] = names
    if f"{stem}.depth.png" in names:
        _record_depth(result, f"{stem}.depth.png")
    result.report["foreground"] = {
        "space": result.foreground_space,
        "alpha": "premultiplied" if writing.premultiplied else "straight",
    }

    def tell(complete: bool, owns: Mapping[str, Any]) -> None:
        seconds = {name: round(value, 4) for name, value in result.report["seconds"].items()}
        content = {**result.report, "seconds": seconds, "complete": complete}
        write_sealed(report, content, owns, overwrite=writing.overwrite)

    tell(False, owns)
    written: dict[str, Any] = {}
    try:
        for name, write in _writers(result, names, writing):
            path = folder / name
            with (
                replacing_own(path, before, overwrite=writing.overwrite) as temporary,
                telling_write_faults(path),
            ):
                write(temporary)
                known = fingerprint(temporary)
            written[name] = known
        tell(True, owns | written)
    except BaseException:
        with suppress(CleanplateError, OSError):
            result.report["files"] = list(written)
            if fresh and not written:
                report.unlink()
            else:
                tell(False, earlier | written)
        raise
    return [*(folder / name for name in names), report]


def as_png(result: Result, writing: Writing) -> bytes:
    """Encode the one picture that `writing` names as PNG."""
    (kind,) = writing.kinds
    if kind == "preview":
        return result.preview(writing.background).png()
    # By way of a file: the writers know formats by their names.
    with TemporaryDirectory() as folder:
        for name, write in _writers(result, writing.names("one", metric=result.metric), writing):
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
    result: Result, names: list[str], writing: Writing
) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Give each file's name and what writes it to a path, timed; made when it is its turn."""
    timed = result.report["seconds"].stage
    for name in names:
        kind, suffix = name.split(".")[-2:]
        if kind in ("preview", "composite"):
            background = writing.background
            if kind == "preview":
                still = result.preview(background)
            else:
                assert background is not None
                still = result.composite(background)
            write: Callable[[Path], None] = partial(
                still.write, quality=90 if kind == "preview" else 95
            )
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
        with timed("write"):
            yield name, write


def _write_depth(path: Path, depth: Plane) -> None:
    write_depth(path, depth, convention=EXCHANGE, warn=False)  # warned of in the report


def _record_depth(result: Result, name: str) -> None:
    """Tell in the report what the PNG's 0 means, and if the PNG says nothing."""
    result.report[RECORD] = EXCHANGE.name
    about = result.report["plate_depth"]
    warning = f"{name}: {EMPTY}"
    if not fits(result.depth) and warning not in about["warnings"]:
        result.report["plate_depth"] = {**about, "warnings": [*about["warnings"], warning]}


def _swapped(write: Callable[[Path, Any], None], array: Any, path: Path) -> None:
    write(path, array)


def _write_foreground(result: Result, writing: Writing, path: Path) -> None:
    """Write RGBA; the file says how its colour was made, which its pixels do not."""
    write_image(path, foreground_rgba(result, writing.bits, premultiplied=writing.premultiplied))
    alpha = "premultiplied" if writing.premultiplied else "straight"
    values = "linear light" if result.foreground_space == "linear" else "display (sRGB) values"
    text = f"{alpha} alpha; colour solved for mixing in {values}"
    path.write_bytes(with_text(path.read_bytes(), text))


def foreground_rgba(result: Result, bits: int, *, premultiplied: bool = False) -> npt.NDArray[Any]:
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
    """Paint disparity for eyes, near bright: (H, W, 3), from 1st to 99th percentile."""
    step = max(1, round(disparity.size**0.5 / 1000))  # a million pixels tell the range
    low, high = np.percentile(disparity[::step, ::step], [1, 99])
    pixels = np.empty((*disparity.shape, 3), np.uint8)
    for rows in bands(pixels.shape):
        pixels[rows] = colour_map(disparity[rows], low=float(low), high=float(high))
    return pixels


def stems(frames: Sequence[Path]) -> list[str]:
    """Name each frame's files, no two alike (also not where case does not count), none hidden.

    A frame's own stem where that is enough; else folder names before it (`a/1.png`, `b/1.png`:
    `a_1`, `b_1`; `../1.png`, `1.png`: the same, by the folders' real names), and the suffix
    behind it where files differ in nothing else.

    Raises:
        CleanplateError: if that does not tell them apart.
    """
    own = [_visible(path.stem) for path in frames]
    # abspath: no `..`; without the root, or the name would be a path from there.
    parts = [Path(os.path.abspath(path)).parent.parts[1:] for path in frames]
    names = list(own)
    for depth in range(1, max((len(p) for p in parts), default=0) + 1):
        alike = _alike(names)
        if not alike:
            return names
        for i in alike:
            names[i] = _visible("_".join([*parts[i][-depth:], own[i]]).replace(":", ""))
    if not _alike(names):
        return names
    # Same folder: a.png and a.jpg. Take the shortest names and tell them by suffix.
    names = list(own)
    for i in _alike(names):
        told = [*parts[i][-1:], own[i], frames[i].suffix[1:]]
        names[i] = _visible("_".join(part for part in told if part))
    alike = _alike(names)
    if alike:
        both = " and ".join(str(frames[i]) for i in alike[:2])
        raise CleanplateError(
            f"the files of {both} would have the same names",
            cure="write them to different folders, in separate runs",
        )
    return names


def _visible(name: str) -> str:
    """Without the dots that would hide a file of this name."""
    return name.lstrip(".") or "frame"


def _alike(names: list[str]) -> list[int]:
    seen: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        seen.setdefault(name.casefold(), []).append(i)
    return sorted(i for group in seen.values() if len(group) > 1 for i in group)
