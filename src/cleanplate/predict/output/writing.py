"""Which files are written of a result, and how."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.files.ownership import check_replaceable, owned_by, read_record
from cleanplate.predict.output.rendered_image import BackgroundSource

KINDS = ("alpha", "foreground", "depth", "shadow", "preview", "composite")
DEFAULT_KINDS = KINDS[:-1]
_RELATIVE = (".disparity.npy", ".disparity.png")
NEEDED = {
    "foreground": "foreground",
    "depth": "disparity",
    "shadow": "shadow",
    "composite": "foreground",
}
"""The output that a kind of file cannot do without."""
_DRAWN = {"depth": ("disparity", "depth_measured"), "preview": ("plate", "foreground", "disparity")}
"""The outputs that a kind of file shows, where that is more than `NEEDED`."""


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
    """What to write of a result, and how; see `Result.save`.

    by_default: the kinds were not chosen, so those that a result cannot give are left out.
    """

    kinds: tuple[str, ...] = DEFAULT_KINDS
    background: BackgroundSource | None = None
    bits: int = 8
    premultiplied: bool = False
    overwrite: bool = False
    by_default: bool = False

    @classmethod
    def of(
        cls, save: Iterable[str] | None, background: BackgroundSource | None = None, **how: Any
    ) -> Writing:
        """Check what was asked for.

        Raises:
            CleanplateError: an unknown kind, no background for a composite, impossible bits.
        """
        kinds = check_kinds(save, background)
        chosen = cls(kinds, background, by_default=save is None, **how)
        if chosen.bits not in (8, 16):
            raise CleanplateError(f"{chosen.bits} bits are not possible", cure="choose 8 or 16")
        return chosen

    def within(self, outputs: Collection[str]) -> Writing:
        """Leave out the kinds that need other outputs, unless the kinds were chosen."""
        if not self.by_default:
            return self
        kept = [kind for kind in self.kinds if NEEDED.get(kind, "alpha") in outputs]
        return replace(self, kinds=tuple(kept))

    def outputs(self, available: Collection[str]) -> tuple[str, ...]:
        """Name the outputs that the files need, as `Scene.predict` takes them."""
        needed = {NEEDED[kind] for kind in self.kinds if kind in NEEDED}
        drawn = {name for kind in self.kinds for name in _DRAWN.get(kind, ())}
        return tuple(sorted({"alpha"} | needed | drawn.intersection(available)))

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
