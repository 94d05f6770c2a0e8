"""Library of 3D assets: files, kinds, licences.

`scenes/CATALOG.csv` and `subjects/CATALOG.csv` list every file with kind, source, licence and
attribution; paths are relative to the CSV's folder.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.files.json_files import read_json

EXCLUDED = ("*bookstore*", "*grey*white*", "*bit_living_room_wood*", "*aws_retail_*", "*Portrait*")
"""Name patterns that are not used: assets of the validation pairs, and pictures of people on walls,
which an empty scene must not have.
"""

_HALVES = ("scenes", "subjects")


@dataclass(frozen=True)
class Asset:
    """One file of the asset folder.

    Args:
        path: relative to the asset folder.
        kind: world, room, building, street, nature, furniture, hdri, texture, person, ...
        name: short.
        size: as in the catalogue: "16.5x12.9x7.7" in metres, or words.
        height: metres, of a subject; None if not stated.
        rigged: has bones.
        source: repository and path it was taken from.
        license: SPDX-like name.
        attribution: attribution line.
        notes: free text.
    """

    path: str
    kind: str
    name: str
    size: str
    height: float | None
    rigged: bool
    source: str
    license: str
    attribution: str
    notes: str

    @property
    def box(self) -> tuple[float, float, float] | None:
        """Width, depth and height in metres, if stated."""
        parts = self.size.lower().partition(",")[0].replace(" m", "").split("x")
        try:
            x, y, z = (float(p) for p in parts)
        except ValueError:
            return None
        return x, y, z


class AssetLibrary:
    """An asset folder.

    Args:
        folder: of the assets.
        excluded: patterns of paths and names that are not used.
        scenes: kinds of scenes to compose, in turn; () = all in their usual shares.

    Raises:
        CleanplateError: if there is no catalogue in it or a catalogue is damaged.
    """

    def __init__(
        self,
        folder: str | Path,
        excluded: Iterable[str] = EXCLUDED,
        scenes: Iterable[str] = (),
    ):
        self.folder = Path(folder)
        self.excluded = tuple(excluded)
        self.scenes = tuple(scenes)
        self.assets: dict[str, Asset] = {}
        for half in _HALVES:
            path = self.folder / half / "CATALOG.csv"
            if path.is_file():
                self.assets.update((a.path, a) for a in _read(path, half))
        if not self.assets:
            raise CleanplateError(
                "has neither scenes/CATALOG.csv nor subjects/CATALOG.csv",
                file=self.folder,
                cure="Name the asset folder with --assets; docs/data.md says what lies in it.",
            )

    def assets_of(self, kind: str, under: str = "") -> list[Asset]:
        """Give the usable assets of a kind whose path begins with `under`."""
        return [
            a
            for a in self.assets.values()
            if a.kind == kind and a.path.startswith(under) and not self.is_excluded(a.path)
        ]

    def is_excluded(self, name: str) -> bool:
        """Tell whether a path or name matches an excluded pattern."""
        return any(fnmatch(name.lower(), pattern.lower()) for pattern in self.excluded)

    def read_json(self, path: str) -> dict[str, Any]:
        """Read a JSON object of the folder.

        Raises:
            CleanplateError: if it is missing or no JSON object.
        """
        try:
            found = read_json(self.folder / path)
        except (OSError, ValueError) as error:
            raise CleanplateError(
                f"cannot be read ({error})", file=self.folder / path, cure="Fetch it again."
            ) from error
        if not isinstance(found, dict):
            raise CleanplateError("is no JSON object", file=self.folder / path)
        return found

    def credits(self, paths: Iterable[str]) -> dict[str, list[str]]:
        """Give sources, licences and attributions of some files, each once and sorted.

        Raises:
            CleanplateError: if a file is in no catalogue.
        """
        found: dict[str, set[str]] = {"source": set(), "license": set(), "attribution": set()}
        for path in paths:
            asset = self.assets.get(path)
            if asset is None:
                raise CleanplateError(
                    "is in no CATALOG.csv, so its licence is unknown",
                    file=self.folder / path,
                    cure="Add its line, with source, license and attribution.",
                )
            found["source"].add(asset.source)
            found["license"].add(asset.license)
            found["attribution"].add(asset.attribution)
        return {key: sorted(values) for key, values in found.items()}


def _read(path: Path, half: str) -> list[Asset]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            return [_asset(row, half) for row in csv.DictReader(stream)]
    except (KeyError, UnicodeDecodeError, csv.Error) as error:
        raise CleanplateError(
            f"is not a catalogue ({error!r})",
            file=path,
            cure="Columns: path, kind, name, source_repo, source_path, license, attribution.",
        ) from error


def _asset(row: dict[str, str], half: str) -> Asset:
    height = row.get("height_m") or ""
    source = " ".join(p for p in (row.get("source_repo"), row.get("source_path")) if p)
    return Asset(
        path=f"{half}/{row['path']}",
        kind=row["kind"],
        name=row["name"],
        size=row.get("size_m or scale") or "",
        height=float(height) if height else None,
        rigged=(row.get("rigged") or "").lower() in ("yes", "true", "1"),
        source=source,
        license=row["license"],
        attribution=row["attribution"],
        notes=row.get("notes") or "",
    )
