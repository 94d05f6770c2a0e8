"""What can be written: presets, the files they go into, and what each needs of a frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from cleanplate.errors import CleanplateError
from cleanplate.matte import MixingSpace
from cleanplate.video.sequence_names import DIGITS, SequenceNames, is_pattern

Kind: TypeAlias = Literal["movie", "sequence", "pipe"]
PIPE = "-"
"""The path that means stdout."""


@dataclass(frozen=True)
class Preset:
    """A way of writing.

    name: by which it is asked for.
    kind: one file, numbered files, or stdout.
    suffixes: endings of files that can hold it; the first codec's is meant where there are two.
    about: for people.
    transparent: whether it holds colour and alpha.
    premultiplied: whether that is so unless something else is asked for.
    spaces: in which values colour can be meant to be mixed; the first is the default.
    bits: per sample; the first is the default.
    lossy: whether colour is coded in blocks of pixels.
    """

    name: str
    kind: Kind
    suffixes: tuple[str, ...]
    about: str
    transparent: bool = False
    premultiplied: bool = False
    spaces: tuple[MixingSpace, ...] = ("display", "linear")
    bits: tuple[int, ...] = (8,)
    lossy: bool = False


PRESETS = {
    one.name: one
    for one in (
        Preset("h264", "movie", (".mp4", ".mov", ".mkv"), "composite, H.264 4:2:0", lossy=True),
        Preset(
            "prores4444",
            "movie",
            (".mov",),
            "colour and alpha, ProRes 4444",
            transparent=True,
            premultiplied=True,
            bits=(10,),
            lossy=True,
        ),
        Preset(
            "vp9",
            "movie",
            (".webm",),
            "colour and alpha, VP9 4:2:0",
            transparent=True,
            lossy=True,
        ),
        Preset(
            "png",
            "sequence",
            (".png",),
            "colour and alpha, numbered PNG",
            transparent=True,
            bits=(8, 16),
        ),
        Preset(
            "exr",
            "sequence",
            (".exr",),
            "colour and alpha in linear light, numbered OpenEXR",
            transparent=True,
            premultiplied=True,
            spaces=("linear",),
            bits=(16,),
        ),
        Preset(
            "matte",
            "movie",
            (".mkv", ".mp4", ".mov"),
            "alpha as grey: 16-bit FFV1 (.mkv), H.264 (.mp4, .mov)",
            bits=(16,),
        ),
        Preset("depth", "movie", (".mkv",), "depth in millimetres, 16-bit grey FFV1", bits=(16,)),
        Preset(
            "rgba",
            "pipe",
            (PIPE,),
            "bytes of R, G, B and alpha on stdout",
            transparent=True,
            bits=(8, 16),
        ),
    )
}
_BY_SUFFIX = {
    ".mp4": "h264",
    ".mov": "prores4444",
    ".webm": "vp9",
    ".png": "png",
    ".exr": "exr",
    PIPE: "rgba",
}


@dataclass(frozen=True)
class Output:
    """One output, checked; made by `output_of`.

    path: a file; of a sequence its pattern; "-" for stdout.
    preset: what is written.
    premultiplied: whether colour is multiplied by alpha.
    space: in which values alpha mixes it, "display" or "linear".
    bits: per sample.
    with_depth: of EXR, whether it has a channel Z, in metres.
    compression: of EXR, "zip" or "dwaa".
    quality: of H.264 and VP9, the constant rate factor; lower is better.
    """

    path: Path
    preset: Preset
    premultiplied: bool
    space: MixingSpace
    bits: int
    with_depth: bool = False
    compression: str = "zip"
    quality: int = 18

    @property
    def needs(self) -> frozenset[str]:
        """Names of the fields of `FrameLayers` that it writes."""
        if self.preset.transparent:
            fields = {"alpha", f"foreground_{self.space}"}
            return frozenset(fields | {"depth"} if self.with_depth else fields)
        return frozenset(
            {"h264": {"composite"}, "matte": {"alpha"}, "depth": {"depth"}}[self.preset.name]
        )

    @property
    def names(self) -> SequenceNames:
        """Names of the files of a sequence."""
        return SequenceNames.of(self.path)

    @property
    def suffix(self) -> str:
        """Give the ending, in lower case."""
        return PIPE if str(self.path) == PIPE else self.path.suffix.lower()


def output_of(
    path: str | Path,
    preset: str | None = None,
    *,
    premultiplied: bool | None = None,
    space: MixingSpace | None = None,
    bits: int | None = None,
    with_depth: bool = False,
    compression: str = "zip",
    quality: int = 18,
) -> Output:
    """Tell what is to be written from the path's suffix and the preset, and check that it can be.

    Args:
        path: a file, a folder or pattern for a sequence, "-" for stdout.
        preset: a name of `PRESETS`; None = by the suffix.
        premultiplied: None = as the preset has it.
        space: likewise.
        bits: likewise.
        with_depth, compression, quality: see `Output`.

    Raises:
        CleanplateError: the two do not go together, naming what does.
    """
    target = Path(path)
    suffix = PIPE if str(path) == PIPE else target.suffix.lower()
    if preset is None:
        if suffix not in _BY_SUFFIX:
            raise _unsupported(f"what to write into {suffix or 'a folder'!r} is not clear", path)
        preset = _BY_SUFFIX[suffix]
    if preset not in PRESETS:
        raise CleanplateError(
            f"there is no preset {preset!r}", cure=f"Choose of: {', '.join(PRESETS)}."
        )
    chosen = PRESETS[preset]
    if chosen.kind == "sequence" and suffix not in chosen.suffixes and not is_pattern(target.name):
        if suffix and not target.is_dir():
            raise _unsupported(f"{preset} cannot be written into {suffix}", path)
        target = target / f"%0{DIGITS}d{chosen.suffixes[0]}"
    elif suffix not in chosen.suffixes:
        raise _unsupported(f"{preset} cannot be written into {suffix or 'a folder'}", path)
    elif chosen.kind == "sequence":
        SequenceNames.of(target)
    if premultiplied and preset == "png":
        raise CleanplateError(
            "PNG holds straight colour by its standard",
            file=path,
            cure="Write EXR or ProRes 4444, or straight colour.",
        )
    _check_choice("space", space, chosen.spaces, preset)
    _check_choice("bits", bits, chosen.bits, preset)
    _check_choice("compression", compression, ("zip", "dwaa"), preset)
    return Output(
        path=target,
        preset=chosen,
        premultiplied=chosen.premultiplied if premultiplied is None else premultiplied,
        space=space or chosen.spaces[0],
        bits=bits or chosen.bits[0],
        with_depth=with_depth and preset == "exr",
        compression=compression,
        quality=quality,
    )


def check_together(outputs: Iterable[Output]) -> None:
    """Refuse outputs that get into each other's way.

    Raises:
        CleanplateError: two have one path, or there is none.
    """
    paths = [output.path for output in outputs]
    if not paths:
        raise CleanplateError("there is nothing to write", cure="Name an output.")
    for path in paths:
        if paths.count(path) > 1:
            raise CleanplateError("is named for two outputs", file=path, cure="Use two names.")


def _check_choice(what: str, value: object, allowed: tuple[object, ...], preset: str) -> None:
    if value is not None and value not in allowed:
        raise CleanplateError(
            f"{preset} has no {what} {value}", cure=f"Choose of: {', '.join(map(str, allowed))}."
        )


def _unsupported(what: str, path: str | Path) -> CleanplateError:
    pairs = "; ".join(f"{one.name}: {', '.join(one.suffixes)}" for one in PRESETS.values())
    return CleanplateError(what, file=path, cure=f"Presets and what holds them: {pairs}.")
