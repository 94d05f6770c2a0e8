"""Writer of cutouts into a folder: unique names, and no file of others is replaced."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate.arrays import Bytes
from cleanplate.depth.foot_depth import encode_foot_depth
from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import replacing
from cleanplate.files.json_files import read_json
from cleanplate.files.listing import is_hidden
from cleanplate.formats.pictures import as_uint8, read_rgba, to_uint8, write_image
from cleanplate.synthesis.ingest.cutout_extraction import ExtractedCutout


class CutoutFolderWriter:
    """A folder to which cutouts are written.

    A cutout is identified by the digest of its sources: from the same sources it is written once;
    from others it gets the next free name, `NAME-2`, `NAME-3`, ...

    Args:
        folder: created with the first cutout.
        rebuild: write cutouts of the same sources again; files of others are kept even then.

    Raises:
        CleanplateError: if `folder` is a file.
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
            # Else a JSON of ours without its picture, left by a killed run: its name is free.

    def find(self, digest: str) -> str | None:
        """Name of the cutout made of these sources; None if there is none, or with `rebuild`."""
        return None if self.rebuild else self._made.get(digest)

    def read_rgba8(self, name: str) -> Bytes:
        """Read a cutout of the folder: (h, w, 4) uint8 straight RGBA.

        Raises:
            CleanplateError: if it cannot be read or has no alpha.
        """
        file = self.folder / f"{name}.png"
        coded, alpha = read_rgba(file)
        if alpha is None:
            raise CleanplateError("has no alpha channel", file=file)
        return np.dstack([as_uint8(coded), to_uint8(alpha)])

    def write(
        self, cutout: ExtractedCutout, name: str, digest: str, metadata: Mapping[str, Any]
    ) -> str:
        """Write a cutout's depth and JSON, and last its picture, which marks it as complete.

        Returns:
            The name it got.

        Raises:
            CleanplateError: if something cannot be written.
        """
        stem = self._made.get(digest) or self._free_name(name)
        self.folder.mkdir(parents=True, exist_ok=True)
        known = {"name": stem, **metadata, **cutout.metadata}
        known["made_from"] = {**metadata.get("made_from", {}), "sha256": digest}
        depth = self.folder / f"{stem}_depth.png"
        if cutout.depth is None:
            depth.unlink(missing_ok=True)  # of an earlier version of this cutout
        else:
            seen = cutout.rgba[..., 3] > 0
            write_image(depth, encode_foot_depth(cutout.depth.astype(np.float64), seen))
        with replacing(self.folder / f"{stem}.json") as part:
            part.write_text(json.dumps(known, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        write_image(self.folder / f"{stem}.png", cutout.rgba)
        self._made[digest] = stem
        self._taken.add(_name_key(stem))
        return stem

    def _free_name(self, name: str) -> str:
        # A name ending in "_depth" would be read as another cutout's depth.
        base = name.removesuffix("_depth") or "cutout"
        number, stem = 1, base
        while _name_key(stem) in self._taken:
            number += 1
            stem = f"{base}-{number}"
        return stem


def _name_key(stem: str) -> str:
    return stem.casefold()  # on some disks A.png and a.png are one file


def _source_digest(path: Path) -> str | None:
    """Digest of a cutout's sources; None if its JSON has none."""
    try:
        metadata = read_json(path)
        return str(metadata["made_from"]["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
