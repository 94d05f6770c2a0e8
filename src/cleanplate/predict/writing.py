"""The files of a result."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Plane
from cleanplate.bands import bands
from cleanplate.depth import colour_map, write_depth, write_disparity
from cleanplate.depth_codec import EMPTY, EXCHANGE, RECORD, fits
from cleanplate.errors import CleanplateError
from cleanplate.files import replacing
from cleanplate.pictures import to_uint8, to_uint16, write_alpha, write_image
from cleanplate.predict.still import BackgroundSource

if TYPE_CHECKING:
    from cleanplate.predict.result import Result

KINDS = ("alpha", "foreground", "depth", "shadow", "preview", "composite")
DEFAULT_KINDS = KINDS[:-1]


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


def save_result(
    result: Result,
    folder: Path,
    stem: str,
    *,
    save: Iterable[str] | None,
    background: BackgroundSource | None,
    bits: int,
) -> list[Path]:
    """Write a result's files; see `Result.save`."""
    kinds = check_kinds(save, background)
    if bits not in (8, 16):
        raise CleanplateError(f"{bits} bits are not possible", cure="choose 8 or 16")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CleanplateError(
            f"the folder cannot be made: {error.strerror}", file=folder, cure="choose another"
        ) from error
    written: list[Path] = []
    for kind in kinds:
        written += _write(result, kind, folder / stem, background, bits)
    report = _beside(folder / stem, ".json")
    result.report["files"] = [path.name for path in written]
    seconds = {name: round(value, 4) for name, value in result.report["seconds"].items()}
    content = json.dumps({**result.report, "seconds": seconds}, indent=2) + "\n"
    with replacing(report) as temporary:
        temporary.write_text(content, encoding="utf-8")
    return [*written, report]


def _write(
    result: Result, kind: str, base: Path, background: BackgroundSource | None, bits: int
) -> list[Path]:
    if kind == "depth":
        return _write_depth(result, base)
    path = _beside(base, ".preview.jpg" if kind == "preview" else f".{kind}.png")
    if kind == "preview":
        still = result.preview(background)
        with result.report["seconds"].stage("write"):
            still.save(path, quality=90)
    elif kind == "composite":
        assert background is not None
        still = result.composite(background)
        with result.report["seconds"].stage("write"):
            still.save(path)
    elif kind == "foreground":
        pixels = straight_rgba(result, bits)
        with result.report["seconds"].stage("write"):
            write_image(path, pixels)
    else:
        plane = result.alpha if kind == "alpha" else result.shadow
        with result.report["seconds"].stage("write"):
            write_alpha(path, plane, bits=bits)
    return [path]


def _write_depth(result: Result, base: Path) -> list[Path]:
    disparity = result.disparity
    with result.report["seconds"].stage("write"):
        if result.metric:
            depth = result.depth
            paths = [_beside(base, ".depth.png"), _beside(base, ".depth.npy")]
            for path in paths:
                write_depth(path, depth, convention=EXCHANGE, warn=False)
            # What the PNG's 0 means; the report lies beside it.
            result.report[RECORD] = EXCHANGE.name
            if not fits(depth):
                result.report["plate_depth"]["warnings"] += [f"{paths[0].name}: {EMPTY}"]
        else:
            paths = [_beside(base, ".disparity.npy"), _beside(base, ".disparity.png")]
            write_disparity(paths[0], disparity)
            write_image(paths[1], coloured(disparity))
    return paths


def straight_rgba(result: Result, bits: int) -> npt.NDArray[Any]:
    """(H, W, 4) uint8 or uint16: straight colour and alpha."""
    coded = to_uint8 if bits == 8 else to_uint16
    foreground = result.foreground
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


def _beside(base: Path, ending: str) -> Path:
    # Not `with_suffix`: a frame may be called `shot.0001.png`.
    return base.with_name(base.name + ending)
