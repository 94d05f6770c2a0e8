"""Cutouts as files of a catalogue: under names of their own, and never one over another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate.arrays import Bytes
from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import replacing
from cleanplate.files.json_files import read_json
from cleanplate.files.listing import is_hidden
from cleanplate.formats.pictures import read_rgba, to_float, to_uint8, write_image
from cleanplate.synthesis.ingest.cutout_extraction import ExtractedCutout


class CutoutFolderWriter:
    """A folder that takes cutouts in.

    A cutout is known by the digest of what it was made of: made of the same again it is there
    already; made of something else it gets the next free name, `NAME-2`, `NAME-3`, ...

    Args:
        folder: made when the first cutout comes.
        rebuild: make again what was made of the same; what is not ours is kept even so.
    """

    def __init__(self, folder: Path, *, rebuild: bool = False):
        self.folder, self.rebuild = folder, rebuild
        self._made: dict[str, str] = {}
        self._taken: set[str] = set()
        if folder.exists() and not folder.is_dir():
            raise CleanplateError("is no folder", file=folder)
        listed = sorted(folder.iterdir()) if folder.is_dir() else []
        there = [path for path in listed if not is_hidden(path.name)]
        made_from = {p.stem: _source_digest(p) for p in there if p.suffix == ".json"}
        for path in there:
            stem = path.stem.removesuffix("_depth") if path.suffix == ".png" else path.stem
            origin = made_from.get(stem)
            if origin is None:
                self._taken.add(_name_key(stem))
            elif path.name == f"{stem}.png":
                self._taken.add(_name_key(stem))
                self._made[origin] = stem
            # Else ours without its picture: what a killed run left, and nobody's.

    def find(self, digest: str) -> str | None:
        """Name of the cutout that was made of this; None if there is none, or to rebuild."""
        return None if self.rebuild else self._made.get(digest)

    def read_rgba8(self, name: str) -> Bytes:
        """Read a cutout of the folder: (h, w, 4) uint8 straight RGBA.

        Raises:
            CleanplateError: if it cannot be read or has no alpha any more.
        """
        file = self.folder / f"{name}.png"
        coded, alpha = read_rgba(file)
        if alpha is None:
            raise CleanplateError("has no alpha channel", file=file)
        return np.dstack([to_uint8(to_float(coded)), to_uint8(alpha)])

    def write(
        self, cutout: ExtractedCutout, name: str, digest: str, metadata: Mapping[str, Any]
    ) -> str:
        """Write a cutout's picture, depth and json; the picture comes last and makes it whole.

        Returns:
            the name it got.

        Raises:
            CleanplateError: if something cannot be written.
        """
        stem = self._made.get(digest) or self._free_name(name)
        self.folder.mkdir(parents=True, exist_ok=True)
        known = {"name": stem, **metadata, **cutout.metadata}
        known["made_from"] = {**metadata.get("made_from", {}), "sha256": digest}
        depth = self.folder / f"{stem}_depth.png"
        if cutout.depth is None:
            depth.unlink(missing_ok=True)  # of an earlier making of the same
        else:
            coded = np.rint((cutout.depth.astype(np.float64) + 5) * 10000)
            clear = cutout.rgba[..., 3] == 0
            write_image(depth, np.where(clear, 0, coded).clip(0, 65535).astype(np.uint16))
        with replacing(self.folder / f"{stem}.json") as part:
            part.write_text(json.dumps(known, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        write_image(self.folder / f"{stem}.png", cutout.rgba)
        self._made[digest] = stem
        self._taken.add(_name_key(stem))
        return stem

    def _free_name(self, name: str) -> str:
        # "_depth" at its end would make it another cutout's depth.
        base = name.removesuffix("_depth") or "cutout"
        number, stem = 1, base
        while _name_key(stem) in self._taken:
            number += 1
            stem = f"{base}-{number}"
        return stem


def _name_key(stem: str) -> str:
    return stem.casefold()  # on some disks A.png and a.png are one file


def _source_digest(path: Path) -> str | None:
    """Digest of what a cutout was made of; None if it does not say."""
    try:
        metadata = read_json(path)
        return str(metadata["made_from"]["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
